#include "proto/verdict.h"
#include "tests/support/suite.h"

enum { NOW = 1000000 };

/* What differs from the default policy in a row; 0 leaves the default. */
struct rules {
    int tries; /* -1: unlimited */
    uint32_t max_exceptions;
    int64_t retry_until_in_ms; /* from now */
    bool fail_on_timeout;
    unsigned n_backoff;
    uint32_t backoff_s[3];
};

struct row {
    struct rules rules;
    int64_t attempts, crashes, suspect;
    enum mr_outcome_kind outcome;
    int64_t after_ms;
    struct mr_verdict want;
};

#define POLICY MR_OUTCOME_POLICY
#define DELAY(ms, a, c, s)                                                                     \
    {                                                                                          \
        MR_VERDICT_DELAY, ms, a, c, s, 0, true                                                 \
    }
#define LATER(ms, a, c, s)                                                                     \
    {                                                                                          \
        MR_VERDICT_DELAY, ms, a, c, s, 0, false                                                \
    }
#define READY(a, c, s)                                                                         \
    {                                                                                          \
        MR_VERDICT_READY, 0, a, c, s, 0, false                                                 \
    }
#define DONE(a, c, s)                                                                          \
    {                                                                                          \
        MR_VERDICT_DONE, 0, a, c, s, 0, false                                                  \
    }
#define DEAD(class, a, c, s)                                                                   \
    {                                                                                          \
        MR_VERDICT_DEAD, 0, a, c, s, MR_DEAD_##class, false                                    \
    }

