#include "jobs/billing/issue.h"

#include "jobs/billing/books.h"
#include "jobs/billing/issued.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JOB "billing.invoice"

enum { RESULT_MAX = 200, PDF_KEY_MAX = 96, LINE_COLUMNS = 8, LINES_AT_ONCE = 20 };

#define INSERT_LINES                                                                           \
    "INSERT INTO billing_invoice_lines (invoice, line_no, text, quantity, unit_minor, "        \
    "tax_bp, net_minor, tax_minor) VALUES "
#define ONE_LINE "(?, ?, ?, ?, ?, ?, ?, ?)"
#define FIVE_LINES ONE_LINE ", " ONE_LINE ", " ONE_LINE ", " ONE_LINE ", " ONE_LINE

struct issue {
    const char *uuid;
    const struct mr_invoice *invoice;
    bool *began;
    bool is_customer; /* there is one of this name */
    bool received;    /* the inbox has had it before */
};

static enum mr_code receive(struct issue *issue, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct mr_invoice *invoice = issue->invoice;
    char result[RESULT_MAX];

    snprintf(result, sizeof(result),
             "{\"invoice\":\"%s\",\"currency\":\"%s\",\"total_minor\":%" PRId64 "}",
             issue->uuid, invoice->currency->code, invoice->total_minor);
    enum mr_code code = mr_books_receive(conn, issue->uuid, JOB, result, err);
    issue->received = code == MR_EEXIST;
    return code;
}

static enum mr_code on_customer(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct issue *issue = arg;

    (void)err;
    issue->is_customer = mr_bytes_is(row->values[0], issue->invoice->customer);
    return MR_OK;
}

/* The foreign key would refuse a stranger too, but not in words, and to SQL's = blanks at the end are nothing. */
static enum mr_code find_customer(struct issue *issue, struct mr_mysql_conn *conn,
                                  struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(issue->invoice->customer);

    issue->is_customer = false;
    enum mr_code code = mr_mysql_query(conn, "SELECT id FROM billing_customers WHERE id = ?",
                                       &value, 1, NULL, on_customer, issue, err);
    if (code == MR_OK && !issue->is_customer)
        return mr_fail(err, MR_EINVAL,
                       "data.customer \"%s\": there is no such customer in billing_customers",
                       issue->invoice->customer);
    return code;
}

static enum mr_code book(const struct issue *issue, struct mr_mysql_conn *conn,
                         struct mr_err *err)
{
    const struct mr_invoice *invoice = issue->invoice;
    char receivable[MR_BOOKS_ACCOUNT];
    const struct mr_booking bookings[] = {
        {receivable, invoice->total_minor},
        {"revenue",  -invoice->net_minor },
        {"tax",      -invoice->tax_minor },
    };

    mr_books_receivable(invoice->customer, receivable);
    return mr_books_enter(conn, issue->uuid, invoice->currency->code, bookings,
                          MR_COUNT(bookings), err);
}

static enum mr_code on_number(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    (void)err;
    *(int64_t *)arg = mr_issued_integer(row->values[0]);
    return MR_OK;
}

/*
 * The first statement makes the series or takes its row, in one step, so that two first invoices cannot both make it. From there to the end
 * of the transaction nobody else gets a number of this series: a number is used, or was never given.
 */
static enum mr_code take_number(const char *series, struct mr_mysql_conn *conn,
                                int64_t *out_number, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(series);
    enum mr_code code =
        mr_mysql_run(conn,
                     "INSERT INTO billing_series (name, last_number) VALUES (?, 1) "
                     "ON DUPLICATE KEY UPDATE last_number = last_number + 1",
                     &value, 1, NULL, NULL, err);

    if (code != MR_OK)
        return code;
    return mr_mysql_query(conn,
                          "SELECT last_number FROM billing_series WHERE name = ? FOR UPDATE",
                          &value, 1, NULL, on_number, out_number, err);
}

