#include "jobs/billing/subscription.h"

#include "jobs/billing/issued.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INSTANT = 32 }; /* room for "2026-01-31 00:00:00" */

enum column {
    CUSTOMER,
    CURRENCY,
    SERIES,
    SOURCE,
    UNIT,
    COUNT,
    ANCHOR,
    PERIOD_START,
    PERIOD_END,
    STATE,
    CANCEL,
    NOW_S
};

enum mr_code mr_subscription_check_id(const char *id, const char *place, struct mr_err *err)
{
    size_t len = strlen(id);

    if (len > 0 && len <= MR_SUBSCRIPTION_ID &&
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == len)
        return MR_OK;
    return mr_fail(err, MR_EINVAL,
                   "%s must be 1 to %u of A-Z a-z 0-9 _ . -, which name its jobs, not "
                   "\"%.60s\"",
                   place, MR_SUBSCRIPTION_ID, id);
}

static char *text_of(struct mr_bytes value)
{
    return value.at ? mr_strndup(value.at, value.len) : NULL;
}

static void copy_day(struct mr_bytes value, char *out)
{
    snprintf(out, MR_DAY, "%.*s", (int)value.len, value.at ? value.at : "");
}

/* ---- the subscription ---- */

struct found {
    struct mr_subscription *subscription;
    bool any;
};

static enum mr_code on_subscription(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct found *found = arg;
    struct mr_subscription *out = found->subscription;
    const struct mr_bytes *values = row->values;

    (void)err;
    found->any = true;
    out->customer = text_of(values[CUSTOMER]);
    out->currency = text_of(values[CURRENCY]);
    out->series = text_of(values[SERIES]);
    out->source = text_of(values[SOURCE]);
    out->cycle.yearly = mr_bytes_is(values[UNIT], "year");
    out->cycle.count = (unsigned)mr_issued_integer(values[COUNT]);
    copy_day(values[ANCHOR], out->cycle.anchor);
    copy_day(values[PERIOD_START], out->period_start);
    copy_day(values[PERIOD_END], out->period_end);
    out->state = mr_subscription_state_of(values[STATE].at, values[STATE].len);
    out->cancel = mr_issued_integer(values[CANCEL]) != 0;
    out->now_s = mr_issued_integer(values[NOW_S]);
    return MR_OK;
}

/* The shop writes these rows, so they are outside words. */
static enum mr_code check(const struct mr_subscription *subscription, struct mr_err *err)
{
    const struct mr_cycle *cycle = &subscription->cycle;

    if (cycle->count < 1 || cycle->count > MR_PERIOD_COUNT_MAX)
        return mr_fail(err, MR_EINVAL,
                       "subscription %s: period_count must be 1 to %u months or years, not %u",
                       subscription->id, MR_PERIOD_COUNT_MAX, cycle->count);
    if (!mr_day_is(cycle->anchor) || !mr_day_is(subscription->period_end))
        return mr_fail(err, MR_EINVAL,
                       "subscription %s: anchor and period_end must be days of the years 1970 "
                       "to 2999, not %s and %s",
                       subscription->id, cycle->anchor, subscription->period_end);
    if (subscription->state == MR_SUBSCRIPTION_STATES)
        return mr_fail(err, MR_EINVAL, "subscription %s: it has no state", subscription->id);
    return MR_OK;
}

enum mr_code mr_subscription_lock(struct mr_mysql_conn *conn, const char *id,
                                  struct mr_subscription *out, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(id);
    struct mr_subscription subscription = {.id = mr_strdup(id)};
    struct found found = {.subscription = &subscription};
    enum mr_code code = mr_mysql_query(
        conn,
        "SELECT customer, currency, series, source, period_unit, period_count, anchor, "
        "period_start, period_end, state, cancel_at_period_end, FLOOR(UNIX_TIMESTAMP()) "
        "FROM billing_subscriptions WHERE id = ? FOR UPDATE",
        &value, 1, NULL, on_subscription, &found, err);

    if (code == MR_OK && !found.any)
        code = mr_fail(err, MR_EINVAL,
                       "data.subscription \"%s\": there is no such subscription in "
                       "billing_subscriptions",
                       id);
    if (code == MR_OK)
        code = check(&subscription, err);
    if (code == MR_OK)
        *out = subscription;
    else
        mr_subscription_fini(&subscription);
    return code;
}

void mr_subscription_fini(struct mr_subscription *subscription)
{
    if (!subscription)
        return;
    free(subscription->id);
    free(subscription->customer);
    free(subscription->currency);
    free(subscription->series);
    free(subscription->source);
    *subscription = (struct mr_subscription){0};
}

/* A period's last day is the one before the next begins. */
struct lines {
    json_t *list;
    const char *start;
    char last[MR_DAY];
};

