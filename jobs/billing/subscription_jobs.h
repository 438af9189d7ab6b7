/*
 * The jobs that a subscription's steps push for each other. What they do happens once under the name of its period or step (subscription.h), however many of them
 * there are; their own uuids, that name with six digits of chance behind it, tell one from another: which of them did it.
 */
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

/* This job's uuid as invoiced_by and moved_by have it: a borrow; "" where it has none, or one of a producer that is too long. */
const char *mr_subscription_by(const struct mr_job *job);
/* Whether that is by, which may be NULL: nobody's. */
bool mr_subscription_is_by(const struct mr_job *job, const char *by);

#endif
