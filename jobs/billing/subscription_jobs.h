/* The jobs that a subscription's steps push for each other, each under the one name that it can have. */
#ifndef MR_JOBS_BILLING_SUBSCRIPTION_JOBS_H
#define MR_JOBS_BILLING_SUBSCRIPTION_JOBS_H

#include "jobs/billing/subscription.h"
#include "worker/handler.h"

/* billing.renew of the period that is to begin at this day. */
enum mr_code mr_subscription_push_renew(struct mr_job *job, const char *id, const char *day,
                                        struct mr_err *err);
/* billing.dun of the period that began at this day: the charge of this step, in so many seconds. */
enum mr_code mr_subscription_push_dun(struct mr_job *job, const char *id, const char *start,
                                      unsigned step, int64_t in_s, struct mr_err *err);

#endif
