/* Tries, backoff and deadline of one job: the pool's defaults with the envelope's wishes laid over them. A value. */
#ifndef MR_PROTO_POLICY_H
#define MR_PROTO_POLICY_H

#include "proto/backoff.h"

#include <stdbool.h>
#include <stdint.h>

#define MR_POLICY_BACKOFFS 32

struct mr_envelope;

struct mr_policy {
    uint32_t tries;          /* 0: unlimited */
    uint32_t max_exceptions; /* 0: no such bound */
    uint64_t timeout_ms;     /* 0: none */
    uint64_t retry_until_ms; /* unix; 0: none. Where set, tries does not count (Laravel) */
    uint64_t expires_at_ms;  /* unix; 0: never */
    uint32_t max_crashes;
    uint32_t max_suspect;
    bool fail_on_timeout;
    struct mr_backoff backoff; /* used where n_backoff is 0 */
    uint32_t backoff_s
        [MR_POLICY_BACKOFFS]; /* Laravel's list: the n-th wait, then the last for ever */
    unsigned n_backoff;
};

/* The defaults: 3 tries, 60 s, full jitter from 1 s to 1 h, 3 crashes, 20 suspicions. */
struct mr_policy mr_policy_default(void);
/* pool's policy with what the envelope says laid over it (maxTries, backoff, delay as Laravel falls back on it, timeout, ...). */
struct mr_policy mr_policy_for(const struct mr_policy *pool,
                               const struct mr_envelope *envelope);

#endif
