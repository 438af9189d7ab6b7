#include "proto/policy.h"

#include "proto/envelope.h"

#include <string.h>

struct mr_policy mr_policy_default(void)
{
    return (struct mr_policy){
        .tries = 3,
        .timeout_ms = 60000,
        .max_crashes = 3,
        .max_suspect = 20,
        .backoff = {.base_ms = 1000, .cap_ms = 3600000, .jitter_pct = 100},
    };
}

static uint32_t at_most_u32(int64_t number)
{
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

/* Seconds as a producer wrote them; what lies beyond the year 100,000 stays there. */
static uint64_t s_to_ms(double seconds)
{
    return seconds < 3e12 ? (uint64_t)(seconds * 1000) : (uint64_t)3e15;
}

/* Laravel takes the first that is there: the payload's backoff, its delay, the worker's own. */
static void lay_backoff(struct mr_policy *policy, const struct mr_envelope *envelope)
{
    if (envelope->n_backoff > 0) {
        memcpy(policy->backoff_s, envelope->backoff_s, sizeof(policy->backoff_s));
        policy->n_backoff = envelope->n_backoff;
    } else if (envelope->delay_s >= 0) {
        policy->backoff_s[0] = at_most_u32(envelope->delay_s);
        policy->n_backoff = 1;
    }
}

struct mr_policy mr_policy_for(const struct mr_policy *pool, const struct mr_envelope *envelope)
{
    struct mr_policy policy = *pool;

    if (envelope->max_tries >= 0)
        policy.tries = at_most_u32(envelope->max_tries);
    if (envelope->max_exceptions >= 0)
        policy.max_exceptions = at_most_u32(envelope->max_exceptions);
    if (envelope->timeout_s >= 0)
        policy.timeout_ms = s_to_ms((double)envelope->timeout_s);
    if (envelope->retry_until_s >= 0)
        policy.retry_until_ms = s_to_ms((double)envelope->retry_until_s);
    if (envelope->expires_at_s >= 0)
        policy.expires_at_ms = s_to_ms(envelope->expires_at_s);
    if (envelope->fail_on_timeout)
        policy.fail_on_timeout = true;
    lay_backoff(&policy, envelope);
    return policy;
}