static enum mr_code insert_head(const struct issue *issue, int64_t number,
                                struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct mr_invoice *invoice = issue->invoice;
    char key[PDF_KEY_MAX];

    snprintf(key, sizeof(key), "invoices/%s/%06" PRId64 ".pdf", invoice->series, number);
    const struct mr_sql_value values[] = {
        mr_sql_text(issue->uuid),
        mr_sql_text(invoice->series),
        mr_sql_int(number),
        mr_sql_text(invoice->customer),
        mr_sql_text(invoice->currency->code),
        mr_sql_int(invoice->net_minor),
        mr_sql_int(invoice->tax_minor),
        mr_sql_int(invoice->total_minor),
        mr_sql_text(key),
    };
    enum mr_code code =
        mr_mysql_run(conn,
                     "INSERT INTO billing_invoices (uuid, series, number, customer, currency, "
                     "net_minor, tax_minor, total_minor, pdf_key) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     values, MR_COUNT(values), NULL, NULL, err);
    if (code == MR_EEXIST)
        return mr_fail(err, MR_EFAULT,
                       "billing_invoices has %s or number %" PRId64
                       " of series %s already, against millrace_inbox and billing_series: "
                       "somebody has changed these tables",
                       issue->uuid, number, invoice->series);
    return code;
}

/* Twenty at once while there are as many, so that the series is soon free again; two statements in all to be prepared. */
static enum mr_code insert_lines(const struct issue *issue, struct mr_mysql_conn *conn,
                                 struct mr_err *err)
{
    static const char one[] = INSERT_LINES ONE_LINE;
    static const char twenty[] =
        INSERT_LINES FIVE_LINES ", " FIVE_LINES ", " FIVE_LINES ", " FIVE_LINES;
    struct mr_sql_value values[LINES_AT_ONCE * LINE_COLUMNS];
    size_t n_lines = issue->invoice->n_lines;
    enum mr_code code = MR_OK;

    for (size_t at = 0, n = 1; code == MR_OK && at < n_lines; at += n) {
        struct mr_sql_value *value = values;

        n = n_lines - at >= LINES_AT_ONCE ? LINES_AT_ONCE : 1;
        for (size_t i = at; i < at + n; i++) {
            const struct mr_invoice_line *line = &issue->invoice->lines[i];

            *value++ = mr_sql_text(issue->uuid);
            *value++ = mr_sql_int((int64_t)i + 1);
            *value++ = mr_sql_text(line->text);
            *value++ = mr_sql_int(line->quantity);
            *value++ = mr_sql_int(line->unit_minor);
            *value++ = mr_sql_int(line->tax_bp);
            *value++ = mr_sql_int(line->net_minor);
            *value++ = mr_sql_int(line->tax_minor);
        }
        code = mr_mysql_run(conn, n == 1 ? one : twenty, values, (unsigned)n * LINE_COLUMNS,
                            NULL, NULL, err);
    }
    return code;
}

/* Everything that needs no number comes first: the series is the one thing that all invoices queue for. */
static enum mr_code issue_it(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct issue *issue = arg;
    int64_t number = 0;

    *issue->began = true;
    enum mr_code code = receive(issue, conn, err);
    if (code == MR_OK)
        code = find_customer(issue, conn, err);
    if (code == MR_OK)
        code = book(issue, conn, err);
    if (code == MR_OK)
        code = take_number(issue->invoice->series, conn, &number, err);
    if (code == MR_OK)
        code = insert_head(issue, number, conn, err);
    if (code == MR_OK)
        code = insert_lines(issue, conn, err);
    return code;
}

static bool is_same(const struct mr_invoice *a, const struct mr_invoice *b)
{
    return a->total_minor == b->total_minor && a->net_minor == b->net_minor &&
           a->currency == b->currency && strcmp(a->customer, b->customer) == 0 &&
           strcmp(a->series, b->series) == 0;
}

/* What an earlier attempt did is the answer, if it was asked for the same. */
static enum mr_code compare_with_earlier(const struct issue *issue, struct mr_mysql *mysql,
                                         struct mr_job *job, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_issued issued = {0};
    bool seen = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_books_seen(conn, issue->uuid, JOB, &seen, err);
    if (code == MR_OK)
        code = mr_issued_find(conn, issue->uuid, &issued, err);
    mr_mysql_give(conn);
    if (code == MR_ENOTFOUND)
        code = mr_fail(err, MR_EFAULT,
                       "millrace_inbox says that %s was issued, but billing_invoices has no "
                       "such row: somebody has changed these tables",
                       issue->uuid);
    if (code == MR_OK && !is_same(&issued.invoice, issue->invoice))
        code = mr_fail(err, MR_EINVAL,
                       "uuid %s has issued %s already, for another customer, series or sum: "
                       "each invoice needs a uuid of its own",
                       issue->uuid, issued.printed);
    mr_issued_fini(&issued);
    return code;
}

enum mr_code mr_issue(struct mr_mysql *mysql, struct mr_job *job, const char *uuid,
                      const struct mr_invoice *invoice, bool *out_began, struct mr_err *err)
{
    struct issue issue = {.uuid = uuid, .invoice = invoice, .began = out_began};
    enum mr_code code = mr_mysql_transact(mysql, job, issue_it, &issue, err);

    if (code == MR_EEXIST && issue.received)
        return compare_with_earlier(&issue, mysql, job, err);
    return code;
}
