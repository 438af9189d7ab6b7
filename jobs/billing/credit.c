#include "jobs/billing/credit.h"

#include "jobs/billing/balance.h"
#include "jobs/billing/books.h"
#include "jobs/billing/issue.h"
#include "jobs/billing/member.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JOB "billing.credit"

enum { NAME_MAX_BYTES = 64, REASON_MAX = 300, RESULT_MAX = 200 };

/* ---- what is asked for ---- */

static enum mr_code read_how(json_t *data, struct mr_credit *credit, struct mr_err *err)
{
    json_t *full = json_object_get(data, "full");

    credit->lines = json_object_get(data, "lines");
    if (full && !json_is_true(full))
        return mr_member_wrong(full, "data.full", "true", err);
    if (!full == !credit->lines)
        return mr_fail(err, MR_EINVAL, "data must say either full, or lines");
    return MR_OK;
}

enum mr_code mr_credit_read(json_t *data, const char *uuid, const char *series,
                            struct mr_credit *out, struct mr_err *err)
{
    struct mr_credit credit = {
        .uuid = uuid, .series = series, .date = json_object_get(data, "date")};
    json_t *own_series = json_object_get(data, "series");
    enum mr_code code =
        mr_member_object(data, "data", "an object {invoice, full or lines, reason}", err);

    if (code == MR_OK)
        code = mr_member_text(json_object_get(data, "invoice"), "data.invoice", NAME_MAX_BYTES,
                              &credit.invoice, err);
    if (code == MR_OK)
        code = read_how(data, &credit, err);
    if (code == MR_OK)
        code = mr_member_text(json_object_get(data, "reason"), "data.reason", REASON_MAX,
                              &credit.reason, err);
    if (code == MR_OK && own_series)
        code = mr_member_text(own_series, "data.series", NAME_MAX_BYTES, &credit.series, err);
    if (code == MR_OK)
        *out = credit;
    return code;
}

void mr_credit_fini(struct mr_credit *credit)
{
    mr_issued_fini(&credit->issued);
    mr_invoice_fini(&credit->note);
}

/* ---- the note, from the invoice ---- */

static enum mr_code find_invoice(struct mr_credit *credit, struct mr_mysql *mysql,
                                 struct mr_job *job, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_issued_find_named(conn, credit->invoice, &credit->issued, err);
    if (code == MR_OK)
        code = mr_issued_read_lines(conn, &credit->issued, err);
    mr_mysql_give(conn);
    if (code == MR_ENOTFOUND)
        return mr_fail(err, MR_EINVAL,
                       "data.invoice \"%s\": there is no such invoice in billing_invoices",
                       credit->invoice);
    if (code == MR_OK && credit->issued.credits)
        return mr_fail(err, MR_EINVAL, "data.invoice: %s is a credit note itself",
                       credit->issued.printed);
    return code;
}

static json_t *lines_of(const struct mr_invoice *invoice)
{
    json_t *lines = json_array();

    for (size_t i = 0; i < invoice->n_lines; i++) {
        const struct mr_invoice_line *line = &invoice->lines[i];

        json_array_append_new(lines, json_pack("{s:s, s:I, s:I, s:i}", "text", line->text,
                                               "quantity", (json_int_t)line->quantity,
                                               "unit_minor", (json_int_t)line->unit_minor,
                                               "tax_bp", (int)line->tax_bp));
    }
    return lines;
}

/* Read as an invoice's would be, with prices as people write them; what is kept is below 0. */
static enum mr_code read_note(struct mr_credit *credit, struct mr_err *err)
{
    const struct mr_invoice *invoice = &credit->issued.invoice;
    json_t *lines = credit->lines ? json_incref(credit->lines) : lines_of(invoice);
    json_t *data = json_pack("{s:s, s:s, s:s, s:o}", "customer", invoice->customer, "currency",
                             invoice->currency->code, "series", credit->series, "lines", lines);

    if (credit->date)
        json_object_set(data, "date", credit->date);
    enum mr_code code = mr_invoice_read(data, credit->series, &credit->note, err);
    json_decref(data);
    if (code == MR_OK && credit->note.total_minor == 0)
        code = mr_fail(err, MR_EINVAL, "data.lines: they sum to nothing");
    return code;
}

static enum mr_code turn(struct mr_credit *credit, struct mr_err *err)
{
    struct mr_invoice *note = &credit->note;

    for (size_t i = 0; i < note->n_lines; i++)
        if (!mr_money_times(note->lines[i].unit_minor, -1, &note->lines[i].unit_minor))
            return mr_fail(err, MR_EINVAL, "data.lines[%zu].unit_minor is beyond int64", i);
    return mr_invoice_sum(note, err);
}

/* ---- issue ---- */

struct issue {
    struct mr_credit *credit;
    const struct mr_terms *terms;
    bool received; /* the inbox has had it before */
};

