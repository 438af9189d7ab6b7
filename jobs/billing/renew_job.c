/*
 * billing.renew: the next period of a subscription. In three forms, each of which pushes the next:
 *
 *     {due: true}                 finds what is due, a page at a time, and pushes a job for each
 *     {subscription}              the same for one, due or not
 *     {subscription, period}      begins the period of this day: invoice, paper, and the job that charges for it
 *
 * The first two change nothing. The third does everything in one transaction under a name that the period gives it (renew.h), so it does not matter how often, by whom and
 * under which uuid it is pushed; an attempt that finds it done draws what is not drawn and pushes what follows again.
 * What Redis may lose, {due: true} finds again in the database: next_action_at of subscriptions and of their periods.
 */
#include "jobs/billing/desk.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/member.h"
#include "jobs/billing/notice.h"
#include "jobs/billing/renew.h"
#include "jobs/billing/subscription_jobs.h"
#include "jobs/billing/trouble.h"
#include "jobs/services/members.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INFO = 2, DEBUG = 3, PAGE = 500, PAGE_MAX = 999 };

/* Module state. */
struct renewer {
    struct mr_desk *desk;
    bool skip;        /* billing.catch_up */
    const char *mail; /* billing.renewal_mail; borrowed, NULL: none */
};

/* What the job asks for; strings are borrowed from its data. */
struct asked {
    const char *subscription, *day; /* NULL: not said */
    const char *after;              /* of a page: subscriptions behind this one */
    int64_t limit;
};

static void close_renewer(void *state)
{
    struct renewer *renewer = state;

    mr_desk_close(renewer->desk);
    free(renewer);
}

static enum mr_code open_renewer(struct mr_host *host, void **out_state, struct mr_err *err)
{
    struct renewer *renewer = mr_zalloc(sizeof(*renewer));
    json_t *config = mr_host_config(host, "billing");
    void *desk = NULL;

    renewer->skip = strcmp(mr_members_text(config, "catch_up", "each"), "skip") == 0;
    renewer->mail = mr_members_text(config, "renewal_mail", NULL);
    enum mr_code code =
        mr_notice_check_template(host, renewer->mail, "billing.renewal_mail", err);
    if (code == MR_OK)
        code = mr_desk_open(host, &desk, err);
    renewer->desk = desk;
    if (code == MR_OK)
        *out_state = renewer;
    else
        free(renewer);
    return code;
}

/* ---- what is asked for ---- */

static enum mr_code read_id(json_t *value, const char *place, const char **out,
                            struct mr_err *err)
{
    if (!json_is_string(value))
        return mr_member_wrong(value, place, "a subscription's id", err);
    *out = json_string_value(value);
    return mr_subscription_check_id(*out, place, err);
}

static enum mr_code read_due(json_t *data, struct asked *out, struct mr_err *err)
{
    json_t *limit = json_object_get(data, "limit"), *after = json_object_get(data, "after");
    enum mr_code code = MR_OK;

    if (json_object_get(data, "subscription"))
        return mr_fail(err, MR_EINVAL,
                       "data.due and data.subscription: it is all that are due, or one");
    if (!json_is_true(json_object_get(data, "due")))
        return mr_member_wrong(json_object_get(data, "due"), "data.due", "true", err);
    out->after = "";
    out->limit = PAGE;
    if (limit)
        code = mr_member_whole(limit, "data.limit", "a whole number, 1 to 999", 1, PAGE_MAX,
                               &out->limit, err);
    if (code == MR_OK && after)
        code = read_id(after, "data.after", &out->after, err);
    return code;
}

static enum mr_code read_day(json_t *value, const char **out, struct mr_err *err)
{
    const char *day = json_string_value(value);

    if (!value)
        return MR_OK;
    if (!day || !mr_day_is(day))
        return mr_fail(err, MR_EINVAL,
                       "data.period must be the day on which it begins, such as "
                       "\"2026-01-31\"");
    *out = day;
    return MR_OK;
}

