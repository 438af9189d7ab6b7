/*
 * billing.charge: money for an invoice, taken exactly once. The charge has a row before the provider is asked, the provider knows the job's
 * uuid as the request's key and as the charge's name, and what became of it is in the books in one transaction with its state. Where an earlier
 * attempt may have asked, the provider is first looked at: what it has taken is booked; what it has not is asked for again
 * under the same key, as long as the provider remembers that key; afterwards a person decides. Nothing is ever asked for under
 * another key, and no connection to the database is held while the provider thinks.
 *
 * An answer that says "I did nothing" (429, 401, no connection) changes no state: it speaks of this request alone, and an earlier one may still
 * have been heard. It costs the next attempt one look-up.
 */
#include "jobs/billing/books.h"
#include "jobs/billing/charge.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/trouble.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { INFO = 2, BUSY_MS = 5000, CONNECTIONS = 10, TIMEOUT_MS = 30000, KEY_LIFE_MS = 82800000 };

/* Module state; strings are borrowed from the configuration, but the url. */
struct till {
    struct mr_host *host;
    struct mr_mysql *mysql;
    struct mr_payment_provider provider;
    int64_t key_life_ms;
};

static const char *text_of(json_t *config, const char *name)
{
    return json_string_value(json_object_get(config, name));
}

static int64_t number_of(json_t *config, const char *name, int64_t otherwise)
{
    int64_t number = json_integer_value(json_object_get(config, name));

    return number > 0 ? number : otherwise;
}

static void close_till(void *state)
{
    struct till *till = state;

    free(till->provider.url);
    free(till);
}

static enum mr_code check_config(json_t *config, struct mr_err *err)
{
    static const char *const needed[] = {"url", "key"};

    for (size_t i = 0; i < MR_COUNT(needed); i++)
        if (!text_of(config, needed[i]))
            return mr_fail(err, MR_EINVAL,
                           "payment.%s is not configured: no provider to charge with",
                           needed[i]);
    return MR_OK;
}

static char *charges_url(const char *base)
{
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    return mr_asprintf("%.*s/v1/payment_intents", (int)len, base);
}

static enum mr_code open_till(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "payment");
    enum mr_code code = check_config(config, err);

    if (code != MR_OK)
        return code;
    struct till *till = mr_zalloc(sizeof(*till));
    till->host = host;
    till->key_life_ms = number_of(config, "key_life_ms", KEY_LIFE_MS);
    till->provider = (struct mr_payment_provider){
        .url = charges_url(text_of(config, "url")),
        .key = text_of(config, "key"),
        .ca_file = text_of(config, "ca_file"),
        .connections = (unsigned)number_of(config, "connections", CONNECTIONS),
        .timeout_ms = (uint64_t)number_of(config, "timeout_ms", TIMEOUT_MS),
    };
    mr_http_limits_read(config, "payment", &till->provider.limits);
    code = mr_mysql_get(host, &till->mysql, err);
    if (code == MR_OK)
        code = mr_http_client_get(host, &till->provider.http, err);
    if (code == MR_OK)
        *out_state = till;
    else
        close_till(till);
    return code;
}

/* ---- what became of it ---- */

static struct mr_outcome settle(struct till *till, struct mr_job *job, struct mr_charge *charge,
                                const char *provider_id)
{
    struct mr_err err = {0};
    enum mr_code code = mr_charge_settle(till->mysql, job, charge, provider_id, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, true, &err);
    mr_host_counter(till->host, "charges_paid", 1);
    return mr_outcome_done();
}

/* For good: only once it is on record is the job over. */
static struct mr_outcome give_up(struct till *till, struct mr_job *job,
                                 struct mr_charge *charge, enum mr_charge_state state,
                                 const struct mr_payment_answer *answer)
{
    bool held = state == MR_CHARGE_HELD;
    struct mr_err err = {0};
    enum mr_code code = mr_charge_note(till->mysql, job, charge, state, answer, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, true, &err);
    mr_host_counter(till->host, held ? "charges_held" : "charges_refused", 1);
    if (!held)
        return mr_outcome_fail("%s", answer->message);
    return mr_outcome_fail("held for a person: %s; look there for metadata uuid %s, set state "
                           "in billing_charges to 'ok' or 'refused', and retry this job",
                           answer->message, charge->uuid);
}

