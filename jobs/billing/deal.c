#include "jobs/billing/deal.h"

#include "jobs/billing/trouble.h"
#include "proto/base/duration.h"

#include <stdio.h>
#include <string.h>

enum { INFO = 2, BUSY_MS = 5000 };

/* ---- what became of it ---- */

static struct mr_outcome settle(struct mr_till *till, struct mr_job *job, struct mr_deal *deal,
                                const char *provider_id)
{
    struct mr_err err = {0};
    enum mr_code code = mr_deal_settle(till->mysql, job, deal, provider_id, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, true, &err);
    deal->state = MR_DEAL_OK;
    mr_host_counter(till->host, deal->kind->n_ok, 1);
    return mr_outcome_done();
}

static struct mr_outcome hold_for_a_person(const struct mr_deal *deal)
{
    return mr_outcome_hold("held for a person: %s; look there for metadata uuid %s, then say "
                           "workerctl billing resolve %s ok|refused",
                           deal->why, deal->uuid, deal->uuid);
}

/* For good: only once it is on record is the job over. */
static struct mr_outcome give_up(struct mr_till *till, struct mr_job *job, struct mr_deal *deal,
                                 enum mr_deal_state state,
                                 const struct mr_payment_answer *answer)
{
    bool held = state == MR_DEAL_HELD;
    struct mr_err err = {0};
    enum mr_code code = mr_deal_note(till->mysql, job, deal, state, answer, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, true, &err);
    deal->state = state;
    snprintf(deal->why, sizeof(deal->why), "%s", answer->message);
    mr_host_counter(till->host, held ? deal->kind->n_held : deal->kind->n_refused, 1);
    return held ? hold_for_a_person(deal) : mr_outcome_fail("%s", deal->why);
}

/* Whether or not that can be written down: the row says at least that it was sent. */
static struct mr_outcome remember_unknown(struct mr_till *till, struct mr_job *job,
                                          struct mr_deal *deal,
                                          const struct mr_payment_answer *answer)
{
    struct mr_err err = {0};

    if (mr_deal_note(till->mysql, job, deal, MR_DEAL_UNKNOWN, answer, &err) != MR_OK)
        mr_job_log(job, INFO, "payment.not_noted", "reason=%s", err.text);
    mr_host_counter(till->host, deal->kind->n_unknown, 1);
    return mr_outcome_retry("nobody knows yet whether %s: %s", deal->kind->happened,
                            answer->message);
}

static struct mr_outcome conclude(struct mr_till *till, struct mr_job *job,
                                  struct mr_deal *deal, const struct mr_payment_answer *answer)
{
    switch (answer->end) {
    case MR_PAYMENT_PAID:
        return settle(till, job, deal, answer->id);
    case MR_PAYMENT_REFUSED:
        return give_up(till, job, deal, MR_DEAL_REFUSED, answer);
    case MR_PAYMENT_CLASH:
    case MR_PAYMENT_ODD:
        return give_up(till, job, deal, MR_DEAL_HELD, answer);
    case MR_PAYMENT_LATER:
        return mr_outcome_release(
            mr_trouble_wait_ms(answer->after_ms >= 0 ? answer->after_ms : BUSY_MS), "%s",
            answer->message);
    case MR_PAYMENT_UNABLE:
        return mr_outcome_retry("%s", answer->message);
    case MR_PAYMENT_OPEN:
    case MR_PAYMENT_UNKNOWN:
        break;
    }
    return remember_unknown(till, job, deal, answer);
}

/* ---- with the provider ---- */

/* The provider may have forgotten the key, and knows of no such deal: asking again could do it twice, giving up not at all. */
static struct mr_outcome hold(struct mr_till *till, struct mr_job *job, struct mr_deal *deal,
                              struct mr_payment_answer *answer)
{
    char age[32], what[sizeof(answer->message)];

    mr_duration_print((uint64_t)deal->age_ms, age);
    memcpy(what, answer->message, sizeof(what));
    snprintf(answer->message, sizeof(answer->message),
             "first asked for %s ago, longer than payment.key_life, and %.300s", age, what);
    return give_up(till, job, deal, MR_DEAL_HELD, answer);
}

/*
 * Another attempt's values stand behind the key, since somebody changed the job meanwhile. What that one did is found by our uuid; where nothing is found
 * it may still come to light, and no request of ours can do anything more.
 */
static struct mr_outcome look_behind(struct mr_till *till, struct mr_job *job,
                                     struct mr_deal *deal, const struct mr_payment *payment,
                                     struct mr_payment_answer *clash)
{
    struct mr_payment_answer found;

    mr_payment_look_up(&till->provider, payment, job, &found);
    if (found.end != MR_PAYMENT_OPEN)
        return conclude(till, job, deal, &found);
    snprintf(clash->message, sizeof(clash->message),
             "the provider knows this uuid with other values, and %.300s", found.message);
    return conclude(till, job, deal, clash);
}

static struct mr_outcome ask(struct mr_till *till, struct mr_job *job, struct mr_deal *deal)
{
    struct mr_payment payment = {.uuid = deal->uuid};
    struct mr_payment_answer answer;

    deal->kind->set_payment(deal, &payment);
    if (!deal->fresh) {
        mr_payment_look_up(&till->provider, &payment, job, &answer);
        if (answer.end != MR_PAYMENT_OPEN)
            return conclude(till, job, deal, &answer);
        if (deal->age_ms >= till->key_life_ms)
            return hold(till, job, deal, &answer);
    }
    mr_payment_ask(&till->provider, &payment, job, &answer);
    if (answer.end == MR_PAYMENT_CLASH)
        return look_behind(till, job, deal, &payment, &answer);
    return conclude(till, job, deal, &answer);
}

struct mr_outcome mr_deal_make(struct mr_till *till, struct mr_job *job, struct mr_deal *deal)
{
    struct mr_err err = {0};
    enum mr_code code = mr_mysql_transact(till->mysql, job, deal->kind->begin, deal, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, deal->began, &err);
    if (deal->is_idle) {
        deal->state = MR_DEAL_OK;
        return mr_outcome_done();
    }
    switch (deal->state) {
    case MR_DEAL_OK: /* a person may have said so: then the books do not have it yet */
        return settle(till, job, deal, NULL);
    case MR_DEAL_REFUSED:
        return mr_outcome_fail("refused before, and a uuid is asked for once: %s", deal->why);
    case MR_DEAL_HELD:
        return mr_outcome_fail("held for a person, see its row in %s: %s", deal->kind->table,
                               deal->why);
    case MR_DEAL_SENDING:
    case MR_DEAL_UNKNOWN:
        break;
    }
    return ask(till, job, deal);
}
