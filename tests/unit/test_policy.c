#include "proto/envelope.h"
#include "proto/policy.h"
#include "tests/support/suite.h"

/* An envelope that wishes nothing. */
static struct mr_envelope silent(void)
{
    return (struct mr_envelope){
        .max_tries = MR_ENVELOPE_ABSENT,
        .max_exceptions = MR_ENVELOPE_ABSENT,
        .timeout_s = MR_ENVELOPE_ABSENT,
        .retry_until_s = MR_ENVELOPE_ABSENT,
        .created_at_s = MR_ENVELOPE_ABSENT,
        .delay_s = MR_ENVELOPE_ABSENT,
        .expires_at_s = -1,
        .pushed_at_s = -1,
    };
}

START_TEST(a_silent_envelope_gets_the_pools_policy)
{
    struct mr_policy pool = mr_policy_default();
    struct mr_envelope envelope = silent();

    pool.fail_on_timeout = true;
    pool.tries = 7;
    pool.n_backoff = 1;
    pool.backoff_s[0] = 9;
    struct mr_policy policy = mr_policy_for(&pool, &envelope);
    ck_assert_uint_eq(policy.tries, 7);
    ck_assert_uint_eq(policy.timeout_ms, 60000);
    ck_assert_uint_eq(policy.retry_until_ms, 0);
    ck_assert_uint_eq(policy.expires_at_ms, 0);
    ck_assert_uint_eq(policy.max_crashes, 3);
    ck_assert_uint_eq(policy.max_suspect, 20);
    ck_assert_uint_eq(policy.n_backoff, 1);
    ck_assert_uint_eq(policy.backoff_s[0], 9);
    ck_assert(policy.fail_on_timeout);
}
END_TEST

START_TEST(an_envelopes_wishes_win)
{
    struct mr_policy pool = mr_policy_default();
    struct mr_envelope envelope = silent();

    envelope.max_tries = 0;
    envelope.max_exceptions = 2;
    envelope.timeout_s = 5;
    envelope.retry_until_s = 1700000000;
    envelope.expires_at_s = 1700000000.25;
    envelope.fail_on_timeout = true;
    envelope.n_backoff = 2;
    envelope.backoff_s[0] = 10;
    envelope.backoff_s[1] = 30;
    envelope.delay_s = 120;
    struct mr_policy policy = mr_policy_for(&pool, &envelope);
    ck_assert_uint_eq(policy.tries, 0);
    ck_assert_uint_eq(policy.max_exceptions, 2);
    ck_assert_uint_eq(policy.timeout_ms, 5000);
    ck_assert_uint_eq(policy.retry_until_ms, 1700000000000);
    ck_assert_uint_eq(policy.expires_at_ms, 1700000000250);
    ck_assert(policy.fail_on_timeout);
    ck_assert_uint_eq(policy.n_backoff, 2);
    ck_assert_uint_eq(policy.backoff_s[1], 30);
}
END_TEST

/* Laravel 12.11 and later always write `delay`; without a backoff it is the wait of every retry. */
START_TEST(delay_stands_in_for_a_missing_backoff)
{
    struct mr_policy pool = mr_policy_default();
    struct mr_envelope envelope = silent();

    envelope.delay_s = 120;
    struct mr_policy policy = mr_policy_for(&pool, &envelope);
    ck_assert_uint_eq(policy.n_backoff, 1);
    ck_assert_uint_eq(policy.backoff_s[0], 120);
}
END_TEST

START_TEST(absurd_wishes_are_bounded)
{
    struct mr_policy pool = mr_policy_default();
    struct mr_envelope envelope = silent();

    envelope.max_tries = INT64_MAX;
    envelope.timeout_s = INT64_MAX;
    envelope.expires_at_s = 1e300;
    envelope.delay_s = INT64_MAX;
    struct mr_policy policy = mr_policy_for(&pool, &envelope);
    ck_assert_uint_eq(policy.tries, UINT32_MAX);
    ck_assert_uint_eq(policy.timeout_ms, 3000000000000000);
    ck_assert_uint_eq(policy.expires_at_ms, 3000000000000000);
    ck_assert_uint_eq(policy.backoff_s[0], UINT32_MAX);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_silent_envelope_gets_the_pools_policy, 0},
        {an_envelopes_wishes_win,                 0},
        {delay_stands_in_for_a_missing_backoff,   0},
        {absurd_wishes_are_bounded,               0},
    };

    return mr_suite_run("policy", tests);
}
