#include "jobs/billing/charge.h"

#include "jobs/billing/books.h"
#include "jobs/billing/issued.h"
#include "jobs/billing/member.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB "billing.charge"

enum { INVOICE_MAX = 64, SOURCE_MAX = 255 };

static const char *const state_names[] = {
    [MR_CHARGE_SENDING] = "sending", [MR_CHARGE_OK] = "ok",     [MR_CHARGE_REFUSED] = "refused",
    [MR_CHARGE_UNKNOWN] = "unknown", [MR_CHARGE_HELD] = "held",
};

/* ---- what the job asks for ---- */

enum mr_code mr_charge_read(json_t *data, const char *uuid, struct mr_charge *out,
                            struct mr_err *err)
{
    struct mr_charge charge = {.uuid = uuid};
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

/* ---- its row ---- */

struct row {
    struct mr_charge *charge;
    bool found;
};

enum column { STATE, INVOICE, AMOUNT, CURRENCY, CODE, MESSAGE, AGE_MS };

static enum mr_charge_state state_of(struct mr_bytes name)
{
    for (size_t i = 0; i < MR_COUNT(state_names); i++)
        if (mr_bytes_is(name, state_names[i]))
            return (enum mr_charge_state)i;
    return MR_CHARGE_HELD; /* not one of ours */
}

static enum mr_code on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_charge *charge = ((struct row *)arg)->charge;
    const struct mr_bytes *values = row->values;

    if (!mr_bytes_is(values[INVOICE], charge->issued->uuid) ||
        !mr_bytes_is(values[CURRENCY], charge->currency->code) ||
        mr_issued_integer(values[AMOUNT]) != charge->amount_minor)
        return mr_fail(err, MR_EINVAL,
                       "uuid %s: billing_charges has it with another invoice, amount or "
                       "currency; each charge needs a uuid of its own",
                       charge->uuid);
    ((struct row *)arg)->found = true;
    charge->state = state_of(values[STATE]);
    charge->age_ms = mr_issued_integer(values[AGE_MS]);
    snprintf(charge->why, sizeof(charge->why), "%.*s",
             (int)(values[MESSAGE].at ? values[MESSAGE].len : 0),
             values[MESSAGE].at ? values[MESSAGE].at : "");
    return MR_OK;
}

static enum mr_code find_row(struct mr_charge *charge, struct mr_mysql_conn *conn,
                             bool *out_found, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(charge->uuid);
    struct row row = {.charge = charge};
    enum mr_code code = mr_mysql_query(
        conn,
        "SELECT state, invoice, amount_minor, currency, code, message, "
        "TIMESTAMPDIFF(MICROSECOND, first_sent_at, CURRENT_TIMESTAMP(3)) DIV 1000 "
        "FROM billing_charges WHERE uuid = ?",
        &value, 1, NULL, on_row, &row, err);

    *out_found = row.found;
    return code;
}

/* ---- begin ---- */

/* What of the invoice is paid, and what more may be. */
struct sums {
    int64_t paid, pending;
};

static enum mr_code on_sum(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct sums *sums = arg;

    (void)err;
    if (state_of(row->values[0]) == MR_CHARGE_OK)
        sums->paid = mr_issued_integer(row->values[1]);
    else
        sums->pending += mr_issued_integer(row->values[1]);
    return MR_OK;
}

/* Under the invoice's lock, which every new charge of it takes: two of them cannot both find it open. */
static enum mr_code check_open(const struct mr_charge *charge, struct mr_mysql_conn *conn,
                               struct mr_err *err)
{
    const struct mr_invoice *invoice = &charge->issued->invoice;
    const struct mr_sql_value value = mr_sql_text(charge->issued->uuid);
    char printed[MR_MONEY_PRINT];
    struct sums sums = {0};
    enum mr_code code =
        mr_mysql_query(conn,
                       "SELECT state, CAST(SUM(amount_minor) AS SIGNED) FROM "
                       "billing_charges WHERE invoice = ? AND state <> 'refused' "
                       "GROUP BY state",
                       &value, 1, NULL, on_sum, &sums, err);

    if (code != MR_OK)
        return code;
    int64_t open = invoice->total_minor - sums.paid; /* both from 0 to its total */
    mr_money_print(open, invoice->currency, printed);
    if (charge->amount_minor > open)
        return mr_fail(err, MR_EINVAL,
                       "data.amount_minor %" PRId64 ": of invoice %s only %s is open",
                       charge->amount_minor, charge->issued->printed, printed);
    if (charge->amount_minor > open - sums.pending)
        return mr_fail(err, MR_EFAULT,
                       "of invoice %s %s is open, but another charge of it is not decided",
                       charge->issued->printed, printed);
    return MR_OK;
}

static enum mr_code insert_row(struct mr_charge *charge, struct mr_mysql_conn *conn,
                               struct mr_err *err)
{
    const struct mr_sql_value values[] = {
        mr_sql_text(charge->uuid), mr_sql_text(charge->issued->uuid),
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
    charge->state = MR_CHARGE_SENDING;
    charge->fresh = true;
    charge->age_ms = 0;
    return MR_OK;
}

/* Not yet of another job, and not in the inbox by a charge whose row somebody removed. */
static enum mr_code check_unused(const struct mr_charge *charge, struct mr_mysql_conn *conn,
                                 struct mr_err *err)
{
    bool seen = false;
    enum mr_code code = mr_books_seen(conn, charge->uuid, JOB, &seen, err);