/* The roll is 0, so that the default backoff waits 1, 2, 4, ... s in full. */
/* clang-format off */
static const struct row rows[] = {
    /* rules                                  att cr su  outcome               after   verdict */
    {{0},                                      0, 0, 0, MR_OUTCOME_DONE,       POLICY, DONE(0, 0, 0)},
    {{0},                                      2, 1, 4, MR_OUTCOME_DONE,       POLICY, DONE(2, 1, 4)},
    /* retry: an attempt is spent */
    {{0},                                      0, 0, 0, MR_OUTCOME_RETRY,      POLICY, DELAY(1000, 1, 0, 0)},
    {{0},                                      1, 0, 0, MR_OUTCOME_RETRY,      POLICY, DELAY(2000, 2, 0, 0)},
    {{0},                                      2, 0, 0, MR_OUTCOME_RETRY,      POLICY, DEAD(EXHAUSTED, 3, 0, 0)},
    {{0},                                      0, 0, 0, MR_OUTCOME_RETRY,      700,    DELAY(700, 1, 0, 0)},
    {{0},                                      0, 0, 0, MR_OUTCOME_RETRY,      0,      DELAY(0, 1, 0, 0)},
    {{0},                                      2, 0, 0, MR_OUTCOME_RETRY,      700,    DEAD(EXHAUSTED, 3, 0, 0)},
    {{.tries = 1},                             0, 0, 0, MR_OUTCOME_RETRY,      POLICY, DEAD(EXHAUSTED, 1, 0, 0)},
    {{.tries = -1},                           99, 0, 0, MR_OUTCOME_RETRY,      POLICY, DELAY(3600000, 100, 0, 0)},
    {{.tries = -1},                    INT64_MAX, 0, 0, MR_OUTCOME_RETRY,      5,      DELAY(5, INT64_MAX, 0, 0)},
    {{.max_exceptions = 2},                    0, 0, 0, MR_OUTCOME_RETRY,      POLICY, DELAY(1000, 1, 0, 0)},
    {{.max_exceptions = 2},                    1, 0, 0, MR_OUTCOME_RETRY,      POLICY, DEAD(EXHAUSTED, 2, 0, 0)},
    {{.max_exceptions = 2},                    1, 0, 0, MR_OUTCOME_TIMED_OUT,  POLICY, DELAY(2000, 2, 0, 0)},
    /* retryUntil: tries do not count, the clock does */
    {{.retry_until_in_ms = 1},                 7, 0, 0, MR_OUTCOME_RETRY,      9,      DELAY(9, 8, 0, 0)},
    {{.retry_until_in_ms = -1},                0, 0, 0, MR_OUTCOME_RETRY,      9,      DEAD(EXHAUSTED, 1, 0, 0)},
    {{.retry_until_in_ms = -1},                0, 0, 0, MR_OUTCOME_TIMED_OUT,  POLICY, DEAD(TIMED_OUT, 1, 0, 0)},
    {{.retry_until_in_ms = 1, .max_exceptions = 2}, 1, 0, 0, MR_OUTCOME_RETRY, 9,      DEAD(EXHAUSTED, 2, 0, 0)},
    /* Laravel's list: the n-th wait, then the last */
    {{.n_backoff = 2, .backoff_s = {10, 30}, .tries = 9}, 0, 0, 0, MR_OUTCOME_RETRY, POLICY, DELAY(10000, 1, 0, 0)},
    {{.n_backoff = 2, .backoff_s = {10, 30}, .tries = 9}, 1, 0, 0, MR_OUTCOME_RETRY, POLICY, DELAY(30000, 2, 0, 0)},
    {{.n_backoff = 2, .backoff_s = {10, 30}, .tries = 9}, 5, 0, 0, MR_OUTCOME_RETRY, POLICY, DELAY(30000, 6, 0, 0)},
    {{.n_backoff = 2, .backoff_s = {10, 30}, .tries = 9}, 5, 0, 0, MR_OUTCOME_RETRY, 1,      DELAY(1, 6, 0, 0)},
    /* release: nothing is spent; the head of the queue when at once */
    {{0},                                      1, 1, 1, MR_OUTCOME_RELEASE,    POLICY, READY(1, 1, 1)},
    {{0},                                      1, 0, 0, MR_OUTCOME_RELEASE,    0,      READY(1, 0, 0)},
    {{0},                                      1, 0, 0, MR_OUTCOME_RELEASE,    250,    LATER(250, 1, 0, 0)},
    {{.tries = 1},                             1, 0, 0, MR_OUTCOME_RELEASE,    250,    LATER(250, 1, 0, 0)},
    /* for good */
    {{0},                                      0, 0, 0, MR_OUTCOME_FAIL,       POLICY, DEAD(FAILED, 1, 0, 0)},
    {{0},                                      0, 0, 0, MR_OUTCOME_HOLD,       POLICY, DEAD(FAILED, 1, 0, 0)},
    {{0},                                      0, 0, 0, MR_OUTCOME_REFUSED,    POLICY, DEAD(REFUSED, 0, 0, 0)},
    /* deadline */
    {{0},                                      0, 0, 0, MR_OUTCOME_TIMED_OUT,  POLICY, DELAY(1000, 1, 0, 0)},
    {{0},                                      2, 0, 0, MR_OUTCOME_TIMED_OUT,  POLICY, DEAD(TIMED_OUT, 3, 0, 0)},
    {{.fail_on_timeout = true},                0, 0, 0, MR_OUTCOME_TIMED_OUT,  POLICY, DEAD(TIMED_OUT, 1, 0, 0)},
    {{.fail_on_timeout = true},                0, 0, 0, MR_OUTCOME_RETRY,      POLICY, DELAY(1000, 1, 0, 0)},
    /* nobody handles it yet */
    {{0},                                      0, 0, 0, MR_OUTCOME_NO_HANDLER, POLICY, DELAY(1000, 1, 0, 0)},
    {{0},                                      2, 0, 0, MR_OUTCOME_NO_HANDLER, POLICY, DEAD(NO_HANDLER, 3, 0, 0)},
    /* it took its process down */
    {{.tries = 9},                             0, 0, 0, MR_OUTCOME_CRASHED,    POLICY, DELAY(1000, 1, 1, 0)},
    {{.tries = 9},                             1, 1, 2, MR_OUTCOME_CRASHED,    POLICY, DELAY(2000, 2, 2, 2)},
    {{.tries = 9},                             2, 2, 0, MR_OUTCOME_CRASHED,    POLICY, DEAD(CRASHED, 3, 3, 0)},
    {{.tries = 2},                             1, 0, 0, MR_OUTCOME_CRASHED,    POLICY, DEAD(CRASHED, 2, 1, 0)},
    /* one of several that may have: no attempt is spent, and dice keep them apart */
    {{0},                                      2, 0, 0, MR_OUTCOME_SUSPECT,    POLICY, LATER(1000, 2, 0, 1)},
    {{.tries = 1},                             1, 2, 3, MR_OUTCOME_SUSPECT,    POLICY, LATER(8000, 1, 2, 4)},
    {{.n_backoff = 1, .backoff_s = {77}},      0, 0, 0, MR_OUTCOME_SUSPECT,    POLICY, LATER(1000, 0, 0, 1)},
    {{0},                                      0, 0, 19, MR_OUTCOME_SUSPECT,   POLICY, DEAD(CRASHED, 0, 0, 20)},
    /* host or page lost */
    {{0},                                      0, 0, 0, MR_OUTCOME_LOST,       POLICY, DELAY(1000, 1, 0, 0)},
    {{0},                                      2, 1, 1, MR_OUTCOME_LOST,       POLICY, DEAD(EXHAUSTED, 3, 1, 1)},
};
/* clang-format on */

