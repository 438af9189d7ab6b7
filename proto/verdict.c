#include "proto/verdict.h"

#include "proto/base/mem.h"

static const char *const class_names[] = {
    [MR_DEAD_REFUSED] = "refused",     [MR_DEAD_NO_HANDLER] = "no_handler",
    [MR_DEAD_FAILED] = "failed",       [MR_DEAD_EXHAUSTED] = "exhausted",
    [MR_DEAD_EXPIRED] = "expired",     [MR_DEAD_CRASHED] = "crashed",
    [MR_DEAD_TIMED_OUT] = "timed_out",
};

/* A producer may have written INT64_MAX. */
static int64_t one_more(int64_t n)
{
    return n < INT64_MAX ? n + 1 : n;
}

static bool reached(int64_t count, uint32_t bound)
{
    return bound > 0 && count >= bound;
}

static struct mr_verdict unchanged(const struct mr_attempt *attempt, enum mr_verdict_kind kind)
{
    return (struct mr_verdict){
        .kind = kind,
        .attempts = attempt->attempts,
        .crashes = attempt->crashes,
        .suspect = attempt->suspect,
    };
}

static struct mr_verdict buried(struct mr_verdict verdict, enum mr_dead_class dead)
{
    verdict.kind = MR_VERDICT_DEAD;
    verdict.dead = dead;
    return verdict;
}

/* The n-th wait, n from 1: Laravel's list where there is one, else doubling. */
static uint64_t wait_ms(const struct mr_policy *policy, int64_t n, uint32_t roll)
{
    if (policy->n_backoff > 0) {
        int64_t last = policy->n_backoff;

        return (uint64_t)policy->backoff_s[(n < last ? n : last) - 1] * 1000;
    }
    return mr_backoff_delay_ms(&policy->backoff, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX,
                               roll);
}

/* May there be another attempt after attempts have been spent? A retryUntil overrides tries, as in Laravel. */
static bool exhausted(const struct mr_policy *policy, int64_t attempts, uint64_t now_ms)
{
    if (policy->retry_until_ms > 0)
        return now_ms >= policy->retry_until_ms;
    return reached(attempts, policy->tries);
}

/* What it is called when the last attempt ended so. */
static enum mr_dead_class last_words(enum mr_outcome_kind kind)
{
    switch (kind) {
    case MR_OUTCOME_TIMED_OUT:
        return MR_DEAD_TIMED_OUT;
    case MR_OUTCOME_NO_HANDLER:
        return MR_DEAD_NO_HANDLER;
    case MR_OUTCOME_CRASHED:
        return MR_DEAD_CRASHED;
    default:
        return MR_DEAD_EXHAUSTED;
    }
}

/* True when this outcome ends the job, whatever tries remain. */
static bool ends_it(const struct mr_policy *policy, const struct mr_verdict *verdict,
                    enum mr_outcome_kind kind)
{
    switch (kind) {
    case MR_OUTCOME_TIMED_OUT:
        return policy->fail_on_timeout;
    case MR_OUTCOME_CRASHED:
        return reached(verdict->crashes, policy->max_crashes);
    case MR_OUTCOME_RETRY:
        return reached(verdict->attempts, policy->max_exceptions);
    default:
        return false;
    }
}

static struct mr_verdict spend(const struct mr_policy *policy, const struct mr_attempt *attempt,
                               const struct mr_outcome *outcome)
{
    struct mr_verdict verdict = unchanged(attempt, MR_VERDICT_DELAY);

    verdict.attempts = one_more(attempt->attempts);
    if (outcome->kind == MR_OUTCOME_CRASHED)
        verdict.crashes = one_more(attempt->crashes);
    if (ends_it(policy, &verdict, outcome->kind) ||
        exhausted(policy, verdict.attempts, attempt->now_ms))
        return buried(verdict, last_words(outcome->kind));

    bool told = outcome->kind == MR_OUTCOME_RETRY && outcome->after_ms >= 0;
    verdict.delay_ms =
        told ? (uint64_t)outcome->after_ms : wait_ms(policy, verdict.attempts, attempt->roll);
    verdict.retried = true;
    return verdict;
}

