/* A refund: a deal by which money of a charge goes back. Its row is in billing_refunds. */
#ifndef MR_JOBS_BILLING_REFUND_H
#define MR_JOBS_BILLING_REFUND_H

#include "jobs/billing/deal.h"
#include "jobs/billing/issued.h"

#include <jansson.h>

struct mr_refund {
    struct mr_deal deal;
    /* What the job asks for; borrowed from its data. */
    const char *charge_uuid;      /* NULL: the charge that paid the invoice */
    const char *invoice, *credit; /* names; NULL: not said */
    const char *reason;
    int64_t amount_minor; /* 0: all that is left */
    /* What the database says. */
    char *said;               /* the reason of its row, where one was found; owned */
    char *charge;             /* its uuid; owned */
    char *provider_id;        /* the provider's name of the charge; owned */
    int64_t charged_minor;    /* what it took */
    struct mr_issued *issued; /* the invoice that it paid; owned */
    struct mr_issued *note;   /* the credit note; owned, NULL: none */
};

/* Reads data {charge | invoice, amount_minor?, credit?, reason}. MR_EINVAL: what is wrong, with its place. */
enum mr_code mr_refund_read(json_t *data, const char *uuid, struct mr_refund *out,
                            struct mr_err *err);
void mr_refund_fini(struct mr_refund *refund);

/*
 * Makes it, as mr_deal_make does. The job fails where nothing was taken, or less than asked for is left of it or of the credit note, or an earlier job of this uuid asked
 * for something else; it is tried again while what is left hangs on another refund, or the charge itself, that is not decided.
 */
struct mr_outcome mr_refund_make(struct mr_till *till, struct mr_job *job,
                                 struct mr_refund *refund);

#endif
