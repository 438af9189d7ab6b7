#include "jobs/billing/balance.h"

#include "jobs/billing/issued.h"
#include "proto/base/mem.h"

static enum mr_code on_lock(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    (void)arg, (void)row, (void)err;
    return MR_OK;
}

static enum mr_code on_sums(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_balance *out = arg;

    (void)err;
    out->paid = mr_issued_integer(row->values[0]);
    out->paying = mr_issued_integer(row->values[1]);
    out->refunded = mr_issued_integer(row->values[2]);
    out->refunding = mr_issued_integer(row->values[3]);
    out->credited_net = -mr_issued_integer(row->values[4]);
    out->credited_tax = -mr_issued_integer(row->values[5]);
    out->credited = out->credited_net + out->credited_tax;
    return MR_OK;
}

/* Three tables of one row each. */
static const char sums[] =
    "SELECT h.done, h.open, r.done, r.open, c.net, c.tax FROM "
    "(SELECT SUM(IF(state = 'ok', amount_minor, 0)) AS done, "
    "SUM(IF(state IN ('ok', 'refused'), 0, amount_minor)) AS open "
    "FROM billing_charges WHERE invoice = ?) h JOIN "
    "(SELECT SUM(IF(state = 'ok', amount_minor, 0)) AS done, "
    "SUM(IF(state IN ('ok', 'refused'), 0, amount_minor)) AS open "
    "FROM billing_refunds WHERE invoice = ?) r JOIN "
    "(SELECT SUM(i.net_minor) AS net, SUM(i.tax_minor) AS tax "
    "FROM billing_credits n JOIN billing_invoices i ON i.uuid = n.uuid WHERE n.invoice = ?) c";

enum mr_code mr_balance_lock(struct mr_mysql_conn *conn, const char *invoice,
                             struct mr_balance *out, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(invoice), mr_sql_text(invoice),
                                          mr_sql_text(invoice)};
    struct mr_balance balance = {0};
    enum mr_code code =
        mr_mysql_query(conn, "SELECT 1 FROM billing_invoices WHERE uuid = ? FOR UPDATE", values,
                       1, NULL, on_lock, NULL, err);

    if (code == MR_OK)
        code =
            mr_mysql_query(conn, sums, values, MR_COUNT(values), NULL, on_sums, &balance, err);
    if (code == MR_OK)
        *out = balance;
    return code;
}

int64_t mr_balance_open(const struct mr_balance *balance, int64_t total_minor)
{
    return total_minor - balance->credited - (balance->paid - balance->refunded);
}
