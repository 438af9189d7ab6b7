/*
 * A charge and its row in billing_charges, which is there before the provider is first asked: whatever happens in between, the next
 * attempt knows that it may have been.
 *
 *     (none) ─begin─► sending ─┬─ settle ─► ok         the ledger's rows in the same transaction
 *                        ▲ │   ├─ note ──► refused     for good; a new try is a new job
 *                        │ ▼   ├─ note ──► unknown     looked up before anything else
 *                      unknown ┴─ note ──► held        for a person, who sets it to ok or refused
 */
#ifndef MR_JOBS_BILLING_CHARGE_H
#define MR_JOBS_BILLING_CHARGE_H

#include "jobs/billing/issued.h"
#include "jobs/billing/payment.h"
#include "jobs/services/mysql.h"

#include <jansson.h>

enum mr_charge_state {
    MR_CHARGE_SENDING,
    MR_CHARGE_OK,
    MR_CHARGE_REFUSED,
    MR_CHARGE_UNKNOWN,
    MR_CHARGE_HELD
};

struct mr_charge {
    /* What the job asks for; borrowed from its data. */
    const char *uuid, *invoice, *source;
    const struct mr_currency *currency;
    int64_t amount_minor;
    /* What the database says. */
    struct mr_issued *issued;   /* the invoice; owned */
    enum mr_charge_state state; /* once begun */
    bool fresh;                 /* no attempt before this one can have asked the provider */
    int64_t age_ms;             /* since one first may have */
    char why[640];              /* of a refused or held one: code and words, as recorded */
    bool began;                 /* the database had begun to work */
};

/* Reads data {invoice, amount_minor, currency, source}. MR_EINVAL: what is wrong, with its place. */
enum mr_code mr_charge_read(json_t *data, const char *uuid, struct mr_charge *out,
                            struct mr_err *err);
void mr_charge_fini(struct mr_charge *charge);

/*
 * Makes the row, or finds the one of an earlier attempt. MR_EINVAL: no such invoice, another currency, more than is open, or an earlier job of this uuid
 * asked for something else. MR_EFAULT: what is open hangs on another charge that is not decided; and the database's own.
 */
enum mr_code mr_charge_begin(struct mr_mysql *mysql, struct mr_job *job,
                             struct mr_charge *charge, struct mr_err *err);
/* Paid: state, ledger and inbox in one transaction; again and again without harm. */
enum mr_code mr_charge_settle(struct mr_mysql *mysql, struct mr_job *job,
                              struct mr_charge *charge, const char *provider_id,
                              struct mr_err *err);
/* Not paid, or nobody knows; a charge that is decided already stays as it is. */
enum mr_code mr_charge_note(struct mr_mysql *mysql, struct mr_job *job,
                            struct mr_charge *charge, enum mr_charge_state state,
                            const struct mr_payment_answer *answer, struct mr_err *err);

#endif
