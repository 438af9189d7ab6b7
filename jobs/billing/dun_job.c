/*
 * billing.dun {subscription, period, step}: charges for a period, and sees to it that a refusal has consequences (dunning.h). The charge is a deal like
 * any other (deal.h), made under the name of its step; a step that was refused is over, and the next one asks under another name: never does an
 * unknown one. Three transactions, each of which may be the last that a killed worker did, and each of which finds what those before it have done:
 *
 *     begin    the step is decided, with the card it asks, which stays the same to the step's end
 *     deal     sending -> ok, refused, unknown, held: the job goes on, or comes back, or waits for a person
 *     end      the period and the subscription move, once: only from the state and step that the charge was made in
 *
 * What follows a refusal, the next step's job and the mail, is pushed when this job is done, again by a repeat; the mail only by the job that moved the period, for there
 * may be others for the same step, and the customer hears of it once. next_action_at of the period is where {due: true} of
 * billing.renew finds a step whose job is lost.
 */
#include "jobs/billing/charge.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/member.h"
#include "jobs/billing/notice.h"
#include "jobs/billing/subscription_jobs.h"
#include "jobs/billing/trouble.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INFO = 2, DAY_S = 86400, STEP_MAX = MR_DUNNING_DAYS };

/* Module state. */
struct dunner {
    struct mr_till *till;
    struct mr_dunning dunning;
    struct mr_notice notice;
};

/* One step. Strings of the job are borrowed. */
struct step {
    struct dunner *dunner;
    struct mr_job *job;
    const char *id, *start;
    unsigned number;
    char uuid[MR_SUBSCRIPTION_UUID];
    /* What the database says. */
    struct mr_period period;
    int64_t now_s;
    bool is_over;             /* the period has left this step */
    enum mr_period_event how; /* the charge ended */
    bool began;
};

static void close_dunner(void *state)
{
    struct dunner *dunner = state;

    mr_notice_fini(&dunner->notice);
    mr_till_close(dunner->till);
    free(dunner);
}

static enum mr_code open_dunner(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *billing = mr_host_config(host, "billing");
    struct dunner *dunner = mr_zalloc(sizeof(*dunner));
    void *till = NULL;
    enum mr_code code = mr_notice_read(host, &dunner->notice, err);

    mr_dunning_read(json_object_get(billing, "dunning"), &dunner->dunning);
    if (code == MR_OK)
        code = mr_till_open(host, &till, err);
    dunner->till = till;
    if (code == MR_OK) {
        *out_state = dunner;
        return MR_OK;
    }
    mr_notice_fini(&dunner->notice);
    free(dunner);
    return code;
}

static enum mr_code read_asked(json_t *data, struct step *out, struct mr_err *err)
{
    json_t *id = json_object_get(data, "subscription"),
           *start = json_object_get(data, "period");
    int64_t number = 0;
    enum mr_code code =
        mr_member_object(data, "data", "an object {subscription, period, step}", err);

    if (code != MR_OK)
        return code;
    if (!json_is_string(id))
        return mr_member_wrong(id, "data.subscription", "a subscription's id", err);
    if (!json_is_string(start) || !mr_day_is(json_string_value(start)))
        return mr_fail(err, MR_EINVAL,
                       "data.period must be the day on which it began, such as \"2026-01-31\"");
    code = mr_subscription_check_id(json_string_value(id), "data.subscription", err);
    if (code == MR_OK)
        code = mr_member_whole(json_object_get(data, "step"), "data.step",
                               "a whole number, 0 to 20", 0, STEP_MAX, &number, err);
    out->id = json_string_value(id);
    out->start = json_string_value(start);
    out->number = (unsigned)number;
    mr_subscription_dun_uuid(out->id, out->start, out->number, out->uuid);
    return code;
}

/* ---- begin ---- */

static bool is_open(const struct mr_period *period)
{
    return period->state == MR_PERIOD_BILLED || period->state == MR_PERIOD_DUNNED;
}

/* The period under the subscription's lock, and whether it is still in this step. */
static enum mr_code find_period(struct step *step, struct mr_mysql_conn *conn,
                                struct mr_subscription *out, struct mr_err *err)
{
    struct mr_err why = {0};

    step->began = true;
    mr_period_fini(&step->period);
    enum mr_code code = mr_subscription_lock(conn, step->id, out, err);
    if (code != MR_OK)
        return code;
    step->now_s = out->now_s;
    code = mr_period_find(conn, step->id, step->start, &step->period, &why);
    if (code == MR_ENOTFOUND)
        code = MR_EINVAL;
    if (code != MR_OK)
        return mr_fail(err, code, "subscription %s, period %s: %s", step->id, step->start,
                       why.text);
    step->is_over = !is_open(&step->period) || step->period.step > step->number;
    if (!step->is_over && step->period.step < step->number)
        return mr_fail(err, MR_EINVAL,
                       "data.step %u: period %s of subscription %s is at step %u only",
                       step->number, step->start, step->id, step->period.step);
    return MR_OK;
}

/*
 * The card is written down before it is asked: under the same key the provider wants to hear the same, whatever the shop has changed since. A day later somebody looks
 * whether this job was lost.
 */
static enum mr_code begin(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct step *step = arg;
    struct mr_subscription subscription = {0};
    enum mr_code code = find_period(step, conn, &subscription, err);

    if (code == MR_OK && !step->is_over) {
        if (!step->period.source && subscription.source)
            step->period.source = mr_strdup(subscription.source);
        code = mr_period_update(conn, step->id, &step->period,
                                step->period.source ? step->now_s + DAY_S : MR_NEXT_NEVER, err);
    }
    mr_subscription_fini(&subscription);
    return code;
}