    if (code == MR_OK && seen)
        return mr_fail(err, MR_EFAULT,
                       "millrace_inbox says that %s was charged, but billing_charges has no "
                       "such row: somebody has changed these tables",
                       charge->uuid);
    return code;
}

static enum mr_code on_lock(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    (void)arg, (void)row, (void)err;
    return MR_OK;
}

static enum mr_code lock_invoice(const struct mr_charge *charge, struct mr_mysql_conn *conn,
                                 struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(charge->issued->uuid);

    return mr_mysql_query(conn, "SELECT 1 FROM billing_invoices WHERE uuid = ? FOR UPDATE",
                          &value, 1, NULL, on_lock, NULL, err);
}

/*
 * The lock comes first: what is read behind it was committed by whoever had it before. It is taken on a row that is
 * there, and no other lock before it.
 */
static enum mr_code begin(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct mr_charge *charge = arg;
    bool found = false;

    charge->began = true;
    charge->fresh = false;
    enum mr_code code = lock_invoice(charge, conn, err);
    if (code == MR_OK)
        code = find_row(charge, conn, &found, err);
    if (code != MR_OK || found)
        return code;
    code = check_unused(charge, conn, err);
    if (code == MR_OK)
        code = check_open(charge, conn, err);
    if (code == MR_OK)
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

enum mr_code mr_charge_begin(struct mr_mysql *mysql, struct mr_job *job,
                             struct mr_charge *charge, struct mr_err *err)
{
    enum mr_code code = find_invoice(mysql, job, charge, err);

    if (code == MR_OK)
        code = mr_mysql_transact(mysql, job, begin, charge, err);
    return code;
}

/* ---- the ends ---- */

struct ending {
    struct mr_charge *charge;
    enum mr_charge_state state;
    const char *provider_id, *code, *message;
};

static enum mr_code enter(const struct mr_charge *charge, struct mr_mysql_conn *conn,
                          struct mr_err *err)
{
    char receivable[MR_BOOKS_ACCOUNT];
    const struct mr_booking bookings[] = {
        {"cash",     charge->amount_minor },
        {receivable, -charge->amount_minor},
    };

    mr_books_receivable(charge->issued->invoice.customer, receivable);
    return mr_books_enter(conn, charge->uuid, charge->currency->code, bookings,
                          MR_COUNT(bookings), err);
}

static enum mr_code settle(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct ending *ending = arg;
    const struct mr_charge *charge = ending->charge;
    const struct mr_sql_value values[] = {mr_sql_text(ending->provider_id),
                                          mr_sql_text(charge->uuid)};
    char result[100 + MR_BOOKS_UUID_MAX];

    snprintf(result, sizeof(result), "{\"invoice\":\"%s\",\"amount_minor\":%" PRId64 "}",
             charge->issued->uuid, charge->amount_minor);
    enum mr_code code = mr_books_receive(conn, charge->uuid, JOB, result, err);
    if (code == MR_OK)
        code = mr_mysql_run(conn,
                            "UPDATE billing_charges SET state = 'ok', provider_id = "
                            "COALESCE(?, provider_id), code = NULL, message = NULL "
                            "WHERE uuid = ?",
                            values, MR_COUNT(values), NULL, NULL, err);
    if (code == MR_OK)
        code = enter(charge, conn, err);
    return code;
}

/* It is in the books already; unless its uuid got there as another job's, which only a person can mend. */
static enum mr_code confirm_settled(struct mr_mysql *mysql, struct mr_job *job,
                                    const struct mr_charge *charge, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    bool seen = false;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_books_seen(conn, charge->uuid, JOB, &seen, err);
    mr_mysql_give(conn);
    return code;
}

enum mr_code mr_charge_settle(struct mr_mysql *mysql, struct mr_job *job,
                              struct mr_charge *charge, const char *provider_id,
                              struct mr_err *err)
{
    struct ending ending = {.charge = charge, .provider_id = provider_id};
    enum mr_code code = mr_mysql_transact(mysql, job, settle, &ending, err);

    return code == MR_EEXIST ? confirm_settled(mysql, job, charge, err) : code;
}

static enum mr_code note(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct ending *ending = arg;
    const struct mr_sql_value values[] = {
        mr_sql_text(state_names[ending->state]), mr_sql_text(ending->provider_id),
        mr_sql_text(ending->code), mr_sql_text(ending->message),
        mr_sql_text(ending->charge->uuid)};

    return mr_mysql_run(conn,
                        "UPDATE billing_charges SET state = ?, provider_id = COALESCE(?, "
                        "provider_id), code = ?, message = ? "
                        "WHERE uuid = ? AND state IN ('sending', 'unknown')",
                        values, MR_COUNT(values), NULL, NULL, err);
}

enum mr_code mr_charge_note(struct mr_mysql *mysql, struct mr_job *job,
                            struct mr_charge *charge, enum mr_charge_state state,
                            const struct mr_payment_answer *answer, struct mr_err *err)
{
    struct ending ending = {
        .charge = charge,
        .state = state,
        .provider_id = *answer->id ? answer->id : NULL,
        .code = *answer->code ? answer->code : NULL,
        .message = answer->message,
    };

    return mr_mysql_transact(mysql, job, note, &ending, err);
}
