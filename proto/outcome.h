/* What an attempt came to: said by the handler, or by the runtime where the handler cannot speak. */
#ifndef MR_PROTO_OUTCOME_H
#define MR_PROTO_OUTCOME_H

#include <stdint.h>

enum mr_outcome_kind {
    MR_OUTCOME_DONE,  /* the work is done */
    MR_OUTCOME_RETRY, /* failed; try again after after_ms, or after the policy's backoff */
    MR_OUTCOME_RELEASE, /* not tried: rate limited, circuit open, shutting down; no attempt is spent */
    MR_OUTCOME_FAIL,       /* failed for good: straight to the dead letters */
    MR_OUTCOME_TIMED_OUT,  /* runtime: the deadline passed */
    MR_OUTCOME_REFUSED,    /* runtime: the envelope cannot be read */
    MR_OUTCOME_NO_HANDLER, /* runtime: nobody here knows this job; a deploy may be under way */
    MR_OUTCOME_CRASHED,    /* reaper: this delivery took its process down */
    MR_OUTCOME_SUSPECT,    /* reaper: one of several that may have */
    MR_OUTCOME_LOST,       /* reaper: its host or page is gone, nobody knows what came of it */
    MR_OUTCOME_HOLD /* nobody knows what a remote side did, and it must not do it twice: to the dead letters for a person to decide */
};

#define MR_OUTCOME_POLICY (-1) /* after_ms: the policy's backoff decides */

struct mr_outcome {
    enum mr_outcome_kind kind;
    int64_t after_ms; /* RETRY and RELEASE; MR_OUTCOME_POLICY where the handler does not say */
    char *reason; /* for a person, from malloc, owned; NULL for done. No secrets, no payload */
};

struct mr_outcome mr_outcome_done(void);
/* The rest take a printf-like reason, cut at 1,000 bytes. */
struct mr_outcome mr_outcome_retry(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
struct mr_outcome mr_outcome_retry_after(int64_t after_ms, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct mr_outcome mr_outcome_release(int64_t after_ms, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct mr_outcome mr_outcome_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* The only one beside done that stands also where the job was told to stop, or met its deadline. */
struct mr_outcome mr_outcome_hold(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* Any kind, for the runtime. */
struct mr_outcome mr_outcome_of(enum mr_outcome_kind kind, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mr_outcome_fini(struct mr_outcome *outcome);       /* frees reason; NULL is accepted */
const char *mr_outcome_name(enum mr_outcome_kind kind); /* "done", "retry", "timed_out", ... */

#endif
