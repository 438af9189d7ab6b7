#include "jobs/billing/refund.h"

#include "jobs/billing/balance.h"
#include "jobs/billing/books.h"
#include "jobs/billing/member.h"
#include "jobs/billing/trouble.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, REASON_MAX = 300 };

/* ---- its row ---- */

struct row {
    struct mr_refund *refund;
    bool found;
};

enum column { CHARGE = MR_DEAL_N_COLUMNS, AMOUNT, CREDIT, REASON };

static const char *uuid_of(const struct mr_issued *issued)
{
    return issued ? issued->uuid : "";
}

static enum mr_code on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_refund *refund = ((struct row *)arg)->refund;
    const struct mr_bytes *values = row->values;
    int64_t amount_minor = mr_issued_integer(values[AMOUNT]);

    if (!mr_bytes_is(values[CHARGE], refund->charge) ||
        !mr_bytes_is(values[CREDIT], uuid_of(refund->note)) ||
        (refund->amount_minor && refund->amount_minor != amount_minor))
        return mr_fail(err, MR_EINVAL,
                       "uuid %s: billing_refunds has it with another charge, amount or credit "
                       "note; each refund needs a uuid of its own",
                       refund->deal.uuid);
    ((struct row *)arg)->found = true;
    refund->amount_minor = amount_minor;
    free(refund->said);
    refund->said = mr_strndup(values[REASON].at, values[REASON].len);
    mr_deal_read_row(&refund->deal, values);
    return MR_OK;
}

static enum mr_code find_row(struct mr_refund *refund, struct mr_mysql_conn *conn,
                             bool *out_found, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(refund->deal.uuid);
    struct row row = {.refund = refund};
    enum mr_code code = mr_mysql_query(conn,
                                       "SELECT " MR_DEAL_COLUMNS
                                       ", charge, amount_minor, COALESCE(credit, ''), "
                                       "reason "
                                       "FROM billing_refunds WHERE uuid = ?",
                                       &value, 1, NULL, on_row, &row, err);

    *out_found = row.found;
    return code;
}

/* ---- what is left ---- */

/* Given back already, and what may yet be. */
struct given {
    int64_t done, open;
};

static enum mr_code on_given(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct given *given = arg;

    (void)err;
    given->done = mr_issued_integer(row->values[0]);
    given->open = mr_issued_integer(row->values[1]);
    return MR_OK;
}

#define SELECT_GIVEN                                                                           \
    "SELECT SUM(IF(state = 'ok', amount_minor, 0)), SUM(IF(state IN ('ok', 'refused'), 0, "    \
    "amount_minor)) FROM billing_refunds WHERE "

/* Of max, under the invoice's lock: two refunds cannot both find it. What the job does not say is all of it. */
static enum mr_code check_left(struct mr_refund *refund, struct mr_mysql_conn *conn,
                               const char *sql, const char *uuid, const char *what,
                               int64_t max_minor, struct mr_err *err)
{
    const struct mr_currency *currency = refund->issued->invoice.currency;
    const struct mr_sql_value value = mr_sql_text(uuid);
    char printed[MR_MONEY_PRINT];
    struct given given = {0};
    enum mr_code code = mr_mysql_query(conn, sql, &value, 1, NULL, on_given, &given, err);

    if (code != MR_OK)
        return code;
    int64_t left = max_minor - given.done;
    mr_money_print(left, currency, printed);
    if (left <= 0 || refund->amount_minor > left)
        return mr_fail(err, MR_EINVAL, "data.amount_minor: of %s only %s is left to give back",
                       what, printed);
    if (given.open > 0 && (!refund->amount_minor || refund->amount_minor > left - given.open))
        return mr_fail(err, MR_EFAULT,
                       "of %s %s is left, but another refund of it is not decided", what,
                       printed);
    if (!refund->amount_minor)
        refund->amount_minor = left;
    return MR_OK;
}

/* Of the credit note first: its rest may be less than the charge's. */
static enum mr_code check_both(struct mr_refund *refund, struct mr_mysql_conn *conn,
                               struct mr_err *err)
{
    char what[100];
    enum mr_code code = MR_OK;