static enum mr_code read_asked(json_t *data, struct asked *out, struct mr_err *err)
{
    enum mr_code code =
        mr_member_object(data, "data", "an object {subscription} or {due: true}", err);

    if (code == MR_OK && json_object_get(data, "due"))
        return read_due(data, out, err);
    if (code == MR_OK)
        code = read_id(json_object_get(data, "subscription"), "data.subscription",
                       &out->subscription, err);
    if (code == MR_OK)
        code = read_day(json_object_get(data, "period"), &out->day, err);
    return code;
}

/* ---- to find ---- */

struct page {
    struct mr_job *job;
    int64_t n;
    char last[MR_SUBSCRIPTION_ID + 1];
};

/* A row: id, the day of the period, its step; below 0: it is the next period, not invoiced yet. */
static enum mr_code on_due(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct page *page = arg;
    char day[MR_DAY];
    const struct mr_bytes *values = row->values;
    int step = atoi(values[2].at);

    page->n++;
    snprintf(page->last, sizeof(page->last), "%.*s", (int)values[0].len, values[0].at);
    snprintf(day, sizeof(day), "%.*s", (int)values[1].len, values[1].at);
    /* A name that no job can have is told where a job asks for it, and stops no other. */
    if (mr_subscription_check_id(page->last, "id", NULL) != MR_OK)
        return MR_OK;
    if (step < 0)
        return mr_subscription_push_renew(page->job, page->last, day, err);
    return mr_subscription_push_dun(page->job, page->last, day, (unsigned)step, 0, err);
}

static const char find_due[] =
    "SELECT id, period_end AS day, -1 AS step FROM billing_subscriptions "
    "WHERE next_action_at <= CURRENT_TIMESTAMP(3) AND id > ? UNION ALL "
    "SELECT subscription, period_start, step FROM billing_subscription_periods "
    "WHERE next_action_at <= CURRENT_TIMESTAMP(3) AND subscription > ? "
    "ORDER BY id, day, step LIMIT ?";
static const char find_one[] =
    "SELECT id, period_end AS day, -1 AS step FROM billing_subscriptions WHERE id = ? UNION "
    "ALL SELECT subscription, period_start, step FROM billing_subscription_periods "
    "WHERE next_action_at <= CURRENT_TIMESTAMP(3) AND subscription = ? "
    "ORDER BY id, day, step LIMIT ?";

/*
 * What of the last one a full page leaves out, the next {due: true} finds. Its job has a name by chance: one made of this job's would grow with every page.
 */
static enum mr_code push_next_page(struct mr_job *job, const struct asked *asked,
                                   const struct page *page, struct mr_err *err)
{
    json_t *data = json_pack("{s:b, s:I, s:s}", "due", 1, "limit", (json_int_t)asked->limit,
                             "after", page->last);
    const struct mr_push push = {.job = "billing.renew", .data = data};
    enum mr_code code = mr_job_push(job, &push, err);

    json_decref(data);
    return code;
}

static struct mr_outcome find(struct renewer *renewer, struct mr_job *job,
                              const struct asked *asked)
{
    const char *from = asked->subscription ? asked->subscription : asked->after;
    const struct mr_sql_value values[] = {
        mr_sql_text(from), mr_sql_text(from),
        mr_sql_int(asked->subscription ? PAGE_MAX : asked->limit)};
    struct page page = {.job = job};
    struct mr_mysql_conn *conn = NULL;
    struct mr_err err = {0};
    enum mr_code code = mr_mysql_take(renewer->desk->mysql, MR_MYSQL_WRITE, job, &conn, &err);
    bool began = code == MR_OK;

    if (code == MR_OK)
        code = mr_mysql_query(conn, asked->subscription ? find_one : find_due, values,
                              MR_COUNT(values), NULL, on_due, &page, &err);
    mr_mysql_give(conn);
    if (code == MR_OK && asked->subscription && page.n == 0)
        code = mr_fail(&err, MR_EINVAL,
                       "data.subscription \"%s\": there is no such subscription in "
                       "billing_subscriptions",
                       asked->subscription);
    if (code == MR_OK && !asked->subscription && page.n == asked->limit)
        code = push_next_page(job, asked, &page, &err);
    if (code != MR_OK)
        return mr_trouble_outcome(job, code, began, &err);
    mr_job_log(job, page.n ? INFO : DEBUG, "subscriptions.found", "n=%lld", (long long)page.n);
    return mr_outcome_done();
}