static struct mr_policy policy_of(const struct rules *rules)
{
    struct mr_policy policy = mr_policy_default();

    if (rules->tries != 0)
        policy.tries = rules->tries > 0 ? (uint32_t)rules->tries : 0;
    if (rules->retry_until_in_ms != 0)
        policy.retry_until_ms = (uint64_t)(NOW + rules->retry_until_in_ms);
    policy.max_exceptions = rules->max_exceptions;
    policy.fail_on_timeout = rules->fail_on_timeout;
    policy.n_backoff = rules->n_backoff;
    for (unsigned i = 0; i < rules->n_backoff; i++)
        policy.backoff_s[i] = rules->backoff_s[i];
    return policy;
}

START_TEST(each_outcome_has_its_verdict)
{
    const struct row *row = &rows[_i];
    struct mr_policy policy = policy_of(&row->rules);
    struct mr_attempt attempt = {row->attempts, row->crashes, row->suspect, NOW, 0};
    struct mr_outcome outcome = {row->outcome, row->after_ms, NULL};
    struct mr_verdict got = mr_verdict_decide(&policy, &attempt, &outcome);

    ck_assert_int_eq(got.kind, row->want.kind);
    ck_assert_uint_eq(got.delay_ms, row->want.delay_ms);
    ck_assert_int_eq(got.attempts, row->want.attempts);
    ck_assert_int_eq(got.crashes, row->want.crashes);
    ck_assert_int_eq(got.suspect, row->want.suspect);
    ck_assert_int_eq(got.retried, row->want.retried);
    if (got.kind == MR_VERDICT_DEAD)
        ck_assert_int_eq(got.dead, row->want.dead);
}
END_TEST

START_TEST(the_default_backoff_has_full_jitter)
{
    struct mr_policy policy = mr_policy_default();
    struct mr_attempt attempt = {.now_ms = NOW, .roll = UINT32_MAX};
    struct mr_outcome outcome = {MR_OUTCOME_RETRY, MR_OUTCOME_POLICY, NULL};

    ck_assert_uint_eq(mr_verdict_decide(&policy, &attempt, &outcome).delay_ms, 0);
}
END_TEST

START_TEST(suspects_are_scattered_whatever_the_pool_says)
{
    struct mr_policy policy = mr_policy_default();
    struct mr_attempt attempt = {.now_ms = NOW, .roll = UINT32_MAX};
    struct mr_outcome outcome = {MR_OUTCOME_SUSPECT, MR_OUTCOME_POLICY, NULL};

    policy.backoff.jitter_pct = 0;
    ck_assert_uint_eq(mr_verdict_decide(&policy, &attempt, &outcome).delay_ms, 0);
}
END_TEST