    if (refund->note) {
        snprintf(what, sizeof(what), "credit note %.60s", refund->note->printed);
        code = check_left(refund, conn, SELECT_GIVEN "credit = ?", refund->note->uuid, what,
                          -refund->note->invoice.total_minor, err);
    }
    if (code != MR_OK)
        return code;
    snprintf(what, sizeof(what), "charge %.64s", refund->charge);
    return check_left(refund, conn, SELECT_GIVEN "charge = ?", refund->charge, what,
                      refund->charged_minor, err);
}

static enum mr_code insert_row(struct mr_refund *refund, struct mr_mysql_conn *conn,
                               struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(refund->deal.uuid),
                                          mr_sql_text(refund->charge),
                                          mr_sql_text(refund->issued->uuid),
                                          mr_sql_text(refund->note ? refund->note->uuid : NULL),
                                          mr_sql_int(refund->amount_minor),
                                          mr_sql_text(refund->issued->invoice.currency->code),
                                          mr_sql_text(refund->reason)};
    enum mr_code code =
        mr_mysql_run(conn,
                     "INSERT INTO billing_refunds (uuid, charge, invoice, credit, "
                     "amount_minor, currency, reason, state, first_sent_at) VALUES "
                     "(?, ?, ?, ?, ?, ?, ?, 'sending', CURRENT_TIMESTAMP(3))",
                     values, MR_COUNT(values), NULL, NULL, err);

    if (code == MR_EEXIST)
        return MR_EBUSY; /* made meanwhile, for another invoice: seen the next time */
    if (code == MR_OK)
        mr_deal_is_new(&refund->deal);
    return code;
}

/* ---- what a deal asks of it ---- */

static enum mr_code begin(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct mr_refund *refund = arg;
    struct mr_balance balance;
    int64_t asked_minor = refund->amount_minor;
    bool found = false;

    refund->deal.began = true;
    refund->deal.fresh = false;
    enum mr_code code = mr_balance_lock(conn, refund->issued->uuid, &balance, err);
    if (code == MR_OK)
        code = find_row(refund, conn, &found, err);
    if (code != MR_OK || found)
        return code;
    code = mr_deal_check_unused(&refund->deal, conn, err);
    if (code == MR_OK)
        code = check_both(refund, conn, err);
    if (code == MR_OK)
        code = insert_row(refund, conn, err);
    if (code != MR_OK)
        refund->amount_minor = asked_minor; /* a second try of the transaction asks anew */
    return code;
}

static enum mr_code enter(const struct mr_deal *deal, struct mr_mysql_conn *conn,
                          struct mr_err *err)
{
    const struct mr_refund *refund = (const struct mr_refund *)deal;
    const struct mr_invoice *invoice = &refund->issued->invoice;
    char receivable[MR_BOOKS_ACCOUNT];
    const struct mr_booking bookings[] = {
        {"cash",     -refund->amount_minor},
        {receivable, refund->amount_minor },
    };

    mr_books_receivable(invoice->customer, receivable);
    return mr_books_enter(conn, deal->uuid, invoice->currency->code, bookings,
                          MR_COUNT(bookings), err);
}

static void print_result(const struct mr_deal *deal, char *out, size_t room)
{
    const struct mr_refund *refund = (const struct mr_refund *)deal;

    snprintf(out, room, "{\"charge\":\"%s\",\"amount_minor\":%" PRId64 "}", refund->charge,
             refund->amount_minor);
}

static void set_payment(const struct mr_deal *deal, struct mr_payment *out)
{
    const struct mr_refund *refund = (const struct mr_refund *)deal;

    out->invoice = refund->issued->printed;
    out->currency = refund->issued->invoice.currency->code;
    out->amount_minor = refund->amount_minor;
    out->refund_of = refund->provider_id;
    /* Under the same key the provider wants to hear the same, also where the job was edited since. */
    out->reason = refund->said ? refund->said : refund->reason;
}

static const struct mr_deal_kind refund_kind = {
    .job = "billing.refund",
    .table = "billing_refunds",
    .happened = "it was given back",
    .n_ok = "refunds_paid",
    .n_refused = "refunds_refused",
    .n_unknown = "refunds_unknown",
    .n_held = "refunds_held",
    .begin = begin,
    .enter = enter,
    .print_result = print_result,
    .set_payment = set_payment,
};

