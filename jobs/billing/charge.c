#include "jobs/billing/charge.h"

#include "jobs/billing/balance.h"
#include "jobs/billing/books.h"
#include "jobs/billing/issued.h"
#include "jobs/billing/member.h"
#include "jobs/billing/trouble.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INVOICE_MAX = 64, SOURCE_MAX = 255 };

/* ---- its row ---- */

struct row {
    struct mr_charge *charge;
    bool found;
};

enum column { INVOICE = MR_DEAL_N_COLUMNS, AMOUNT, CURRENCY };

static enum mr_code on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_charge *charge = ((struct row *)arg)->charge;
    const struct mr_bytes *values = row->values;

    if (charge->all)
        charge->amount_minor = mr_issued_integer(values[AMOUNT]);
    if (!mr_bytes_is(values[INVOICE], charge->issued->uuid) ||
        !mr_bytes_is(values[CURRENCY], charge->currency->code) ||
        mr_issued_integer(values[AMOUNT]) != charge->amount_minor)
        return mr_fail(err, MR_EINVAL,
                       "uuid %s: billing_charges has it with another invoice, amount or "
                       "currency; each charge needs a uuid of its own",
                       charge->deal.uuid);
    ((struct row *)arg)->found = true;
    mr_deal_read_row(&charge->deal, values);
    return MR_OK;
}

static enum mr_code find_row(struct mr_charge *charge, struct mr_mysql_conn *conn,
                             bool *out_found, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(charge->deal.uuid);
    struct row row = {.charge = charge};
    enum mr_code code =
        mr_mysql_query(conn,
                       "SELECT " MR_DEAL_COLUMNS ", invoice, amount_minor, currency "
                       "FROM billing_charges WHERE uuid = ?",
                       &value, 1, NULL, on_row, &row, err);

    *out_found = row.found;
    return code;
}

/* ---- begin ---- */

/* Under the invoice's lock: two new charges of it cannot both find it open. */
static enum mr_code check_open(struct mr_charge *charge, const struct mr_balance *balance,
                               struct mr_err *err)
{
    const struct mr_invoice *invoice = &charge->issued->invoice;
    int64_t open = mr_balance_open(balance, invoice->total_minor);
    char printed[MR_MONEY_PRINT];

    if (charge->all)
        charge->amount_minor = open;
    mr_money_print(open, invoice->currency, printed);
    if (charge->amount_minor > open)
        return mr_fail(err, MR_EINVAL,
                       "data.amount_minor %" PRId64 ": of invoice %s only %s is open",
                       charge->amount_minor, charge->issued->printed, printed);
    if (charge->amount_minor > open - balance->paying)
        return mr_fail(err, MR_EFAULT,
                       "of invoice %s %s is open, but another charge of it is not decided",
                       charge->issued->printed, printed);
    return MR_OK;
}

static enum mr_code insert_row(struct mr_charge *charge, struct mr_mysql_conn *conn,
                               struct mr_err *err)
{
    const struct mr_sql_value values[] = {
        mr_sql_text(charge->deal.uuid), mr_sql_text(charge->issued->uuid),
        mr_sql_int(charge->amount_minor), mr_sql_text(charge->currency->code)};
    enum mr_code code = mr_mysql_run(
        conn,
        "INSERT INTO billing_charges (uuid, invoice, amount_minor, currency, state, "
        "first_sent_at) VALUES (?, ?, ?, ?, 'sending', CURRENT_TIMESTAMP(3))",
        values, MR_COUNT(values), NULL, NULL, err);

    if (code == MR_EEXIST)
        return MR_EBUSY; /* made meanwhile, for another invoice: seen the next time */
    if (code != MR_OK)
        return code;
    mr_deal_is_new(&charge->deal);
    return MR_OK;
}

static enum mr_code begin(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct mr_charge *charge = arg;
    struct mr_balance balance;
    bool found = false;

    charge->deal.began = true;
    charge->deal.fresh = false;
    enum mr_code code = mr_balance_lock(conn, charge->issued->uuid, &balance, err);
    if (code == MR_OK)
        code = find_row(charge, conn, &found, err);
    if (code != MR_OK || found)
        return code;
    code = mr_deal_check_unused(&charge->deal, conn, err);
    if (code == MR_OK)
        code = check_open(charge, &balance, err);
    charge->deal.is_idle = code == MR_OK && charge->all && charge->amount_minor <= 0;
    if (code == MR_OK && !charge->deal.is_idle)
        code = insert_row(charge, conn, err);
    return code;
}

