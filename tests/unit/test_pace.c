#include "tests/support/suite.h"
#include "worker/pace.h"

START_TEST(nothing_is_prefetched_while_the_pace_is_unknown)
{
    struct mr_pace pace = {0};

    ck_assert_uint_eq(mr_pace_ahead(&pace, 20), 0);
    ck_assert_uint_eq(mr_pace_read_step(&pace), MR_PACE_FIRST);
}
END_TEST

START_TEST(slow_jobs_are_never_prefetched)
{
    struct mr_pace pace = {.mean_ns = MR_PACE_AHEAD_US * 1000, .mean_bytes = 400};

    ck_assert_uint_eq(mr_pace_ahead(&pace, 1000), 0);
}
END_TEST

START_TEST(prefetch_is_what_starts_within_two_milliseconds)
{
    static const struct {
        uint32_t mean_us, bytes;
        unsigned concurrency, want;
    } rows[] = {
        {1000, 400,             1,  2  },
        {1000, 400,             10, 20 },
        {100,  400,             1,  20 },
        {1,    400,             20, 256},
        {1,    16 * 1024,       20, 64 },
        {1,    8 * 1024 * 1024, 20, 2  },
        {1999, 400,             1,  1  },
    };
    struct mr_pace pace = {.mean_ns = rows[_i].mean_us * 1000, .mean_bytes = rows[_i].bytes};

    ck_assert_uint_eq(mr_pace_ahead(&pace, rows[_i].concurrency), rows[_i].want);
}
END_TEST

START_TEST(jobs_that_keep_the_loop_start_one_after_the_other)
{
    struct mr_pace pace = {.mean_ns = 100000, .mean_bytes = 400, .on_loop = true};

    ck_assert_uint_eq(mr_pace_ahead(&pace, 1000), 20);
}
END_TEST

START_TEST(the_mean_follows_what_is_seen)
{
    struct mr_pace pace = {0};

    mr_pace_ran(&pace, 800);
    ck_assert_uint_eq(pace.mean_ns, 800);
    for (int i = 0; i < 100; i++)
        mr_pace_ran(&pace, 80000);
    ck_assert_uint_gt(pace.mean_ns, 79000);
    mr_pace_ran(&pace, UINT64_MAX);
    ck_assert_uint_gt(pace.mean_ns, 80000);
    for (int i = 0; i < 200; i++)
        mr_pace_ran(&pace, 0);
    ck_assert_uint_lt(pace.mean_ns, 10);
    ck_assert_uint_gt(pace.mean_ns, 0); /* 0 would say that nothing is known */
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {nothing_is_prefetched_while_the_pace_is_unknown,   0},
        {slow_jobs_are_never_prefetched,                    0},
        {prefetch_is_what_starts_within_two_milliseconds,   7},
        {jobs_that_keep_the_loop_start_one_after_the_other, 0},
        {the_mean_follows_what_is_seen,                     0},
    };

    return mr_suite_run("pace", tests);
}
