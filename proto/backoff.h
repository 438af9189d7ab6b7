/* How long a failed job waits before its next attempt. Pure arithmetic: no clock, no dice. */
#ifndef MR_PROTO_BACKOFF_H
#define MR_PROTO_BACKOFF_H

#include <stdint.h>

/* A plain value; copy it freely. */
struct mr_backoff {
    uint32_t base_ms;    /* the wait after the first failure */
    uint32_t cap_ms;     /* no wait is longer */
    uint32_t jitter_pct; /* a wait may shrink by up to this share, 0..100 */
};

/*
 * The wait in ms after the attempt-th attempt failed; attempts count from 1. The caller draws
 * roll, any uniform 32-bit number, so that a test can draw it too.
 */
uint32_t mr_backoff_delay_ms(const struct mr_backoff *b, uint32_t attempt, uint32_t roll);

#endif
