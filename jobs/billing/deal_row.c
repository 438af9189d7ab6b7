/* The row of a deal, and its ways to the books. */
#include "jobs/billing/books.h"
#include "jobs/billing/deal.h"
#include "jobs/billing/issued.h"
#include "proto/base/mem.h"

#include <stdio.h>

enum { SQL_MAX = 300, RESULT_MAX = 200 };

static const char *const state_names[] = {
    [MR_DEAL_SENDING] = "sending", [MR_DEAL_OK] = "ok",     [MR_DEAL_REFUSED] = "refused",
    [MR_DEAL_UNKNOWN] = "unknown", [MR_DEAL_HELD] = "held",
};

enum column { STATE, MESSAGE, AGE_MS };

enum mr_deal_state mr_deal_state_of(struct mr_bytes name)
{
    for (size_t i = 0; i < MR_COUNT(state_names); i++)
        if (mr_bytes_is(name, state_names[i]))
            return (enum mr_deal_state)i;
    return MR_DEAL_HELD; /* not one of ours */
}

void mr_deal_read_row(struct mr_deal *deal, const struct mr_bytes *values)
{
    deal->state = mr_deal_state_of(values[STATE]);
    deal->age_ms = mr_issued_integer(values[AGE_MS]);
    snprintf(deal->why, sizeof(deal->why), "%.*s",
             (int)(values[MESSAGE].at ? values[MESSAGE].len : 0),
             values[MESSAGE].at ? values[MESSAGE].at : "");
}

void mr_deal_is_new(struct mr_deal *deal)
{
    deal->state = MR_DEAL_SENDING;
    deal->fresh = true;
    deal->age_ms = 0;
}

enum mr_code mr_deal_check_unused(const struct mr_deal *deal, struct mr_mysql_conn *conn,
                                  struct mr_err *err)
{
    bool seen = false;
    enum mr_code code = mr_books_seen(conn, deal->uuid, deal->kind->job, &seen, err);

    if (code == MR_OK && seen)
        return mr_fail(err, MR_EFAULT,
                       "millrace_inbox says of %s that %s, but %s has no such row: somebody "
                       "has changed these tables",
                       deal->uuid, deal->kind->happened, deal->kind->table);
    return code;
}

/* ---- the ends ---- */

struct ending {
    struct mr_deal *deal;
    enum mr_deal_state state;
    const char *provider_id, *code, *message;
};

static enum mr_code settle(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct ending *ending = arg;
    const struct mr_deal *deal = ending->deal;
    const struct mr_sql_value values[] = {mr_sql_text(ending->provider_id),
                                          mr_sql_text(deal->uuid)};
    char result[RESULT_MAX], sql[SQL_MAX];
    bool entered = false;

    deal->kind->print_result(deal, result, sizeof(result));
    snprintf(sql, sizeof(sql),
             "UPDATE %s SET state = 'ok', provider_id = COALESCE(?, provider_id), code = NULL, "
             "message = NULL WHERE uuid = ?",
             deal->kind->table);
    enum mr_code code = mr_books_receive(conn, deal->uuid, deal->kind->job, result, err);
    if (code == MR_OK)
        code = mr_mysql_run(conn, sql, values, MR_COUNT(values), NULL, NULL, err);
    /* The inbox may be pruned, and a job older than it come back: the ledger forgets nothing. */
    if (code == MR_OK)
        code = mr_books_entered(conn, deal->uuid, &entered, err);
    if (code == MR_OK && !entered)
        code = deal->kind->enter(deal, conn, err);
    return code;
}

/* It is in the books already; unless its uuid got there as another job's, which only a person can mend. */
static enum mr_code confirm_settled(struct mr_mysql *mysql, struct mr_job *job,
                                    const struct mr_deal *deal, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    bool seen = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_books_seen(conn, deal->uuid, deal->kind->job, &seen, err);
    mr_mysql_give(conn);
    return code;
}

enum mr_code mr_deal_settle(struct mr_mysql *mysql, struct mr_job *job, struct mr_deal *deal,
                            const char *provider_id, struct mr_err *err)
{
    struct ending ending = {.deal = deal, .provider_id = provider_id};
    enum mr_code code = mr_mysql_transact(mysql, job, settle, &ending, err);

    return code == MR_EEXIST ? confirm_settled(mysql, job, deal, err) : code;
}

static enum mr_code note(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct ending *ending = arg;
    const struct mr_sql_value values[] = {
        mr_sql_text(state_names[ending->state]), mr_sql_text(ending->provider_id),
        mr_sql_text(ending->code), mr_sql_text(ending->message),
        mr_sql_text(ending->deal->uuid)};
    char sql[SQL_MAX];

    snprintf(sql, sizeof(sql),
             "UPDATE %s SET state = ?, provider_id = COALESCE(?, provider_id), code = ?, "
             "message = ? WHERE uuid = ? AND state IN ('sending', 'unknown')",
             ending->deal->kind->table);
    return mr_mysql_run(conn, sql, values, MR_COUNT(values), NULL, NULL, err);
}

enum mr_code mr_deal_note(struct mr_mysql *mysql, struct mr_job *job, struct mr_deal *deal,
                          enum mr_deal_state state, const struct mr_payment_answer *answer,
                          struct mr_err *err)
{
    struct ending ending = {
        .deal = deal,
        .state = state,
        .provider_id = *answer->id ? answer->id : NULL,
        .code = *answer->code ? answer->code : NULL,
        .message = answer->message,
    };

    return mr_mysql_transact(mysql, job, note, &ending, err);
}