/* ---- what is given back ---- */

/* The charges that may be meant. */
struct charges {
    struct mr_refund *refund;
    unsigned n;
    char *invoice; /* of the last one; owned */
    enum mr_deal_state state;
};

static enum mr_code on_charge(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct charges *charges = arg;
    struct mr_refund *refund = charges->refund;
    const struct mr_bytes *values = row->values;

    (void)err;
    charges->n++;
    free(charges->invoice);
    free(refund->charge);
    free(refund->provider_id);
    refund->charge = mr_strndup(values[0].at, values[0].len);
    charges->invoice = mr_strndup(values[1].at, values[1].len);
    refund->charged_minor = mr_issued_integer(values[2]);
    charges->state = mr_deal_state_of(values[3]);
    refund->provider_id = values[4].at ? mr_strndup(values[4].at, values[4].len) : NULL;
    return MR_OK;
}

#define SELECT_CHARGE                                                                          \
    "SELECT c.uuid, c.invoice, c.amount_minor, c.state, c.provider_id FROM billing_charges c "

static enum mr_code check_charge(const struct charges *charges, struct mr_err *err)
{
    const struct mr_refund *refund = charges->refund;

    if (charges->n > 1)
        return mr_fail(err, MR_EINVAL,
                       "data.invoice \"%s\" was paid by %u charges: say in data.charge which "
                       "one",
                       refund->invoice, charges->n);
    if (charges->n == 0 && refund->charge_uuid)
        return mr_fail(err, MR_EINVAL,
                       "data.charge \"%s\": there is no such charge in billing_charges",
                       refund->charge_uuid);
    if (charges->n == 0)
        return mr_fail(err, MR_EINVAL, "data.invoice \"%s\": no charge has paid it",
                       refund->invoice);
    if (charges->state == MR_DEAL_REFUSED)
        return mr_fail(err, MR_EINVAL, "charge %s was refused: it took nothing",
                       refund->charge);
    if (charges->state != MR_DEAL_OK)
        return mr_fail(err, MR_EFAULT,
                       "charge %s is not decided: nobody knows whether it took anything",
                       refund->charge);
    if (!refund->provider_id)
        return mr_fail(err, MR_EINVAL,
                       "charge %s: the provider's name of it is not known; write it into "
                       "provider_id of billing_charges",
                       refund->charge);
    return MR_OK;
}

/* An earlier attempt has chosen its charge already: another one that paid the invoice since makes no difference. */
static enum mr_code find_charge(struct mr_refund *refund, struct mr_mysql_conn *conn,
                                const char *invoice_uuid, char **out_invoice,
                                struct mr_err *err)
{
    static const char by_row[] =
        SELECT_CHARGE "JOIN billing_refunds r ON r.charge = c.uuid WHERE r.uuid = ?";
    const char *by = refund->charge_uuid ? SELECT_CHARGE "WHERE c.uuid = ?"
                                         : SELECT_CHARGE "WHERE c.invoice = ? AND c.state = "
                                                         "'ok'";
    const struct mr_sql_value own = mr_sql_text(refund->deal.uuid),
                              asked = mr_sql_text(refund->charge_uuid ? refund->charge_uuid
                                                                      : invoice_uuid);
    struct charges charges = {.refund = refund};
    enum mr_code code = MR_OK;

    if (!refund->charge_uuid)
        code = mr_mysql_query(conn, by_row, &own, 1, NULL, on_charge, &charges, err);
    if (code == MR_OK && charges.n == 0)
        code = mr_mysql_query(conn, by, &asked, 1, NULL, on_charge, &charges, err);
    if (code == MR_OK)
        code = check_charge(&charges, err);
    if (code == MR_OK)
        *out_invoice = charges.invoice;
    else
        free(charges.invoice);
    return code;
}

static enum mr_code find_named(struct mr_mysql_conn *conn, const char *name, const char *place,
                               struct mr_issued **out, struct mr_err *err)
{
    struct mr_issued issued = {0};
    enum mr_code code = mr_issued_find_named(conn, name, &issued, err);

