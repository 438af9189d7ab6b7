#include "ops/workerctl/undecided.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

/* One that is being sent for so long has lost its worker: it is unknown and nobody wrote it down. */
#define LIST_OF(kind, table)                                                                   \
    "SELECT '" kind "', c.uuid, COALESCE(i.printed, c.invoice), c.state, c.amount_minor, "     \
    "c.currency, c.provider_id, TIMESTAMPDIFF(SECOND, COALESCE(c.first_sent_at, "              \
    "c.updated_at), CURRENT_TIMESTAMP), c.message FROM " table " c "                           \
    "LEFT JOIN billing_invoices i ON i.uuid = c.invoice WHERE c.state IN ('unknown', 'held') " \
    "OR (c.state = 'sending' AND c.updated_at < CURRENT_TIMESTAMP - INTERVAL 10 MINUTE) "
static const char list_sql[] = LIST_OF("charge", "billing_charges") "UNION ALL " LIST_OF(
    "refund", "billing_refunds") "ORDER BY 8 DESC, 2";

enum column { KIND, UUID, INVOICE, STATE, AMOUNT, CURRENCY, PROVIDER_ID, AGE, MESSAGE };

static json_t *describe(MYSQL_ROW row)
{
    return json_pack("{s:s, s:s, s:s?, s:s, s:I, s:s, s:s?, s:I, s:s?}", "kind", row[KIND],
                     "uuid", row[UUID], "invoice", row[INVOICE], "state", row[STATE],
                     "amount_minor", (json_int_t)atoll(row[AMOUNT]), "currency", row[CURRENCY],
                     "provider_id", row[PROVIDER_ID], "age_s",
                     (json_int_t)(row[AGE] ? atoll(row[AGE]) : 0), "message", row[MESSAGE]);
}

enum mr_code mr_undecided_list(struct mr_database *database, json_t **out, struct mr_err *err)
{
    MYSQL_RES *result = NULL;
    enum mr_code code = mr_database_ask(database, list_sql, &result, err);

    if (code != MR_OK)
        return code;
    *out = json_array();
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));)
        json_array_append_new(*out, describe(row));
    mysql_free_result(result);
    return MR_OK;
}

/* ---- a decision ---- */

/* Whose money goes which way. */
struct kind {
    const char *name, *table, *job;
    const char *of; /* the column that its inbox row names it after, as its job does */
    int sign;       /* of the cash */
};

static const struct kind kinds[] = {
    {"charge", "billing_charges", "billing.charge", "invoice", 1 },
    {"refund", "billing_refunds", "billing.refund", "charge",  -1},
};

/*
 * The statements of a decision, in their order; each reads what it writes from the row itself, so that nobody has to repeat an amount. Words are quoted.
 */
static const char record_sql[] =
    "INSERT INTO billing_decisions (kind, uuid, decision, provider_id, reason, decided_by) "
    "SELECT '%s', uuid, %s, %s, message, %s FROM %s WHERE uuid = %s";
static const char inbox_sql[] =
    "INSERT INTO millrace_inbox (uuid, job, result) SELECT uuid, '%s', CONCAT('{\"%s\":\"', "
    "%s, '\",\"amount_minor\":', amount_minor, '}') FROM %s WHERE uuid = %s";
static const char ledger_sql[] =
    "INSERT INTO billing_ledger (uuid, account, currency, amount_minor) "
    "SELECT c.uuid, 'cash', c.currency, %d * c.amount_minor FROM %s c WHERE c.uuid = "
    "%s UNION ALL SELECT c.uuid, CONCAT('receivable:', i.customer), c.currency, "
    "%d * c.amount_minor FROM %s c JOIN billing_invoices i ON i.uuid = c.invoice "
    "WHERE c.uuid = %s";
static const char ok_sql[] =
    "UPDATE %s SET state = 'ok', provider_id = COALESCE(%s, provider_id), code = "
    "NULL, message = NULL WHERE uuid = %s";
static const char refused_sql[] =
    "UPDATE %s SET state = 'refused', provider_id = COALESCE(%s, provider_id), "
    "code = 'decided', message = LEFT(CONCAT('decided by ', %s, '; it had been held: ', "
    "COALESCE(message, '')), 500) WHERE uuid = %s";

/* The words of a decision, quoted. */
struct words {
    const struct kind *kind;
    char *uuid, *provider_id, *by;
};

static enum mr_code run(struct mr_database *database, char *sql, uint64_t *out_changed,
                        struct mr_err *err)
{
    enum mr_code code = mr_database_do(database, sql, out_changed, err);

    free(sql);
    return code;
}