/* ---- end ---- */

/* When the step that the period is in is due, unix time. */
static int64_t due_s(const struct step *step)
{
    const struct mr_period *period = &step->period;

    if (period->state != MR_PERIOD_DUNNED || period->step > step->dunner->dunning.n)
        return step->now_s;
    return period->first_refused_at_s +
           (int64_t)step->dunner->dunning.days[period->step - 1] * DAY_S;
}

static enum mr_code move(struct step *step, struct mr_mysql_conn *conn,
                         struct mr_subscription *subscription, struct mr_err *err)
{
    struct mr_period *period = &step->period;
    struct mr_period_move then =
        mr_dunning_move(&step->dunner->dunning, period->state, period->step, step->how);

    if (step->how == MR_PERIOD_REFUSES && !period->first_refused_at_s)
        period->first_refused_at_s = step->now_s;
    period->state = then.state;
    period->step = then.step;
    free(period->source);
    period->source = NULL; /* the next step asks the card of its day */
    free(period->moved_by);
    period->moved_by = mr_strdup(mr_subscription_by(step->job));
    enum mr_code code = mr_period_update(conn, step->id, period,
                                         is_open(period) ? due_s(step) : MR_NEXT_NEVER, err);
    if (code == MR_OK)
        code = mr_subscription_stand(conn, subscription, err);
    if (code == MR_OK)
        code = mr_subscription_update(
            conn, subscription,
            then.state == MR_PERIOD_UNPAID ? step->now_s + DAY_S : MR_NEXT_AS_IT_IS, err);
    return code;
}

static enum mr_code end(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct step *step = arg;
    struct mr_subscription subscription = {0};
    enum mr_code code = find_period(step, conn, &subscription, err);

    if (code == MR_OK && !step->is_over)
        code = move(step, conn, &subscription, err);
    mr_subscription_fini(&subscription);
    return code;
}

/* ---- what follows ---- */

static enum mr_code notify(struct step *step, enum mr_dunning_mail mail, struct mr_err *err)
{
    const struct mr_notice_of about = {.subscription = step->id,
                                       .period = &step->period,
                                       .step = step->number,
                                       .uuid = step->uuid,
                                       .next_at_s = due_s(step)};

    if (!mr_subscription_is_by(step->job, step->period.moved_by))
        return MR_OK;
    return mr_notice_push(&step->dunner->notice, step->dunner->till->mysql, step->job, mail,
                          &about, err);
}

/* By what the period has become, so that a repeat pushes the same. */
static struct mr_outcome follow(struct step *step)
{
    const struct mr_period *period = &step->period;
    struct mr_err err = {0};
    enum mr_code code = MR_OK;

    if (period->state == MR_PERIOD_DUNNED && period->step == step->number + 1) {
        code = mr_subscription_push_dun(step->job, step->id, step->start, period->step,
                                        due_s(step) - step->now_s, &err);
        if (code == MR_OK)
            code = notify(step, MR_DUNNING_REFUSED_MAIL, &err);
    } else if (period->state == MR_PERIOD_UNPAID && period->step == step->number) {
        code = notify(step, MR_DUNNING_SUSPENDED_MAIL, &err);
    }
    return code == MR_OK ? mr_outcome_done() : mr_trouble_outcome(step->job, code, true, &err);
}

static struct mr_outcome conclude(struct step *step, enum mr_period_event how)
{
    struct mr_err err = {0};

    step->how = how;
    enum mr_code code =
        mr_mysql_transact(step->dunner->till->mysql, step->job, end, step, &err);
    if (code != MR_OK)
        return mr_trouble_outcome(step->job, code, true, &err);
    mr_job_log(step->job, INFO, "subscription.charged",
               "subscription=%s period=%s step=%u paid=%s", step->id, step->start, step->number,
               how == MR_PERIOD_PAYS ? "yes" : "no");
    return follow(step);
}

/* ---- the job ---- */

static struct mr_outcome charge(struct step *step)
{
    struct mr_charge charge =
        mr_charge_of_all(step->uuid, step->period.invoice, step->period.source);
    struct mr_outcome outcome = mr_charge_make(step->dunner->till, step->job, &charge);
    bool paid = outcome.kind == MR_OUTCOME_DONE;
    bool refused = outcome.kind == MR_OUTCOME_FAIL && charge.deal.state == MR_DEAL_REFUSED;

    mr_charge_fini(&charge);
    if (!paid && !refused)
        return outcome;
    mr_outcome_fini(&outcome);
    return conclude(step, paid ? MR_PERIOD_PAYS : MR_PERIOD_REFUSES);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct step step = {.dunner = state, .job = job};
    struct mr_outcome outcome;
    struct mr_err err = {0};
    json_t *data = mr_job_data(job, &err);

    if (!data || read_asked(data, &step, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    enum mr_code code = mr_mysql_transact(step.dunner->till->mysql, job, begin, &step, &err);
    if (code != MR_OK)
        outcome = mr_trouble_outcome(job, code, step.began, &err);
    else if (step.is_over)
        outcome = follow(&step);
    else if (!step.period.source)
        outcome = mr_outcome_done(); /* nobody to charge: it is paid in another way */
    else
        outcome = charge(&step);
    mr_period_fini(&step.period);
    return outcome;
}

const struct mr_handler mr_billing_dun = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.dun",
    .open = open_dunner,
    .close = close_dunner,
    .run = run,
};