static enum mr_code receive(struct issue *issue, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct mr_credit *credit = issue->credit;
    char result[RESULT_MAX];

    snprintf(result, sizeof(result), "{\"invoice\":\"%s\",\"total_minor\":%" PRId64 "}",
             credit->issued.uuid, credit->note.total_minor);
    enum mr_code code = mr_books_receive(conn, credit->uuid, JOB, result, err);
    issue->received = code == MR_EEXIST;
    return code;
}

/* Net and tax each, so that no tax is given back that was never asked for. */
static enum mr_code check_left(const struct mr_credit *credit, const struct mr_balance *balance,
                               struct mr_err *err)
{
    const struct mr_invoice *invoice = &credit->issued.invoice, *note = &credit->note;
    int64_t net = invoice->net_minor - balance->credited_net;
    int64_t tax = invoice->tax_minor - balance->credited_tax;
    char net_printed[MR_MONEY_PRINT], tax_printed[MR_MONEY_PRINT];

    if (-note->net_minor <= net && -note->tax_minor <= tax)
        return MR_OK;
    mr_money_print(net, invoice->currency, net_printed);
    mr_money_print(tax, invoice->currency, tax_printed);
    return mr_fail(err, MR_EINVAL,
                   "%s: of invoice %s only %s net and %s tax are left to credit",
                   credit->lines ? "data.lines" : "data.full", credit->issued.printed,
                   net_printed, tax_printed);
}

static enum mr_code insert_reference(const struct mr_credit *credit, struct mr_mysql_conn *conn,
                                     struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(credit->uuid),
                                          mr_sql_text(credit->issued.uuid),
                                          mr_sql_text(credit->reason)};

    return mr_mysql_run(conn,
                        "INSERT INTO billing_credits (uuid, invoice, reason) VALUES (?, ?, ?)",
                        values, MR_COUNT(values), NULL, NULL, err);
}

static enum mr_code issue_it(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct issue *issue = arg;
    struct mr_credit *credit = issue->credit;
    struct mr_balance balance;

    credit->began = true;
    enum mr_code code = mr_balance_lock(conn, credit->issued.uuid, &balance, err);
    if (code == MR_OK)
        code = receive(issue, conn, err);
    if (code == MR_OK)
        code = check_left(credit, &balance, err);
    if (code == MR_OK)
        code = insert_reference(credit, conn, err);
    if (code == MR_OK)
        code = mr_issue_within(conn, issue->terms, credit->uuid, &credit->note, err);
    return code;
}

static bool is_same(const struct mr_issued *earlier, const struct mr_credit *credit)
{
    return earlier->credits_uuid && strcmp(earlier->credits_uuid, credit->issued.uuid) == 0 &&
           strcmp(earlier->reason, credit->reason) == 0 &&
           mr_invoice_is_same(&earlier->invoice, &credit->note);
}

/* What an earlier attempt did is the answer, if it was asked for the same. */
static enum mr_code compare_with_earlier(const struct mr_credit *credit, struct mr_mysql *mysql,
                                         struct mr_job *job, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_issued earlier = {0};
    bool seen = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_books_seen(conn, credit->uuid, JOB, &seen, err);
    if (code == MR_OK)
        code = mr_issued_find(conn, credit->uuid, &earlier, err);
    if (code == MR_OK)
        code = mr_issued_read_lines(conn, &earlier, err);
    mr_mysql_give(conn);
    if (code == MR_ENOTFOUND)
        code = mr_fail(err, MR_EFAULT,
                       "millrace_inbox says that %s was issued, but billing_invoices has no "
                       "such row: somebody has changed these tables",
                       credit->uuid);
    if (code == MR_OK && !is_same(&earlier, credit))
        code = mr_fail(err, MR_EINVAL,
                       "uuid %s has issued %s already, with other values: each credit note "
                       "needs a uuid of its own",
                       credit->uuid, earlier.printed);
    mr_issued_fini(&earlier);
    return code;
}

enum mr_code mr_credit_issue(struct mr_mysql *mysql, struct mr_job *job,
                             const struct mr_terms *terms, struct mr_credit *credit,
                             struct mr_err *err)
{
    struct mr_terms own = *terms;
    struct issue issue = {.credit = credit, .terms = &own};
    enum mr_code code = find_invoice(credit, mysql, job, err);

    own.due_days = MR_TERMS_NO_DUE; /* nobody has to pay it */
    if (code == MR_OK)
        code = read_note(credit, err);
    if (code == MR_OK)
        code = turn(credit, err);
    if (code == MR_OK)
        code = mr_mysql_transact(mysql, job, issue_it, &issue, err);
    if (code == MR_EEXIST && issue.received)
        return compare_with_earlier(credit, mysql, job, err);
    return code;
}
