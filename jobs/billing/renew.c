#include "jobs/billing/renew.h"

#include "jobs/billing/books.h"
#include "jobs/billing/issue.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <string.h>

#define JOB "billing.renew"

enum { RESULT_MAX = 200, SUSPENDED_LOOK_S = 86400 };

/* One try of the transaction. */
struct work {
    struct mr_renewal *renewal;
    struct mr_mysql_conn *conn;
    struct mr_subscription subscription;
    struct mr_invoice invoice;
    char today[MR_DAY];
};

/* ---- the invoice ---- */

static json_t *invoice_data(const struct mr_subscription *subscription, json_t *lines)
{
    json_t *data = json_pack("{s:s, s:s, s:O}", "customer", subscription->customer, "currency",
                             subscription->currency, "lines", lines);

    if (data && subscription->series)
        json_object_set_new(data, "series", json_string(subscription->series));
    return data;
}

/* The shop's rows are read as a job's data would be, with the same care and the same words. */
static enum mr_code read_invoice(struct work *work, struct mr_err *err)
{
    const struct mr_subscription *subscription = &work->subscription;
    const struct mr_period *period = &work->renewal->period;
    json_t *lines = NULL, *data = NULL;
    struct mr_err why = {0};
    enum mr_code code = mr_subscription_lines(work->conn, subscription->id, period->start,
                                              period->end, &lines, err);

    if (code != MR_OK)
        return code;
    data = invoice_data(subscription, lines);
    if (mr_invoice_read(data, work->renewal->terms->series, &work->invoice, &why) != MR_OK)
        code = mr_fail(err, MR_EINVAL,
                       "subscription %s and its items make no invoice: %s (data.lines[0] is "
                       "its first item)",
                       subscription->id, why.text);
    json_decref(lines);
    json_decref(data);
    return code;
}

static enum mr_code receive(struct work *work, struct mr_err *err)
{
    const struct mr_renewal *renewal = work->renewal;
    char result[RESULT_MAX];

    snprintf(result, sizeof(result), "{\"invoice\":\"%s\",\"period\":\"%s\"}", renewal->invoice,
             renewal->period.start);
    enum mr_code code = mr_books_receive(work->conn, renewal->invoice, JOB, result, err);
    if (code == MR_EEXIST)
        return mr_fail(err, MR_EFAULT,
                       "millrace_inbox says that %s happened, but billing_subscriptions is "
                       "still before it: somebody has changed these tables",
                       renewal->invoice);
    return code;
}

/* ---- the subscription ---- */

/* A suspended one is looked at every day, in case somebody pays in another way. */
static int64_t next_look(const struct work *work)
{
    const struct mr_subscription *subscription = &work->subscription;

    if (subscription->state == MR_SUBSCRIPTION_SUSPENDED)
        return subscription->now_s + SUSPENDED_LOOK_S;
    return mr_zone_day_start_s(work->renewal->terms->zone, subscription->period_end);
}

/* A charge of nothing is none; without a source somebody pays in another way. */
static enum mr_code insert_period(struct work *work, struct mr_err *err)
{
    struct mr_period *period = &work->renewal->period;
    bool charged = work->subscription.source && work->invoice.total_minor > 0;

    period->invoice = mr_strdup(work->renewal->invoice);
    period->invoiced_by = mr_strdup(work->renewal->by);
    period->state = work->invoice.total_minor > 0 ? MR_PERIOD_BILLED : MR_PERIOD_PAID;
    return mr_period_insert(work->conn, work->renewal->id, period,
                            charged ? work->subscription.now_s : MR_NEXT_NEVER, err);
}

static enum mr_code move_on(struct work *work, struct mr_err *err)
{
    struct mr_subscription *subscription = &work->subscription;
    const struct mr_period *period = &work->renewal->period;

    memcpy(subscription->period_start, period->start, MR_DAY);
    memcpy(subscription->period_end, period->end, MR_DAY);
    if (subscription->state == MR_SUBSCRIPTION_TRIALING)
        subscription->state = MR_SUBSCRIPTION_ACTIVE;
    return mr_subscription_update(work->conn, subscription, next_look(work), err);
}

static enum mr_code set_period(struct work *work, struct mr_err *err)
{
    const struct mr_subscription *subscription = &work->subscription;
    struct mr_period *period = &work->renewal->period;