/* Dice decide the wait even where a list is given: suspects that came together must not meet again. */
static struct mr_verdict suspected(const struct mr_policy *policy,
                                   const struct mr_attempt *attempt)
{
    struct mr_verdict verdict = unchanged(attempt, MR_VERDICT_DELAY);
    struct mr_backoff apart = policy->backoff;

    verdict.suspect = one_more(attempt->suspect);
    if (reached(verdict.suspect, policy->max_suspect))
        return buried(verdict, MR_DEAD_CRASHED);
    apart.jitter_pct = 100;
    verdict.delay_ms = mr_backoff_delay_ms(
        &apart, verdict.suspect < UINT32_MAX ? (uint32_t)verdict.suspect : UINT32_MAX,
        attempt->roll);
    return verdict;
}

static struct mr_verdict released(const struct mr_attempt *attempt, int64_t after_ms)
{
    struct mr_verdict verdict = unchanged(attempt, MR_VERDICT_READY);

    if (after_ms > 0) {
        verdict.kind = MR_VERDICT_DELAY;
        verdict.delay_ms = (uint64_t)after_ms;
    }
    return verdict;
}

struct mr_verdict mr_verdict_decide(const struct mr_policy *policy,
                                    const struct mr_attempt *attempt,
                                    const struct mr_outcome *outcome)
{
    struct mr_verdict verdict = unchanged(attempt, MR_VERDICT_DONE);

    switch (outcome->kind) {
    case MR_OUTCOME_DONE:
        return verdict;
    case MR_OUTCOME_RELEASE:
        return released(attempt, outcome->after_ms);
    case MR_OUTCOME_REFUSED:
        return buried(verdict, MR_DEAD_REFUSED);
    case MR_OUTCOME_FAIL:
    case MR_OUTCOME_HOLD:
        verdict.attempts = one_more(attempt->attempts);
        return buried(verdict, MR_DEAD_FAILED);
    case MR_OUTCOME_SUSPECT:
        return suspected(policy, attempt);
    case MR_OUTCOME_RETRY:
    case MR_OUTCOME_TIMED_OUT:
    case MR_OUTCOME_NO_HANDLER:
    case MR_OUTCOME_CRASHED:
    case MR_OUTCOME_LOST:
        break;
    }
    return spend(policy, attempt, outcome);
}

bool mr_verdict_may_start(const struct mr_policy *policy, const struct mr_attempt *attempt,
                          struct mr_verdict *out_dead)
{
    uint64_t now_ms = attempt->now_ms;
    bool expired = policy->expires_at_ms > 0 && now_ms > policy->expires_at_ms;
    bool spent = policy->retry_until_ms > 0 ? now_ms > policy->retry_until_ms
                                            : reached(attempt->attempts, policy->tries);

    if (!expired && !spent)
        return true;
    *out_dead = buried(unchanged(attempt, MR_VERDICT_DEAD),
                       expired ? MR_DEAD_EXPIRED : MR_DEAD_EXHAUSTED);
    return false;
}

bool mr_verdict_runs_alone(const struct mr_attempt *attempt)
{
    return attempt->crashes > 0 || attempt->suspect > 0;
}

const char *mr_dead_class_name(enum mr_dead_class dead)
{
    return (unsigned)dead < MR_COUNT(class_names) ? class_names[dead] : "unknown";
}

const char *mr_verdict_label(const struct mr_verdict *verdict)
{
    switch (verdict->kind) {
    case MR_VERDICT_DONE:
        return "done";
    case MR_VERDICT_DEAD:
        return "dead";
    case MR_VERDICT_DELAY:
        return verdict->retried ? "retry" : "release";
    case MR_VERDICT_READY:
        break;
    }
    return "release";
}
