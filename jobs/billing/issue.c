#include "jobs/billing/issue.h"

#include "jobs/billing/books.h"
#include "jobs/billing/issued.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JOB "billing.invoice"

enum { RESULT_MAX = 200, PDF_KEY_MAX = 100, LINE_COLUMNS = 8, LINES_AT_ONCE = 20 };

#define INSERT_LINES                                                                           \
    "INSERT INTO billing_invoice_lines (invoice, line_no, text, quantity, unit_minor, "        \
    "tax_bp, net_minor, tax_minor) VALUES "
#define ONE_LINE "(?, ?, ?, ?, ?, ?, ?, ?)"
#define FIVE_LINES ONE_LINE ", " ONE_LINE ", " ONE_LINE ", " ONE_LINE ", " ONE_LINE

/* One issuing, on its way through its statements. */
struct issue {
    const struct mr_terms *terms;
    const char *uuid;
    const struct mr_invoice *invoice;
    bool is_customer; /* there is one of this name */
    int64_t now_s;    /* the database's clock: one for all hosts */
    char date[MR_DAY], due[MR_DAY];
    unsigned year; /* whose numbers it takes from; 0: numbers go on from year to year */
    int64_t number;
};

static enum mr_code on_customer(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct issue *issue = arg;

    (void)err;
    issue->is_customer = mr_bytes_is(row->values[0], issue->invoice->customer);
    issue->now_s = mr_issued_integer(row->values[1]);
    return MR_OK;
}

/* The foreign key would refuse a stranger too, but not in words, and to SQL's = blanks at the end are nothing. */
static enum mr_code find_customer(struct issue *issue, struct mr_mysql_conn *conn,
                                  struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(issue->invoice->customer);
    enum mr_code code = mr_mysql_query(
        conn, "SELECT id, FLOOR(UNIX_TIMESTAMP()) FROM billing_customers WHERE id = ?", &value,
        1, NULL, on_customer, issue, err);

    if (code == MR_OK && !issue->is_customer)
        return mr_fail(err, MR_EINVAL,
                       "data.customer \"%s\": there is no such customer in billing_customers",
                       issue->invoice->customer);
    return code;
}

/* The days that the invoice does not say itself. Written alike, they compare as texts. */
static enum mr_code set_days(struct issue *issue, struct mr_err *err)
{
    const struct mr_invoice *invoice = issue->invoice;
    const struct mr_terms *terms = issue->terms;

    memcpy(issue->date, invoice->date, sizeof(issue->date));
    memcpy(issue->due, invoice->due, sizeof(issue->due));
    if (!*issue->date)
        mr_zone_day(terms->zone, issue->now_s, issue->date);
    if (!*issue->due && terms->due_days != MR_TERMS_NO_DUE)
        mr_day_add(issue->date, (unsigned)terms->due_days, issue->due);
    if (*issue->due && strcmp(issue->due, issue->date) < 0)
        return mr_fail(err, MR_EINVAL, "data.due %s is before the invoice's date, %s",
                       issue->due, issue->date);
    issue->year = terms->yearly ? mr_day_year(issue->date) : 0;
    return MR_OK;
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

/*
 * One statement makes the series' year or takes its row, so that two first invoices cannot both make it. From there to the end of the transaction
 * nobody else gets a number of it: a number is used, or was never given. LAST_INSERT_ID carries it back without a second question.
 */
static enum mr_code take_number(struct issue *issue, struct mr_mysql_conn *conn,
                                struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(issue->invoice->series),
                                          mr_sql_int(issue->year)};
    uint64_t number = 0;
    enum mr_code code =
        mr_mysql_run(conn,
                     "INSERT INTO billing_series (name, year, last_number) VALUES (?, ?, "
                     "LAST_INSERT_ID(1)) ON DUPLICATE KEY UPDATE last_number = "
                     "LAST_INSERT_ID(last_number + 1)",
                     values, MR_COUNT(values), NULL, &number, err);

    issue->number = (int64_t)number;
    return code;
}

static void print_pdf_key(const struct issue *issue, char *out)
{
    const char *series = issue->invoice->series;

    if (issue->year)
        snprintf(out, PDF_KEY_MAX, "invoices/%s/%04u/%06" PRId64 ".pdf", series, issue->year,
                 issue->number);
    else
        snprintf(out, PDF_KEY_MAX, "invoices/%s/%06" PRId64 ".pdf", series, issue->number);
}

static enum mr_code insert_head(const struct issue *issue, struct mr_mysql_conn *conn,
                                struct mr_err *err)
{
    const struct mr_invoice *invoice = issue->invoice;
    char key[PDF_KEY_MAX], printed[MR_INVOICE_NUMBER];

