/*
 * Renews a subscription: its next period begins. Everything of it is one transaction, under the subscription's lock: the inbox row that makes it happen once, the
 * invoice with its number and ledger rows, the row of the period, and the subscription's move to it.
 */
#ifndef MR_JOBS_BILLING_RENEW_H
#define MR_JOBS_BILLING_RENEW_H

#include "jobs/billing/subscription.h"
#include "jobs/billing/terms.h"

struct mr_renewal {
    /* What is asked for; borrowed. */
    const struct mr_terms *terms;
    const char *id;
    const char *day; /* on which the period is to begin */
    const char *by;  /* the job that asks, as invoiced_by has it */
    bool
        skip; /* periods that are over already are not invoiced: it begins with the one of today */
    /* What came of it. */
    char invoice[MR_SUBSCRIPTION_UUID]; /* its uuid */
    const char *
        idle; /* why there is none, for a person; NULL: it is out, now or since an earlier attempt */
    struct mr_period period; /* of the invoice; owned */
    char next[MR_DAY];       /* on which day the subscription's next period begins */
    bool is_due;             /* that day is here */
    bool began;              /* the database had begun to work */
};

/*
 * MR_OK also where there is nothing to do, and then idle says why: too early, suspended, ended, or its period is another. MR_EINVAL: there is no such subscription, or what
 * the shop wrote of it makes no invoice. The caller ends renewal with mr_renewal_fini in any case.
 */
enum mr_code mr_renew(struct mr_mysql *mysql, struct mr_job *job, struct mr_renewal *renewal,
                      struct mr_err *err);
void mr_renewal_fini(struct mr_renewal *renewal);

#endif
