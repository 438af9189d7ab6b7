/*
 * A deal with the payment provider, a charge or a refund: made exactly once, whatever gets lost on the way. It has a row before the
 * provider is first asked, so the next attempt knows that it may have been; the provider knows the job's uuid as the request's key and as the
 * deal's name; and what became of it is in the books in one transaction with its state.
 *
 *     (none) ─begin─► sending ─┬─ settle ─► ok         the ledger's rows in the same transaction
 *                        ▲ │   ├─ note ──► refused     for good; a new try is a new job
 *                        │ ▼   ├─ note ──► unknown     looked up before anything else
 *                      unknown ┴─ note ──► held        for a person, who sets it to ok or refused
 *
 * Where an earlier attempt may have asked, the provider is first looked at: what it has done is booked; what it has not is asked for again
 * under the same key, as long as the provider remembers that key; afterwards a person decides. Nothing is ever asked for under
 * another key, and no connection to the database is held while the provider thinks.
 *
 * An answer that says "I did nothing" (429, 401, no connection) changes no state: it speaks of this request alone, and an earlier one may still
 * have been heard. It costs the next attempt one look-up.
 */
#ifndef MR_JOBS_BILLING_DEAL_H
#define MR_JOBS_BILLING_DEAL_H

#include "jobs/billing/till.h"
#include "worker/handler.h"

enum mr_deal_state {
    MR_DEAL_SENDING,
    MR_DEAL_OK,
    MR_DEAL_REFUSED,
    MR_DEAL_UNKNOWN,
    MR_DEAL_HELD
};

struct mr_deal;

/* What charges and refunds do each in their way. */
struct mr_deal_kind {
    const char *job, *table; /* "billing.charge", "billing_charges" */
    const char *happened;    /* "it was charged", behind "nobody knows whether" */
    const char *n_ok, *n_refused, *n_unknown, *n_held; /* counters */
    /* Makes the row, or finds an earlier attempt's; the transaction of mr_deal_begin. */
    mr_mysql_transaction_fn *begin;
    /* Its ledger rows, and what the inbox answers a repeat. */
    enum mr_code (*enter)(const struct mr_deal *deal, struct mr_mysql_conn *conn,
                          struct mr_err *err);
    void (*print_result)(const struct mr_deal *deal, char *out, size_t room);
    /* What the provider is asked for. */
    void (*set_payment)(const struct mr_deal *deal, struct mr_payment *out);
};

/* Stands first in what a kind keeps of a deal of its own. */
struct mr_deal {
    const struct mr_deal_kind *kind;
    const char *uuid; /* borrowed */
    enum mr_deal_state state;
    bool fresh;     /* no attempt before this one can have asked the provider */
    int64_t age_ms; /* since one first may have */
    char why[640];  /* of a refused or held one: what was recorded, for a person */
    bool is_idle;   /* set by begin: there is nothing to do, and no row */
    bool began;     /* the database had begun to work */
};

/*
 * From wherever it stands to its end, as far as this attempt comes; deal->state tells where that is. A deal that is refused or held is a failed job; to a caller with
 * other plans for it, deal->state and deal->why say all.
 */
struct mr_outcome mr_deal_make(struct mr_till *till, struct mr_job *job, struct mr_deal *deal);

/* ---- its row ---- */

#define MR_DEAL_COLUMNS                                                                        \
    "state, message, TIMESTAMPDIFF(MICROSECOND, first_sent_at, CURRENT_TIMESTAMP(3)) DIV 1000"
enum { MR_DEAL_N_COLUMNS = 3 };

enum mr_deal_state mr_deal_state_of(struct mr_bytes name);
/* From the values of MR_DEAL_COLUMNS. */
void mr_deal_read_row(struct mr_deal *deal, const struct mr_bytes *values);
/* A new row was made for it just now. */
void mr_deal_is_new(struct mr_deal *deal);
/* MR_EFAULT when the inbox knows of a deal whose row is not there; MR_EINVAL when its uuid is another job's. */
enum mr_code mr_deal_check_unused(const struct mr_deal *deal, struct mr_mysql_conn *conn,
                                  struct mr_err *err);
/* Done: state, ledger and inbox in one transaction; again and again without harm. */
enum mr_code mr_deal_settle(struct mr_mysql *mysql, struct mr_job *job, struct mr_deal *deal,
                            const char *provider_id, struct mr_err *err);
/* Not done, or nobody knows; a deal that is decided already stays as it is. */
enum mr_code mr_deal_note(struct mr_mysql *mysql, struct mr_job *job, struct mr_deal *deal,
                          enum mr_deal_state state, const struct mr_payment_answer *answer,
                          struct mr_err *err);

#endif