/* Whether or not that can be written down: the row says at least that it was sent. */
static struct mr_outcome remember_unknown(struct till *till, struct mr_job *job,
                                          struct mr_charge *charge,
                                          const struct mr_payment_answer *answer)
{
    struct mr_err err = {0};

    if (mr_charge_note(till->mysql, job, charge, MR_CHARGE_UNKNOWN, answer, &err) != MR_OK)
        mr_job_log(job, INFO, "charge.not_noted", "reason=%s", err.text);
    mr_host_counter(till->host, "charges_unknown", 1);
    return mr_outcome_retry("nobody knows yet whether it was charged: %s", answer->message);
}

static struct mr_outcome conclude(struct till *till, struct mr_job *job,
                                  struct mr_charge *charge,
                                  const struct mr_payment_answer *answer)
{
    switch (answer->end) {
    case MR_PAYMENT_PAID:
        return settle(till, job, charge, answer->id);
    case MR_PAYMENT_REFUSED:
        return give_up(till, job, charge, MR_CHARGE_REFUSED, answer);
    case MR_PAYMENT_ODD:
        return give_up(till, job, charge, MR_CHARGE_HELD, answer);
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
    return remember_unknown(till, job, charge, answer);
}

/* ---- the job ---- */

static struct mr_payment payment_of(const struct mr_charge *charge)
{
    return (struct mr_payment){.uuid = charge->uuid,
                               .invoice = charge->issued->printed,
                               .source = charge->source,
                               .currency = charge->currency->code,
                               .amount_minor = charge->amount_minor};
}

/* The provider may have forgotten the key, and knows of no charge: asking again could charge twice, giving up not at all. */
static struct mr_outcome hold(struct till *till, struct mr_job *job, struct mr_charge *charge,
                              struct mr_payment_answer *answer)
{
    char age[32], what[sizeof(answer->message)];

    mr_duration_print((uint64_t)charge->age_ms, age);
    memcpy(what, answer->message, sizeof(what));
    snprintf(answer->message, sizeof(answer->message),
             "first asked for %s ago, longer than payment.key_life, and %.300s", age, what);
    return give_up(till, job, charge, MR_CHARGE_HELD, answer);
}

static struct mr_outcome take_money(struct till *till, struct mr_job *job,
                                    struct mr_charge *charge)
{
    const struct mr_payment payment = payment_of(charge);
    struct mr_payment_answer answer;

    if (!charge->fresh) {
        mr_payment_look_up(&till->provider, &payment, job, &answer);
        if (answer.end != MR_PAYMENT_OPEN)
            return conclude(till, job, charge, &answer);
        if (charge->age_ms >= till->key_life_ms)
            return hold(till, job, charge, &answer);
    }
    mr_payment_ask(&till->provider, &payment, job, &answer);
    return conclude(till, job, charge, &answer);
}

static struct mr_outcome charge_once(struct till *till, struct mr_job *job,
                                     struct mr_charge *charge)
{
    struct mr_err err = {0};
    enum mr_code code = mr_charge_begin(till->mysql, job, charge, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, charge->began, &err);
    switch (charge->state) {
    case MR_CHARGE_OK: /* a person may have said so: then the books do not have it yet */
        return settle(till, job, charge, NULL);
    case MR_CHARGE_REFUSED:
        return mr_outcome_fail("refused before, and a uuid is asked for once: %s", charge->why);
    case MR_CHARGE_HELD:
        return mr_outcome_fail("held for a person, see its row in billing_charges: %s",
                               charge->why);
    case MR_CHARGE_SENDING:
    case MR_CHARGE_UNKNOWN:
        break;
    }
    return take_money(till, job, charge);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct mr_charge charge = {0};
    struct mr_err err = {0};

    if (mr_books_check_uuid(mr_job_uuid(job), &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    json_t *data = mr_job_data(job, &err);
    if (!data || mr_charge_read(data, mr_job_uuid(job), &charge, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    struct mr_outcome outcome = charge_once(state, job, &charge);
    mr_charge_fini(&charge);
    return outcome;
}

const struct mr_handler mr_billing_charge = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.charge",
    .open = open_till,
    .close = close_till,
    .run = run,
};