static enum mr_code on_item(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct lines *lines = arg;
    char *text = mr_asprintf("%.*s (%s \xe2\x80\x93 %s)", (int)row->values[0].len,
                             row->values[0].at, lines->start, lines->last);
    json_t *line = json_pack("{s:s, s:I, s:I, s:I}", "text", text, "quantity",
                             (json_int_t)mr_issued_integer(row->values[1]), "unit_minor",
                             (json_int_t)mr_issued_integer(row->values[2]), "tax_bp",
                             (json_int_t)mr_issued_integer(row->values[3]));

    free(text);
    if (!line)
        return mr_fail(err, MR_EINVAL, "a text in billing_subscription_items is no UTF-8");
    json_array_append_new(lines->list, line);
    return MR_OK;
}

enum mr_code mr_subscription_lines(struct mr_mysql_conn *conn, const char *id,
                                   const char *start, const char *end, json_t **out,
                                   struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(id);
    struct lines lines = {.list = json_array(), .start = start};

    mr_day_add(end, -1, lines.last);
    enum mr_code code =
        mr_mysql_query(conn,
                       "SELECT text, quantity, unit_minor, tax_bp FROM "
                       "billing_subscription_items WHERE subscription = ? ORDER BY line_no",
                       &value, 1, NULL, on_item, &lines, err);
    if (code == MR_OK)
        *out = lines.list;
    else
        json_decref(lines.list);
    return code;
}

/* As text, since FROM_UNIXTIME ends in 2038. */
static struct mr_sql_value instant(int64_t at_s, char *room)
{
    time_t at = (time_t)at_s;
    struct tm tm;

    if (at_s == MR_NEXT_NEVER)
        return mr_sql_null();
    gmtime_r(&at, &tm);
    strftime(room, INSTANT, "%Y-%m-%d %H:%M:%S", &tm);
    return mr_sql_text(room);
}

enum mr_code mr_subscription_update(struct mr_mysql_conn *conn,
                                    const struct mr_subscription *subscription,
                                    int64_t next_at_s, struct mr_err *err)
{
    const char *start = subscription->period_start;
    bool keep = next_at_s == MR_NEXT_AS_IT_IS;
    char room[INSTANT];
    const struct mr_sql_value values[] = {
        mr_sql_text(mr_subscription_state_name(subscription->state)),
        mr_sql_text(*start ? start : NULL),
        mr_sql_text(subscription->period_end),
        mr_sql_int(keep),
        instant(keep ? MR_NEXT_NEVER : next_at_s, room),
        mr_sql_text(subscription->id)};

    return mr_mysql_run(conn,
                        "UPDATE billing_subscriptions SET state = ?, period_start = ?, "
                        "period_end = ?, next_action_at = IF(?, next_action_at, ?) "
                        "WHERE id = ?",
                        values, MR_COUNT(values), NULL, NULL, err);
}

struct standing {
    int64_t dunned, unpaid;
};

static enum mr_code on_standing(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct standing *standing = arg;

    (void)err;
    standing->dunned = mr_issued_integer(row->values[0]);
    standing->unpaid = mr_issued_integer(row->values[1]);
    return MR_OK;
}

enum mr_code mr_subscription_stand(struct mr_mysql_conn *conn,
                                   struct mr_subscription *subscription, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(subscription->id);
    struct standing standing = {0};
    enum mr_code code =
        mr_mysql_query(conn,
                       "SELECT SUM(state = 'dunned'), SUM(state = 'unpaid') FROM "
                       "billing_subscription_periods WHERE subscription = ?",
                       &value, 1, NULL, on_standing, &standing, err);

    if (code == MR_OK && subscription->state != MR_SUBSCRIPTION_TRIALING &&
        subscription->state != MR_SUBSCRIPTION_ENDED)
        subscription->state = mr_dunning_standing(standing.dunned, standing.unpaid);
    return code;
}

/* ---- its periods ---- */

struct found_period {
    struct mr_period *period;
    bool any;
};

static enum mr_code on_period(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct found_period *found = arg;
    struct mr_period *out = found->period;

    (void)err;
    found->any = true;
    copy_day(row->values[0], out->start);
    copy_day(row->values[1], out->end);
    out->invoice = text_of(row->values[2]);
    out->state = mr_period_state_of(row->values[3].at, row->values[3].len);
    out->step = (unsigned)mr_issued_integer(row->values[4]);
    out->source = text_of(row->values[5]);
    out->first_refused_at_s = mr_issued_integer(row->values[6]);
    out->invoiced_by = text_of(row->values[7]);
    out->moved_by = text_of(row->values[8]);
    return MR_OK;
}

#define SELECT_PERIOD                                                                          \
    "SELECT period_start, period_end, invoice, state, step, source, "                          \
    "TIMESTAMPDIFF(SECOND, '1970-01-01', first_refused_at), invoiced_by, moved_by "            \
    "FROM billing_subscription_periods "

static enum mr_code find_period(struct mr_mysql_conn *conn, const char *sql,
                                const struct mr_sql_value *values, unsigned n,
                                struct mr_period *out, struct mr_err *err)
{
    struct mr_period period = {0};
    struct found_period found = {.period = &period};
    enum mr_code code = mr_mysql_query(conn, sql, values, n, NULL, on_period, &found, err);

