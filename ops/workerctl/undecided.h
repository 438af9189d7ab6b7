/* Charges and refunds of which nobody knows whether they were made: what they are, and what a person decides about them. */
#ifndef MR_OPS_UNDECIDED_H
#define MR_OPS_UNDECIDED_H

#include "ops/workerctl/database.h"

#include <jansson.h>

/* Each as {"kind", "uuid", "invoice", "state", "amount_minor", "currency", "provider_id", "age_s", "message"}, the oldest first; the caller's. */
enum mr_code mr_undecided_list(struct mr_database *database, json_t **out, struct mr_err *err);

struct mr_decision {
    const char *uuid;
    bool ok;                 /* the money was taken, or given back */
    const char *provider_id; /* the provider's name of it; NULL: not said */
    const char *by;          /* who decides: "user@host" */
    const char *kind;        /* set: what it was, "charge" or "refund" */
};

/*
 * A decision about a held one: its state, for ok the ledger and the inbox, and a row of billing_decisions, in one transaction. MR_ENOTFOUND: there is no such
 * charge or refund. MR_EREFUSED: it is not held, or the books have its uuid already; nothing was done. MR_EUNKNOWN: the connection broke inside COMMIT: list them again.
 */
enum mr_code mr_undecided_resolve(struct mr_database *database, struct mr_decision *decision,
                                  struct mr_err *err);

#endif
