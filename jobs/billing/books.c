#include "jobs/billing/books.h"

#include "jobs/billing/money.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum mr_code mr_books_check_uuid(const char *uuid, struct mr_err *err)
{
    size_t len = strlen(uuid);

    if (len == 0)
        return mr_fail(err, MR_EINVAL,
                       "the job has no uuid: without a name of its producer it could happen "
                       "twice, so push it with one");
    if (len > MR_BOOKS_UUID_MAX ||
        strspn(uuid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") !=
            len)
        return mr_fail(err, MR_EINVAL,
                       "uuid: only 1 to %d letters, digits, '-', '_', '.' and ':' can name "
                       "what must not happen twice",
                       MR_BOOKS_UUID_MAX);
    return MR_OK;
}

enum mr_code mr_books_receive(struct mr_mysql_conn *conn, const char *uuid, const char *job,
                              const char *result, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(uuid), mr_sql_text(job),
                                          mr_sql_text(result)};

    return mr_mysql_run(conn, "INSERT INTO millrace_inbox (uuid, job, result) VALUES (?, ?, ?)",
                        values, MR_COUNT(values), NULL, NULL, err);
}

struct seen {
    const char *uuid, *job;
    bool found;
};

static enum mr_code on_inbox_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct seen *seen = arg;

    if (!mr_bytes_is(row->values[0], seen->job))
        return mr_fail(err, MR_EINVAL,
                       "uuid %s: millrace_inbox has it as a %.*s already; each job needs a "
                       "uuid of its own",
                       seen->uuid, (int)row->values[0].len, row->values[0].at);
    seen->found = true;
    return MR_OK;
}

enum mr_code mr_books_seen(struct mr_mysql_conn *conn, const char *uuid, const char *job,
                           bool *out, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(uuid);
    struct seen seen = {.uuid = uuid, .job = job};
    enum mr_code code = mr_mysql_query(conn, "SELECT job FROM millrace_inbox WHERE uuid = ?",
                                       &value, 1, NULL, on_inbox_row, &seen, err);

    if (code == MR_OK)
        *out = seen.found;
    return code;
}

static bool is_balanced(const struct mr_booking *bookings, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (!mr_money_add(sum, bookings[i].amount_minor, &sum))
            return false;
    return sum == 0;
}

enum mr_code mr_books_enter(struct mr_mysql_conn *conn, const char *uuid, const char *currency,
                            const struct mr_booking *bookings, size_t n, struct mr_err *err)
{
    enum mr_code code = MR_OK;

    if (!is_balanced(bookings, n))
        return mr_fail(err, MR_EFAULT,
                       "the ledger rows of %s do not sum to 0; nothing was written", uuid);
    for (size_t i = 0; code == MR_OK && i < n; i++) {
        const struct mr_sql_value values[] = {
            mr_sql_text(uuid), mr_sql_text(bookings[i].account), mr_sql_text(currency),
            mr_sql_int(bookings[i].amount_minor)};

        code = mr_mysql_run(conn,
                            "INSERT INTO billing_ledger (uuid, account, currency, "
                            "amount_minor) VALUES (?, ?, ?, ?)",
                            values, MR_COUNT(values), NULL, NULL, err);
    }
    return code;
}

static enum mr_code on_entry(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    (void)row, (void)err;
    *(bool *)arg = true;
    return MR_OK;
}

enum mr_code mr_books_entered(struct mr_mysql_conn *conn, const char *uuid, bool *out,
                              struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(uuid);
    bool entered = false;
    enum mr_code code =
        mr_mysql_query(conn, "SELECT 1 FROM billing_ledger WHERE uuid = ? LIMIT 1", &value, 1,
                       NULL, on_entry, &entered, err);

    if (code == MR_OK)
        *out = entered;
    return code;
}

void mr_books_receivable(const char *customer, char *out)
{
    snprintf(out, MR_BOOKS_ACCOUNT, "receivable:%s", customer);
}