static enum mr_code find_invoice(struct mr_mysql *mysql, struct mr_job *job,
                                 struct mr_charge *charge, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_issued issued = {0};
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_issued_find_named(conn, charge->invoice, &issued, err);
    mr_mysql_give(conn);
    if (code == MR_ENOTFOUND)
        return mr_fail(err, MR_EINVAL,
                       "data.invoice \"%s\": there is no such invoice in billing_invoices",
                       charge->invoice);
    if (code == MR_OK && charge->all)
        charge->currency = issued.invoice.currency;
    if (code == MR_OK && issued.invoice.currency != charge->currency) {
        code = mr_fail(err, MR_EINVAL, "data.currency \"%s\": invoice %s is in %s",
                       charge->currency->code, issued.printed, issued.invoice.currency->code);
        mr_issued_fini(&issued);
    }
    if (code != MR_OK)
        return code;
    charge->issued = mr_zalloc(sizeof(*charge->issued));
    *charge->issued = issued;
    return MR_OK;
}

/* ---- what a deal asks of it ---- */

static enum mr_code enter(const struct mr_deal *deal, struct mr_mysql_conn *conn,
                          struct mr_err *err)
{
    const struct mr_charge *charge = (const struct mr_charge *)deal;
    char receivable[MR_BOOKS_ACCOUNT];
    const struct mr_booking bookings[] = {
        {"cash",     charge->amount_minor },
        {receivable, -charge->amount_minor},
    };

    mr_books_receivable(charge->issued->invoice.customer, receivable);
    return mr_books_enter(conn, deal->uuid, charge->currency->code, bookings,
                          MR_COUNT(bookings), err);
}

static void print_result(const struct mr_deal *deal, char *out, size_t room)
{
    const struct mr_charge *charge = (const struct mr_charge *)deal;

    snprintf(out, room, "{\"invoice\":\"%s\",\"amount_minor\":%" PRId64 "}",
             charge->issued->uuid, charge->amount_minor);
}

static void set_payment(const struct mr_deal *deal, struct mr_payment *out)
{
    const struct mr_charge *charge = (const struct mr_charge *)deal;

    out->invoice = charge->issued->printed;
    out->source = charge->source;
    out->currency = charge->currency->code;
    out->amount_minor = charge->amount_minor;
}

static const struct mr_deal_kind charge_kind = {
    .job = "billing.charge",
    .table = "billing_charges",
    .happened = "it was charged",
    .n_ok = "charges_paid",
    .n_refused = "charges_refused",
    .n_unknown = "charges_unknown",
    .n_held = "charges_held",
    .begin = begin,
    .enter = enter,
    .print_result = print_result,
    .set_payment = set_payment,
};

/* ---- the job's own ---- */

enum mr_code mr_charge_read(json_t *data, const char *uuid, struct mr_charge *out,
                            struct mr_err *err)
{
    struct mr_charge charge = {
        .deal = {.kind = &charge_kind, .uuid = uuid}
    };
    enum mr_code code = mr_member_object(
        data, "data", "an object {invoice, amount_minor, currency, source}", err);

    if (code == MR_OK)
        code = mr_member_text(json_object_get(data, "invoice"), "data.invoice", INVOICE_MAX,
                              &charge.invoice, err);
    if (code == MR_OK)
        code = mr_member_whole(json_object_get(data, "amount_minor"), "data.amount_minor",
                               "a whole number of minor units (cents), 1 or more", 1, INT64_MAX,
                               &charge.amount_minor, err);
    if (code == MR_OK)
        code = mr_member_currency(json_object_get(data, "currency"), "data.currency",
                                  &charge.currency, err);
    if (code == MR_OK)
        code = mr_member_text(json_object_get(data, "source"), "data.source", SOURCE_MAX,
                              &charge.source, err);
    if (code == MR_OK)
        *out = charge;
    return code;
}

void mr_charge_fini(struct mr_charge *charge)
{
    if (!charge)
        return;
    mr_issued_fini(charge->issued);
    free(charge->issued);
    charge->issued = NULL;
}

struct mr_charge mr_charge_of_all(const char *uuid, const char *invoice, const char *source)
{
    return (struct mr_charge){
        .deal = {.kind = &charge_kind, .uuid = uuid},
        .invoice = invoice,
        .source = source,
        .all = true
    };
}

struct mr_outcome mr_charge_make(struct mr_till *till, struct mr_job *job,
                                 struct mr_charge *charge)
{
    struct mr_err err = {0};
    enum mr_code code = find_invoice(till->mysql, job, charge, &err);

    if (code != MR_OK)
        return mr_trouble_outcome(job, code, false, &err);
    return mr_deal_make(till, job, &charge->deal);
}
