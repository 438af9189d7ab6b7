/*
 * A credit note: an invoice of a series of its own whose lines and sums are below 0, so that the books, the numbers and the paper treat it as any other;
 * its row in billing_credits says what it credits. One transaction, under the credited invoice's lock.
 */
#ifndef MR_JOBS_BILLING_CREDIT_H
#define MR_JOBS_BILLING_CREDIT_H

#include "jobs/billing/issued.h"
#include "jobs/billing/terms.h"

#include <jansson.h>

struct mr_credit {
    /* What the job asks for; borrowed. */
    const char *uuid, *invoice, *reason;
    const char *series;
    json_t *lines; /* NULL: all of the invoice */
    json_t *date;  /* NULL: today */
    /* What the database says. */
    struct mr_issued issued; /* the invoice, with its lines; owned */
    struct mr_invoice note;  /* owned */
    bool began;
};

/* Reads data {invoice, full or lines, reason, series?, date?}; series where it names none. MR_EINVAL: what is wrong, with its place. */
enum mr_code mr_credit_read(json_t *data, const char *uuid, const char *series,
                            struct mr_credit *out, struct mr_err *err);
void mr_credit_fini(struct mr_credit *credit);

/*
 * MR_OK: the credit note of this uuid is in the database, issued now or by an earlier attempt. MR_EINVAL: no such invoice, or more than is left of it; the uuid was used for
 * something else.
 */
enum mr_code mr_credit_issue(struct mr_mysql *mysql, struct mr_job *job,
                             const struct mr_terms *terms, struct mr_credit *credit,
                             struct mr_err *err);

#endif
