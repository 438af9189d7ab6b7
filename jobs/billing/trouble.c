#include "jobs/billing/trouble.h"

#include "proto/base/random.h"
#include "worker/handler.h"

enum { AWAY_MS = 2000, WARN = 1 };

int64_t mr_trouble_wait_ms(int64_t from_ms)
{
    uint32_t roll = 0;

    mr_random_bytes(&roll, sizeof(roll));
    return from_ms + (int64_t)(roll % (uint64_t)(from_ms / 2 + 1));
}

struct mr_outcome mr_trouble_outcome(struct mr_job *job, enum mr_code code, bool began,
                                     const struct mr_err *err)
{
    if (code == MR_EINVAL)
        return mr_outcome_fail("%s", err->text);
    if (!began && (code == MR_EDOWN || code == MR_EBUSY)) {
        mr_job_log(job, WARN, "billing.peer_away", "reason=%s", err->text);
        return mr_outcome_release(mr_trouble_wait_ms(AWAY_MS), "%s", err->text);
    }
    return mr_outcome_retry("%s", err->text);
}