/* Its row stays locked: no worker and no second person decides meanwhile. The caller frees *out_state, NULL where there is no such row. */
static enum mr_code lock(struct mr_database *database, const struct words *words,
                         char **out_state, struct mr_err *err)
{
    char *sql = mr_asprintf("SELECT state FROM %s WHERE uuid = %s FOR UPDATE",
                            words->kind->table, words->uuid);
    enum mr_code code = mr_database_value(database, sql, out_state, err);

    free(sql);
    return code;
}

static enum mr_code check_state(const struct words *words, const char *uuid, const char *state,
                                struct mr_err *err)
{
    bool decided = strcmp(state, "ok") == 0 || strcmp(state, "refused") == 0;

    if (strcmp(state, "held") == 0)
        return MR_OK;
    return mr_fail(err, MR_EREFUSED, "%s %s is %s, and only what is held waits for a person%s",
                   words->kind->name, uuid, state,
                   decided ? "" : ": its job finds out by itself, retry it when it is dead");
}

static enum mr_code lock_held(struct mr_database *database, struct words *words,
                              const char *uuid, struct mr_err *err)
{
    char *state = NULL;
    enum mr_code code = MR_OK;

    for (size_t i = 0; code == MR_OK && !state && i < MR_COUNT(kinds); i++) {
        words->kind = &kinds[i];
        code = lock(database, words, &state, err);
    }
    if (code == MR_OK && !state)
        code = mr_fail(err, MR_ENOTFOUND,
                       "there is no charge %s in billing_charges, and no such refund in "
                       "billing_refunds",
                       uuid);
    else if (code == MR_OK)
        code = check_state(words, uuid, state, err);
    free(state);
    return code;
}

static enum mr_code book(struct mr_database *database, const struct words *words,
                         const char *uuid, struct mr_err *err)
{
    const struct kind *kind = words->kind;
    uint64_t rows = 0;
    enum mr_code code =
        run(database,
            mr_asprintf(inbox_sql, kind->job, kind->of, kind->of, kind->table, words->uuid),
            NULL, err);

    if (code == MR_EEXIST)
        return mr_fail(err, MR_EREFUSED,
                       "millrace_inbox has %s already: see workerctl billing audit", uuid);
    if (code == MR_OK)
        code = run(database,
                   mr_asprintf(ledger_sql, kind->sign, kind->table, words->uuid, -kind->sign,
                               kind->table, words->uuid),
                   &rows, err);
    if (code == MR_OK && rows != 2)
        return mr_fail(err, MR_EREFUSED,
                       "%s %s is for an invoice that is not there: see workerctl billing "
                       "audit",
                       kind->name, uuid);
    if (code == MR_OK)
        code = run(database, mr_asprintf(ok_sql, kind->table, words->provider_id, words->uuid),
                   NULL, err);
    return code;
}

static enum mr_code decide(struct mr_database *database, struct mr_decision *decision,
                           struct words *words, struct mr_err *err)
{
    enum mr_code code = lock_held(database, words, decision->uuid, err);

    decision->kind = words->kind->name;
    if (code == MR_OK)
        code =
            run(database,
                mr_asprintf(record_sql, words->kind->name, decision->ok ? "'ok'" : "'refused'",
                            words->provider_id, words->by, words->kind->table, words->uuid),
                NULL, err);
    if (code == MR_OK && decision->ok)
        code = book(database, words, decision->uuid, err);
    else if (code == MR_OK)
        code = run(database,
                   mr_asprintf(refused_sql, words->kind->table, words->provider_id, words->by,
                               words->uuid),
                   NULL, err);
    return code;
}

enum mr_code mr_undecided_resolve(struct mr_database *database, struct mr_decision *decision,
                                  struct mr_err *err)
{
    struct words words = {.uuid = mr_database_quote(database, decision->uuid),
                          .provider_id = mr_database_quote(database, decision->provider_id),
                          .by = mr_database_quote(database, decision->by)};
    enum mr_code code = mr_database_do(database, "START TRANSACTION", NULL, err);

    if (code == MR_OK)
        code = decide(database, decision, &words, err);
    if (code == MR_OK) {
        code = mr_database_do(database, "COMMIT", NULL, err);
        if (code == MR_EDOWN)
            code = mr_fail(err, MR_EUNKNOWN,
                           "the connection broke inside COMMIT: workerctl billing unknown "
                           "tells whether it was done");
    } else {
        mr_database_do(database, "ROLLBACK", NULL, NULL);
    }
    free(words.uuid);
    free(words.provider_id);
    free(words.by);
    return code;
}