    memcpy(period->start, subscription->period_end, MR_DAY);
    if (work->renewal->skip)
        mr_cycle_latest(&subscription->cycle, period->start, work->today, period->start);
    if (!mr_cycle_next(&subscription->cycle, period->start, period->end))
        return mr_fail(err, MR_EINVAL, "subscription %s: its periods end with the year 2999",
                       subscription->id);
    return MR_OK;
}

/* The number comes late, since the series is what all invoices wait for; two short statements follow. */
static enum mr_code renew(struct work *work, struct mr_err *err)
{
    enum mr_code code = set_period(work, err);

    if (code == MR_OK)
        code = read_invoice(work, err);
    if (code == MR_OK)
        code = receive(work, err);
    if (code == MR_OK)
        code = mr_issue_within(work->conn, work->renewal->terms, work->renewal->invoice,
                               &work->invoice, err);
    if (code == MR_OK)
        code = insert_period(work, err);
    if (code == MR_OK)
        code = move_on(work, err);
    return code;
}

/* ---- whether ---- */

static enum mr_code idle(struct work *work, const char *why, int64_t next_at_s,
                         struct mr_err *err)
{
    work->renewal->idle = why;
    return mr_subscription_update(work->conn, &work->subscription, next_at_s, err);
}

/* An earlier attempt's invoice, where that is what moved the period; otherwise the shop did, or periods were skipped. */
static enum mr_code find_earlier(struct work *work, struct mr_err *err)
{
    struct mr_renewal *renewal = work->renewal;
    enum mr_code code =
        mr_period_find_invoice(work->conn, renewal->invoice, &renewal->period, err);

    if (code != MR_ENOTFOUND)
        return code;
    renewal->idle = "its next period begins on another day";
    return MR_OK;
}

/* Whoever has paid in another way is invoiced again. */
static enum mr_code look_at_unpaid(struct work *work, struct mr_err *err)
{
    enum mr_code code = mr_period_settle(work->conn, work->renewal->id, err);

    if (code == MR_OK)
        code = mr_subscription_stand(work->conn, &work->subscription, err);
    return code;
}

static enum mr_code decide(struct work *work, struct mr_err *err)
{
    struct mr_subscription *subscription = &work->subscription;
    enum mr_code code = MR_OK;

    if (strcmp(subscription->period_end, work->renewal->day) != 0)
        return find_earlier(work, err);
    if (subscription->state == MR_SUBSCRIPTION_ENDED)
        return idle(work, "it has ended", MR_NEXT_NEVER, err);
    if (subscription->state == MR_SUBSCRIPTION_SUSPENDED)
        code = look_at_unpaid(work, err);
    if (code != MR_OK)
        return code;
    if (strcmp(work->today, work->renewal->day) < 0)
        return idle(work, "the day has not come", next_look(work), err);
    if (subscription->cancel) {
        subscription->state = MR_SUBSCRIPTION_ENDED;
        return idle(work, "it ends here, as asked", MR_NEXT_NEVER, err);
    }
    if (subscription->state == MR_SUBSCRIPTION_SUSPENDED)
        return idle(work, "it is suspended", next_look(work), err);
    return renew(work, err);
}

/* ---- the transaction ---- */

static enum mr_code renew_it(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct work work = {.renewal = arg, .conn = conn};
    struct mr_renewal *renewal = arg;

    renewal->began = true;
    renewal->idle = NULL;
    mr_period_fini(&renewal->period);
    enum mr_code code = mr_subscription_lock(conn, renewal->id, &work.subscription, err);
    if (code == MR_OK) {
        mr_zone_day(renewal->terms->zone, work.subscription.now_s, work.today);
        code = decide(&work, err);
    }
    if (code == MR_OK) {
        memcpy(renewal->next, work.subscription.period_end, MR_DAY);
        renewal->is_due = work.subscription.state != MR_SUBSCRIPTION_ENDED &&
                          work.subscription.state != MR_SUBSCRIPTION_SUSPENDED &&
                          strcmp(renewal->next, work.today) <= 0;
    }
    mr_invoice_fini(&work.invoice);
    mr_subscription_fini(&work.subscription);
    return code;
}

enum mr_code mr_renew(struct mr_mysql *mysql, struct mr_job *job, struct mr_renewal *renewal,
                      struct mr_err *err)
{
    mr_subscription_renew_uuid(renewal->id, renewal->day, renewal->invoice);
    return mr_mysql_transact(mysql, job, renew_it, renewal, err);
}

void mr_renewal_fini(struct mr_renewal *renewal)
{
    mr_period_fini(&renewal->period);
}
