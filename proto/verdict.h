/* What becomes of a job after an attempt: one pure function, shared by worker and reaper. */
#ifndef MR_PROTO_VERDICT_H
#define MR_PROTO_VERDICT_H

#include "proto/outcome.h"
#include "proto/policy.h"

#include <stdbool.h>
#include <stdint.h>

enum mr_verdict_kind {
    MR_VERDICT_DONE,
    MR_VERDICT_DELAY, /* not before now + delay_ms */
    MR_VERDICT_READY, /* back to the head, not a byte changed */
    MR_VERDICT_DEAD
};

enum mr_dead_class {
    MR_DEAD_REFUSED,
    MR_DEAD_NO_HANDLER,
    MR_DEAD_FAILED,
    MR_DEAD_EXHAUSTED,
    MR_DEAD_EXPIRED,
    MR_DEAD_CRASHED,
    MR_DEAD_TIMED_OUT
};

/* What the attempt began with. */
struct mr_attempt {
    int64_t attempts, crashes, suspect; /* as the envelope had them before this delivery */
    uint64_t now_ms;                    /* unix */
    uint32_t roll;                      /* uniform, for jitter */
};

struct mr_verdict {
    enum mr_verdict_kind kind;
    uint64_t delay_ms; /* DELAY */
    int64_t attempts, crashes,
        suspect; /* what the rewritten envelope says; equal to before where unchanged */
    enum mr_dead_class dead; /* DEAD */
    bool retried; /* DELAY only: true a retry (an attempt was spent), false a release */
};

struct mr_verdict mr_verdict_decide(const struct mr_policy *policy,
                                    const struct mr_attempt *attempt,
                                    const struct mr_outcome *outcome);

/* Asked before a delivery starts: an envelope past its retryUntil/expiresAt or tries dies unrun. True if it may run. */
bool mr_verdict_may_start(const struct mr_policy *policy, const struct mr_attempt *attempt,
                          struct mr_verdict *out_dead);

/* A job with a crash or a suspicion behind it runs alone in its process. */
bool mr_verdict_runs_alone(const struct mr_attempt *attempt);

const char *mr_dead_class_name(enum mr_dead_class dead);        /* "exhausted" */
const char *mr_verdict_label(const struct mr_verdict *verdict); /* done, retry, release, dead */

#endif