/* ---- to renew ---- */

/* Only by the job that invoiced it, again where that is repeated: there may be others for the same period. */
static enum mr_code push_mail(const struct renewer *renewer, struct mr_job *job,
                              const struct mr_renewal *renewal, struct mr_err *err)
{
    const struct mr_period *period = &renewal->period;
    char uuid[MR_SUBSCRIPTION_UUID + 8], last[MR_DAY];

    if (!renewer->mail || !mr_subscription_is_by(job, period->invoiced_by))
        return MR_OK;
    snprintf(uuid, sizeof(uuid), "%s.mail", renewal->invoice);
    mr_day_add(period->end, -1, last);
    json_t *vars = json_pack("{s:s, s:s, s:s}", "subscription", renewal->id, "period_start",
                             period->start, "period_end", last);
    const struct mr_mailing mailing = {.wanted = true,
                                       .if_addressed = true,
                                       .template = renewer->mail,
                                       .vars = vars,
                                       .uuid = uuid};
    enum mr_code code = mr_desk_mail(renewer->desk, job, renewal->invoice, &mailing, err);
    json_decref(vars);
    return code;
}

static enum mr_code push_what_follows(struct mr_job *job, const struct mr_renewal *renewal,
                                      struct mr_err *err)
{
    const struct mr_period *period = &renewal->period;
    enum mr_code code = MR_OK;

    if (period->state == MR_PERIOD_BILLED)
        code = mr_subscription_push_dun(job, renewal->id, period->start, 0, 0, err);
    if (code == MR_OK && renewal->is_due)
        code = mr_subscription_push_renew(job, renewal->id, renewal->next, err);
    return code;
}

static struct mr_outcome renew(struct renewer *renewer, struct mr_job *job,
                               const struct asked *asked)
{
    struct mr_desk *desk = renewer->desk;
    struct mr_renewal renewal = {.terms = &desk->terms,
                                 .id = asked->subscription,
                                 .day = asked->day,
                                 .by = mr_subscription_by(job),
                                 .skip = renewer->skip};
    struct mr_err err = {0};
    enum mr_code code = mr_renew(desk->mysql, job, &renewal, &err);

    if (code == MR_OK && renewal.idle)
        mr_job_log(job, DEBUG, "subscription.not_renewed", "subscription=%s period=%s why=%s",
                   renewal.id, renewal.day, renewal.idle);
    if (code == MR_OK)
        renewal.began = false; /* it stands: what is left can be done again, at no cost */
    if (code == MR_OK && !renewal.idle)
        code = mr_desk_finish(desk, job, renewal.invoice, &err);
    if (code == MR_OK && !renewal.idle)
        code = push_mail(renewer, job, &renewal, &err);
    if (code == MR_OK && !renewal.idle)
        code = push_what_follows(job, &renewal, &err);
    if (code == MR_OK && !renewal.idle)
        mr_host_counter(desk->host, "subscriptions_renewed", 1);
    mr_renewal_fini(&renewal);
    return code == MR_OK ? mr_outcome_done()
                         : mr_trouble_outcome(job, code, renewal.began, &err);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct asked asked = {0};
    struct mr_err err = {0};
    json_t *data = mr_job_data(job, &err);

    if (!data || read_asked(data, &asked, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    return asked.day ? renew(state, job, &asked) : find(state, job, &asked);
}

const struct mr_handler mr_billing_renew = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.renew",
    .open = open_renewer,
    .close = close_renewer,
    .run = run,
};
