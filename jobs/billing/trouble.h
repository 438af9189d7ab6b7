/* What becomes of a job when the database, the storage or a provider does not do its part. */
#ifndef MR_JOBS_BILLING_TROUBLE_H
#define MR_JOBS_BILLING_TROUBLE_H

#include "proto/base/err.h"
#include "proto/outcome.h"

#include <stdbool.h>

struct mr_job;

/*
 * code and err are the database's or the storage's, or say that the data are wrong (MR_EINVAL). began: it had begun to work for this job. Where it could not even begin nothing
 * was done: the job comes back in some seconds and spends no attempt, and that is logged.
 */
struct mr_outcome mr_trouble_outcome(struct mr_job *job, enum mr_code code, bool began,
                                     const struct mr_err *err);
/* from_ms, and up to half as much on top, so that those who wait do not come back as one. */
int64_t mr_trouble_wait_ms(int64_t from_ms);

#endif