    if (code == MR_OK && !found.any)
        code = mr_fail(err, MR_ENOTFOUND, "no such period was invoiced");
    if (code == MR_OK && period.state == MR_PERIOD_STATES)
        code = mr_fail(err, MR_EINVAL, "period %s of %s has no state", period.start,
                       period.invoice);
    if (code == MR_OK)
        *out = period;
    else
        mr_period_fini(&period);
    return code;
}

enum mr_code mr_period_find(struct mr_mysql_conn *conn, const char *id, const char *start,
                            struct mr_period *out, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(id), mr_sql_text(start)};

    return find_period(conn, SELECT_PERIOD "WHERE subscription = ? AND period_start = ?",
                       values, MR_COUNT(values), out, err);
}

enum mr_code mr_period_find_invoice(struct mr_mysql_conn *conn, const char *invoice,
                                    struct mr_period *out, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(invoice);

    return find_period(conn, SELECT_PERIOD "WHERE invoice = ?", &value, 1, out, err);
}

void mr_period_fini(struct mr_period *period)
{
    if (!period)
        return;
    free(period->invoice);
    free(period->source);
    free(period->invoiced_by);
    free(period->moved_by);
    *period = (struct mr_period){0};
}

enum mr_code mr_period_insert(struct mr_mysql_conn *conn, const char *id,
                              const struct mr_period *period, int64_t next_at_s,
                              struct mr_err *err)
{
    char room[INSTANT];
    const struct mr_sql_value values[] = {mr_sql_text(id),
                                          mr_sql_text(period->start),
                                          mr_sql_text(period->end),
                                          mr_sql_text(period->invoice),
                                          mr_sql_text(mr_period_state_name(period->state)),
                                          mr_sql_text(period->invoiced_by),
                                          instant(next_at_s, room)};

    return mr_mysql_run(conn,
                        "INSERT INTO billing_subscription_periods (subscription, "
                        "period_start, period_end, invoice, state, invoiced_by, "
                        "next_action_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        values, MR_COUNT(values), NULL, NULL, err);
}

enum mr_code mr_period_update(struct mr_mysql_conn *conn, const char *id,
                              const struct mr_period *period, int64_t next_at_s,
                              struct mr_err *err)
{
    int64_t refused_at_s = period->first_refused_at_s;
    char refused[INSTANT], next[INSTANT];
    const struct mr_sql_value values[] = {
        mr_sql_text(mr_period_state_name(period->state)),
        mr_sql_int(period->step),
        mr_sql_text(period->source),
        instant(refused_at_s ? refused_at_s : MR_NEXT_NEVER, refused),
        mr_sql_text(period->moved_by),
        instant(next_at_s, next),
        mr_sql_text(id),
        mr_sql_text(period->start)};

    return mr_mysql_run(conn,
                        "UPDATE billing_subscription_periods SET state = ?, step = ?, source "
                        "= ?, first_refused_at = ?, moved_by = ?, next_action_at = ? "
                        "WHERE subscription = ? AND period_start = ?",
                        values, MR_COUNT(values), NULL, NULL, err);
}

/* What is open of their invoices is nothing, or less. */
static const char settle_unpaid[] =
    "UPDATE billing_subscription_periods p JOIN billing_invoices i ON i.uuid = p.invoice "
    "SET p.state = 'paid', p.next_action_at = NULL "
    "WHERE p.subscription = ? AND p.state = 'unpaid' AND i.total_minor "
    "+ (SELECT COALESCE(SUM(n.total_minor), 0) FROM billing_credits c "
    "JOIN billing_invoices n ON n.uuid = c.uuid WHERE c.invoice = i.uuid) "
    "+ (SELECT COALESCE(SUM(r.amount_minor), 0) FROM billing_refunds r "
    "WHERE r.invoice = i.uuid AND r.state = 'ok') "
    "<= (SELECT COALESCE(SUM(h.amount_minor), 0) FROM billing_charges h "
    "WHERE h.invoice = i.uuid AND h.state = 'ok')";

enum mr_code mr_period_settle(struct mr_mysql_conn *conn, const char *id, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(id);

    return mr_mysql_run(conn, settle_unpaid, &value, 1, NULL, NULL, err);
}

/* ---- names ---- */

void mr_subscription_renew_uuid(const char *id, const char *day, char *out)
{
    snprintf(out, MR_SUBSCRIPTION_UUID, "renew-%.40s-%.4s%.2s%.2s", id, day, day + 5, day + 8);
}

void mr_subscription_dun_uuid(const char *id, const char *start, unsigned step, char *out)
{
    snprintf(out, MR_SUBSCRIPTION_UUID, "dun-%.40s-%.4s%.2s%.2s-%u", id, start, start + 5,
             start + 8, step % 100);
}
