#include "jobs/billing/issued.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What of it is read, in the order of enum column. */
#define SELECT_ISSUED                                                                          \
    "SELECT i.uuid, i.series, i.printed, i.currency, i.net_minor, i.tax_minor, "               \
    "i.total_minor, i.issued_on, i.due_on, i.notes, i.pdf_key, i.pdf_at IS NOT NULL, c.id, "   \
    "c.name, c.address, c.email, o.uuid, o.printed, n.reason "                                 \
    "FROM billing_invoices i JOIN billing_customers c ON c.id = i.customer "                   \
    "LEFT JOIN billing_credits n ON n.uuid = i.uuid "                                          \
    "LEFT JOIN billing_invoices o ON o.uuid = n.invoice "

enum { NAME_MAX_BYTES = 64 };

enum column {
    UUID,
    SERIES,
    PRINTED,
    CURRENCY,
    NET,
    TAX,
    TOTAL,
    DATE,
    DUE,
    NOTES,
    PDF_KEY,
    DRAWN,
    CUSTOMER,
    NAME,
    ADDRESS,
    EMAIL,
    CREDITS_UUID,
    CREDITS,
    REASON
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

static char *text_or_null(struct mr_bytes value)
{
    return value.at ? text_of(value) : NULL;
}

static void copy_day(struct mr_bytes value, char *out)
{
    if (value.at && value.len == MR_DAY - 1)
        memcpy(out, value.at, MR_DAY - 1); /* out is zero behind it */
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
    issued->printed = text_of(row->values[PRINTED]);
    issued->pdf_key = text_of(row->values[PDF_KEY]);
    issued->drawn = mr_issued_integer(row->values[DRAWN]) != 0;
    issued->name = text_of(row->values[NAME]);
    issued->address = text_of(row->values[ADDRESS]);
    issued->email = text_of(row->values[EMAIL]);
    invoice->customer = text_of(row->values[CUSTOMER]);
    invoice->series = text_of(row->values[SERIES]);
    invoice->net_minor = mr_issued_integer(row->values[NET]);
    invoice->tax_minor = mr_issued_integer(row->values[TAX]);
    invoice->total_minor = mr_issued_integer(row->values[TOTAL]);
    copy_day(row->values[DATE], invoice->date);
    copy_day(row->values[DUE], invoice->due);
    invoice->notes = text_or_null(row->values[NOTES]);
    issued->credits_uuid = text_or_null(row->values[CREDITS_UUID]);
    issued->credits = text_or_null(row->values[CREDITS]);
    issued->reason = text_or_null(row->values[REASON]);
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

static enum mr_code find_printed(struct mr_mysql_conn *conn, const char *printed,
                                 struct mr_issued *out, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(printed);

    return find(conn, SELECT_ISSUED "WHERE i.printed = ?", &value, 1, out, err);
}

/* What can be neither uuid nor number is not asked for: the server would complain of its characters instead. */
static bool may_be_a_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789_.:/-") == len;
}

enum mr_code mr_issued_find_named(struct mr_mysql_conn *conn, const char *name,
                                  struct mr_issued *out, struct mr_err *err)
{
    char full[MR_INVOICE_NUMBER];

    if (!may_be_a_name(name))
        return mr_fail(err, MR_ENOTFOUND, "no invoice can be called so");
    enum mr_code code = mr_issued_find(conn, name, out, err);
    if (code == MR_ENOTFOUND)
        code = find_printed(conn, name, out, err);
    if (code == MR_ENOTFOUND && mr_invoice_full_number(name, full))
        code = find_printed(conn, full, out, err);
    return code;
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
    free(issued->printed);
    free(issued->pdf_key);
    free(issued->name);
    free(issued->address);
    free(issued->email);
    free(issued->credits_uuid);
    free(issued->credits);
    free(issued->reason);
    *issued = (struct mr_issued){0};
}
