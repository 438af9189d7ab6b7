/* A charge: a deal by which money for an invoice comes in. Its row is in billing_charges. */
#ifndef MR_JOBS_BILLING_CHARGE_H
#define MR_JOBS_BILLING_CHARGE_H

#include "jobs/billing/deal.h"
#include "jobs/billing/issued.h"

#include <jansson.h>

struct mr_charge {
    struct mr_deal deal;
    /* What is asked for; borrowed from the job's data. */
    const char *invoice, *source;
    const struct mr_currency *currency;
    int64_t amount_minor;
    bool all; /* the amount and currency are those that are open when it is first begun */
    struct mr_issued *issued; /* the invoice as the database has it; owned */
};

/* Reads data {invoice, amount_minor, currency, source}. MR_EINVAL: what is wrong, with its place. */
enum mr_code mr_charge_read(json_t *data, const char *uuid, struct mr_charge *out,
                            struct mr_err *err);
/* All that is open of an invoice; strings are borrowed. Where that is nothing, its deal is idle: ok, and nobody is asked. */
struct mr_charge mr_charge_of_all(const char *uuid, const char *invoice, const char *source);
void mr_charge_fini(struct mr_charge *charge);

/*
 * Makes it, as mr_deal_make does. The job fails where there is no such invoice, or it is in another currency, less is open, or an earlier job of this uuid asked for
 * something else; it is tried again while what is open hangs on another charge that is not decided.
 */
struct mr_outcome mr_charge_make(struct mr_till *till, struct mr_job *job,
                                 struct mr_charge *charge);

#endif