    if (code == MR_ENOTFOUND)
        return mr_fail(err, MR_EINVAL, "%s \"%s\": there is no such one in billing_invoices",
                       place, name);
    if (code != MR_OK)
        return code;
    *out = mr_zalloc(sizeof(**out));
    **out = issued;
    return MR_OK;
}

static enum mr_code check_names(const struct mr_refund *refund, struct mr_err *err)
{
    const char *credited = refund->note ? refund->note->credits_uuid : NULL;

    if (refund->note && (!credited || strcmp(credited, refund->issued->uuid) != 0))
        return mr_fail(err, MR_EINVAL, "data.credit: %s is no credit note of %s",
                       refund->note->printed, refund->issued->printed);
    return MR_OK;
}

static enum mr_code find_all(struct mr_refund *refund, struct mr_mysql_conn *conn,
                             struct mr_err *err)
{
    char *invoice = NULL;
    enum mr_code code = MR_OK;

    if (refund->invoice)
        code = find_named(conn, refund->invoice, "data.invoice", &refund->issued, err);
    if (code == MR_OK)
        code = find_charge(refund, conn, uuid_of(refund->issued), &invoice, err);
    if (code == MR_OK && !refund->issued)
        code = find_named(conn, invoice, "the charge's invoice", &refund->issued, err);
    if (code == MR_OK && refund->credit)
        code = find_named(conn, refund->credit, "data.credit", &refund->note, err);
    if (code == MR_OK)
        code = check_names(refund, err);
    free(invoice);
    return code;
}

/* ---- the job's own ---- */

enum mr_code mr_refund_read(json_t *data, const char *uuid, struct mr_refund *out,
                            struct mr_err *err)
{
    struct mr_refund refund = {
        .deal = {.kind = &refund_kind, .uuid = uuid}
    };
    json_t *charge = json_object_get(data, "charge"),
           *invoice = json_object_get(data, "invoice"),
           *credit = json_object_get(data, "credit"),
           *amount = json_object_get(data, "amount_minor");
    enum mr_code code =
        mr_member_object(data, "data", "an object {charge or invoice, reason}", err);

    if (code == MR_OK && !charge == !invoice)
        return mr_fail(err, MR_EINVAL,
                       "data must say either charge, the uuid of its job, or invoice");
    if (code == MR_OK && charge)
        code = mr_member_text(charge, "data.charge", NAME_MAX_BYTES, &refund.charge_uuid, err);
    if (code == MR_OK && charge)
        code = mr_books_check_uuid(refund.charge_uuid, err);
    if (code == MR_OK && invoice)
        code = mr_member_text(invoice, "data.invoice", NAME_MAX_BYTES, &refund.invoice, err);
    if (code == MR_OK && credit)
        code = mr_member_text(credit, "data.credit", NAME_MAX_BYTES, &refund.credit, err);
    if (code == MR_OK && amount)
        code = mr_member_whole(amount, "data.amount_minor",
                               "a whole number of minor units (cents), 1 or more", 1, INT64_MAX,
                               &refund.amount_minor, err);
    if (code == MR_OK)
        code = mr_member_text(json_object_get(data, "reason"), "data.reason", REASON_MAX,
                              &refund.reason, err);
    if (code == MR_OK)
        *out = refund;
    return code;
}

static void drop(struct mr_issued *issued)
{
    mr_issued_fini(issued);
    free(issued);
}

void mr_refund_fini(struct mr_refund *refund)
{
    drop(refund->issued);
    drop(refund->note);
    free(refund->said);
    free(refund->charge);
    free(refund->provider_id);
    *refund = (struct mr_refund){0};
}

struct mr_outcome mr_refund_make(struct mr_till *till, struct mr_job *job,
                                 struct mr_refund *refund)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_err err = {0};
    enum mr_code code = mr_mysql_take(till->mysql, MR_MYSQL_WRITE, job, &conn, &err);

    if (code == MR_OK)
        code = find_all(refund, conn, &err);
    mr_mysql_give(conn);
    if (code != MR_OK)
        return mr_trouble_outcome(job, code, false, &err);
    return mr_deal_make(till, job, &refund->deal);
}
