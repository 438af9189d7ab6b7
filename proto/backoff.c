#include "proto/backoff.h"

uint32_t mr_backoff_delay_ms(const struct mr_backoff *b, uint32_t attempt, uint32_t roll)
{
    uint64_t wait_ms = b->base_ms;

    /* Doubling stops at the cap, so attempt 4 billion costs no more than attempt 40. */
    for (uint32_t n = 1; n < attempt && wait_ms > 0 && wait_ms < b->cap_ms; n++)
        wait_ms *= 2;
    if (wait_ms > b->cap_ms)
        wait_ms = b->cap_ms;

    uint64_t slack_ms = wait_ms * b->jitter_pct / 100;
    return (uint32_t)(wait_ms - slack_ms * roll / UINT32_MAX);
}