    print_pdf_key(issue, key);
    mr_number_format_print(issue->terms->number, invoice->series, mr_day_year(issue->date),
                           issue->number, printed);
    const struct mr_sql_value values[] = {
        mr_sql_text(issue->uuid),
        mr_sql_text(invoice->series),
        mr_sql_int(issue->year),
        mr_sql_int(issue->number),
        mr_sql_text(printed),
        mr_sql_text(invoice->customer),
        mr_sql_text(invoice->currency->code),
        mr_sql_int(invoice->net_minor),
        mr_sql_int(invoice->tax_minor),
        mr_sql_int(invoice->total_minor),
        mr_sql_text(issue->date),
        mr_sql_text(*issue->due ? issue->due : NULL),
        mr_sql_text(invoice->notes),
        mr_sql_text(key),
    };
    enum mr_code code =
        mr_mysql_run(conn,
                     "INSERT INTO billing_invoices (uuid, series, year, number, printed, "
                     "customer, currency, net_minor, tax_minor, total_minor, issued_on, "
                     "due_on, notes, pdf_key) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     values, MR_COUNT(values), NULL, NULL, err);
    if (code == MR_EEXIST)
        return mr_fail(err, MR_EFAULT,
                       "billing_invoices has %s, or the number %s, already, against "
                       "millrace_inbox and billing_series: somebody has changed these tables",
                       issue->uuid, printed);
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
enum mr_code mr_issue_within(struct mr_mysql_conn *conn, const struct mr_terms *terms,
                             const char *uuid, const struct mr_invoice *invoice,
                             struct mr_err *err)
{
    struct issue issue = {.terms = terms, .uuid = uuid, .invoice = invoice};
    enum mr_code code = find_customer(&issue, conn, err);

    if (code == MR_OK)
        code = set_days(&issue, err);
    if (code == MR_OK)
        code = book(&issue, conn, err);
    if (code == MR_OK)
        code = take_number(&issue, conn, err);
    if (code == MR_OK)
        code = insert_head(&issue, conn, err);
    if (code == MR_OK)
        code = insert_lines(&issue, conn, err);
    return code;
}

/* ---- the job that does nothing else ---- */

struct job {
    const struct mr_terms *terms;
    const char *uuid;
    const struct mr_invoice *invoice;
    bool *began;
    bool received; /* the inbox has had it before */
};

static enum mr_code receive(struct job *own, struct mr_mysql_conn *conn, struct mr_err *err)
{
    char result[RESULT_MAX];

    snprintf(result, sizeof(result),
             "{\"invoice\":\"%s\",\"currency\":\"%s\",\"total_minor\":%" PRId64 "}", own->uuid,
             own->invoice->currency->code, own->invoice->total_minor);
    enum mr_code code = mr_books_receive(conn, own->uuid, JOB, result, err);
    own->received = code == MR_EEXIST;
    return code;
}

static enum mr_code issue_it(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct job *own = arg;

    *own->began = true;
    enum mr_code code = receive(own, conn, err);
    if (code == MR_OK)
        code = mr_issue_within(conn, own->terms, own->uuid, own->invoice, err);
    return code;
}

/* What an earlier attempt did is the answer, if it was asked for the same. */
static enum mr_code compare_with_earlier(const struct job *own, struct mr_mysql *mysql,
                                         struct mr_job *job, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_issued issued = {0};
    bool seen = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_books_seen(conn, own->uuid, JOB, &seen, err);
    if (code == MR_OK)
        code = mr_issued_find(conn, own->uuid, &issued, err);
    if (code == MR_OK)
        code = mr_issued_read_lines(conn, &issued, err);
    mr_mysql_give(conn);
    if (code == MR_ENOTFOUND)
        code = mr_fail(err, MR_EFAULT,
                       "millrace_inbox says that %s was issued, but billing_invoices has no "
                       "such row: somebody has changed these tables",
                       own->uuid);
    if (code == MR_OK && !mr_invoice_is_same(&issued.invoice, own->invoice))
        code = mr_fail(err, MR_EINVAL,
                       "uuid %s has issued %s already, with other values: each invoice needs "
                       "a uuid of its own",
                       own->uuid, issued.printed);
    mr_issued_fini(&issued);
    return code;
}

enum mr_code mr_issue(struct mr_mysql *mysql, struct mr_job *job, const struct mr_terms *terms,
                      const char *uuid, const struct mr_invoice *invoice, bool *out_began,
                      struct mr_err *err)
{
    struct job own = {.terms = terms, .uuid = uuid, .invoice = invoice, .began = out_began};
    enum mr_code code = mr_mysql_transact(mysql, job, issue_it, &own, err);

    if (code == MR_EEXIST && own.received)
        return compare_with_earlier(&own, mysql, job, err);
    return code;
}