static const struct {
    uint32_t tries;
    int64_t attempts;
    uint64_t retry_until_ms, expires_at_ms;
    bool may_start;
    enum mr_dead_class dead;
} starts[] = {
    {3, 0, 0,       0,       true,  0                },
    {3, 2, 0,       0,       true,  0                },
    {3, 3, 0,       0,       false, MR_DEAD_EXHAUSTED},
    {0, 9, 0,       0,       true,  0                },
    {3, 9, NOW,     0,       true,  0                }, /* retryUntil overrides tries */
    {3, 0, NOW - 1, 0,       false, MR_DEAD_EXHAUSTED},
    {3, 0, 0,       NOW,     true,  0                },
    {3, 0, 0,       NOW - 1, false, MR_DEAD_EXPIRED  },
    {3, 3, 0,       NOW - 1, false, MR_DEAD_EXPIRED  },
};

START_TEST(what_is_over_never_starts)
{
    struct mr_policy policy = mr_policy_default();
    struct mr_attempt attempt = {.attempts = starts[_i].attempts, .crashes = 1, .now_ms = NOW};
    struct mr_verdict dead = {0};

    policy.tries = starts[_i].tries;
    policy.retry_until_ms = starts[_i].retry_until_ms;
    policy.expires_at_ms = starts[_i].expires_at_ms;
    ck_assert_int_eq(mr_verdict_may_start(&policy, &attempt, &dead), starts[_i].may_start);
    if (starts[_i].may_start)
        return;
    ck_assert_int_eq(dead.kind, MR_VERDICT_DEAD);
    ck_assert_int_eq(dead.dead, starts[_i].dead);
    ck_assert_int_eq(dead.attempts, starts[_i].attempts);
    ck_assert_int_eq(dead.crashes, 1);
}
END_TEST

START_TEST(who_was_there_at_a_crash_runs_alone)
{
    ck_assert(!mr_verdict_runs_alone(&(struct mr_attempt){.attempts = 9}));
    ck_assert(mr_verdict_runs_alone(&(struct mr_attempt){.crashes = 1}));
    ck_assert(mr_verdict_runs_alone(&(struct mr_attempt){.suspect = 1}));
}
END_TEST

START_TEST(labels_and_classes_have_their_names)
{
    static const struct {
        struct mr_verdict verdict;
        const char *label;
    } labels[] = {
        {DONE(0, 0,  0),        "done"   },
        {            DELAY(1,     0,  0,        0),   "retry"},
        {            LATER(1,     0,  0,        0), "release"},
        {            READY(0,     0, 0), "release"         },
        { DEAD(CRASHED,     0,     0,    0),          "dead"},
    };

    for (size_t i = 0; i < MR_COUNT(labels); i++)
        ck_assert_str_eq(mr_verdict_label(&labels[i].verdict), labels[i].label);
    for (int class = MR_DEAD_REFUSED; class <= MR_DEAD_TIMED_OUT; class ++)
        ck_assert_ptr_nonnull(mr_dead_class_name((enum mr_dead_class) class));
    ck_assert_str_eq(mr_dead_class_name(MR_DEAD_NO_HANDLER), "no_handler");
    ck_assert_str_eq(mr_dead_class_name((enum mr_dead_class)99), "unknown");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {each_outcome_has_its_verdict,                  MR_COUNT(rows)  },
        {the_default_backoff_has_full_jitter,           0               },
        {suspects_are_scattered_whatever_the_pool_says, 0               },
        {what_is_over_never_starts,                     MR_COUNT(starts)},
        {who_was_there_at_a_crash_runs_alone,           0               },
        {labels_and_classes_have_their_names,           0               },
    };

    return mr_suite_run("verdict", tests);
}
