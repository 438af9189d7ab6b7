#include "jobs/billing/issued.h"

#include "jobs/billing/books.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What of it is read, in the order of enum column. */
#define SELECT_ISSUED                                                                          \
    "SELECT i.uuid, i.series, i.number, i.currency, i.net_minor, i.tax_minor, i.total_minor, " \
    "DATE(i.created_at), i.pdf_key, i.pdf_at IS NOT NULL, c.id, c.name, c.address "            \
    "FROM billing_invoices i JOIN billing_customers c ON c.id = i.customer "

enum column {
    UUID,
    SERIES,
    NUMBER,
    CURRENCY,
    NET,
    TAX,
    TOTAL,
    DATE,
    PDF_KEY,
    DRAWN,
    CUSTOMER,
    NAME,
    ADDRESS
};

int64_t mr_issued_integer(struct mr_bytes value)
{
    char digits[24];
    size_t len = value.len < sizeof(digits) - 1 ? value.len : sizeof(digits) - 1;

    if (!value.at)
        return 0;
    memcpy(digits, value.at, len);
    digits[len] = '\0';
    return strtoll(digits, NULL, 10);
}

static char *text_of(struct mr_bytes value)
{
    return value.at ? mr_strndup(value.at, value.len) : mr_strdup("");
}

struct found {
    struct mr_issued *issued;
    bool any;
};

static enum mr_code on_issued(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct found *found = arg;
    struct mr_issued *issued = found->issued;
    struct mr_invoice *invoice = &issued->invoice;
    char currency[8] = "";

    found->any = true;
    memcpy(currency, row->values[CURRENCY].at,
           row->values[CURRENCY].len < sizeof(currency) ? row->values[CURRENCY].len : 0);
    if (mr_currency_find(currency, &invoice->currency, err) != MR_OK)
        return MR_EFAULT; /* somebody else wrote there */
    issued->uuid = text_of(row->values[UUID]);
    issued->number = mr_issued_integer(row->values[NUMBER]);
    issued->date = text_of(row->values[DATE]);
    issued->pdf_key = text_of(row->values[PDF_KEY]);
    issued->drawn = mr_issued_integer(row->values[DRAWN]) != 0;
    issued->name = text_of(row->values[NAME]);
    issued->address = text_of(row->values[ADDRESS]);
    invoice->customer = text_of(row->values[CUSTOMER]);
    invoice->series = text_of(row->values[SERIES]);
    invoice->net_minor = mr_issued_integer(row->values[NET]);
    invoice->tax_minor = mr_issued_integer(row->values[TAX]);
    invoice->total_minor = mr_issued_integer(row->values[TOTAL]);
    mr_invoice_number(invoice->series, issued->number, issued->printed);
    return MR_OK;
}

static enum mr_code find(struct mr_mysql_conn *conn, const char *sql,
                         const struct mr_sql_value *values, unsigned n, struct mr_issued *out,
                         struct mr_err *err)
{
    struct mr_issued issued = {0};
    struct found found = {.issued = &issued};
    enum mr_code code = mr_mysql_query(conn, sql, values, n, NULL, on_issued, &found, err);

    if (code == MR_OK && !found.any)
        code = mr_fail(err, MR_ENOTFOUND, "there is no such invoice in billing_invoices");
    if (code == MR_OK)
        *out = issued;
    else
        mr_issued_fini(&issued);
    return code;
}

enum mr_code mr_issued_find(struct mr_mysql_conn *conn, const char *uuid, struct mr_issued *out,
                            struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(uuid);

    return find(conn, SELECT_ISSUED "WHERE i.uuid = ?", &value, 1, out, err);
}

enum mr_code mr_issued_find_named(struct mr_mysql_conn *conn, const char *name,
                                  struct mr_issued *out, struct mr_err *err)
{
    char series[MR_INVOICE_NUMBER];
    int64_t number = 0;

    /* What can be no uuid is no printed number either; the server would complain of its characters instead. */
    if (mr_books_check_uuid(name, NULL) != MR_OK)
        return mr_fail(err, MR_ENOTFOUND, "no invoice can be called so");
    enum mr_code code = mr_issued_find(conn, name, out, err);
    if (code != MR_ENOTFOUND || !mr_invoice_parse_number(name, series, &number))
        return code;
    const struct mr_sql_value values[] = {mr_sql_text(series), mr_sql_int(number)};
    return find(conn, SELECT_ISSUED "WHERE i.series = ? AND i.number = ?", values,
                MR_COUNT(values), out, err);
}

/* ---- its lines ---- */

static enum mr_code on_line(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_invoice *invoice = arg;
    size_t n = invoice->n_lines + 1;

    (void)err;
    invoice->lines = mr_realloc(invoice->lines, n * sizeof(*invoice->lines));
    invoice->lines[invoice->n_lines] = (struct mr_invoice_line){
        .text = text_of(row->values[0]),
        .quantity = mr_issued_integer(row->values[1]),
        .unit_minor = mr_issued_integer(row->values[2]),
        .tax_bp = (unsigned)mr_issued_integer(row->values[3]),
        .net_minor = mr_issued_integer(row->values[4]),
        .tax_minor = mr_issued_integer(row->values[5]),
    };
    invoice->n_lines = n;
    return MR_OK;
}

enum mr_code mr_issued_read_lines(struct mr_mysql_conn *conn, struct mr_issued *issued,
                                  struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(issued->uuid);

    return mr_mysql_query(conn,
                          "SELECT text, quantity, unit_minor, tax_bp, net_minor, tax_minor "
                          "FROM billing_invoice_lines WHERE invoice = ? ORDER BY line_no",
                          &value, 1, NULL, on_line, &issued->invoice, err);
}

void mr_issued_fini(struct mr_issued *issued)
{
    if (!issued)
        return;
    mr_invoice_fini(&issued->invoice);
    free(issued->uuid);
    free(issued->date);
    free(issued->pdf_key);
    free(issued->name);
    free(issued->address);
    *issued = (struct mr_issued){0};
}
