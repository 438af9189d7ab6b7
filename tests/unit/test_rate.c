#include "proto/base/rate.h"
#include "tests/support/suite.h"

#include <string.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static const struct {
    const char *text, *printed;
    uint32_t n;
    uint64_t per_ms;
} good[] = {
    {"10/s",      "10/s",      10,      1000     },
    {"600/m",     "600/m",     600,     60000    },
    {"5/1h",      "5/h",       5,       3600000  },
    {"2/24h",     "2/d",       2,       86400000 },
    {"3/10s",     "3/10s",     3,       10000    },
    {"1/7d",      "1/7d",      1,       604800000},
    {"1/250ms",   "1/250ms",   1,       250      },
    {"1000000/s", "1000000/s", 1000000, 1000     },
    {"0",         "0",         0,       0        },
};

START_TEST(a_rate_is_a_count_and_a_time)
{
    struct mr_rate rate = {.n = 77, .per_ms = 77};
    char printed[48];

    ck_assert_int_eq(mr_rate_parse(good[_i].text, &rate, NULL), MR_OK);
    ck_assert_uint_eq(rate.n, good[_i].n);
    ck_assert_uint_eq(rate.per_ms, good[_i].per_ms);
    mr_rate_print(&rate, printed);
    ck_assert_str_eq(printed, good[_i].printed);
}
END_TEST

static const char *const bad[] = {
    "",           "10",   "/s",   "10/",       "10/ s", "10 /s", "-1/s",
    "0/s",        "1/0",  "1/8d", "1000001/s", "1/s/s", "1.5/s", "10/second",
    "99999999/s", "+1/s", "x/s",  "10\\s",     "1/-1s",
};

START_TEST(what_is_no_rate_is_refused_with_an_example)
{
    struct mr_rate rate = {.n = 77};
    struct mr_err err = {0};

    ck_assert_int_eq(mr_rate_parse(bad[_i], &rate, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "such as 10/s"));
    ck_assert_uint_eq(rate.n, 77);
}
END_TEST

START_TEST(a_full_bucket_gives_all_it_has_at_once_and_then_one_a_step)
{
    const struct mr_rate rate = {.n = 4, .per_ms = 1000};
    struct mr_bucket bucket = {0};
    const uint64_t now = 1000 * S;

    for (int n = 0; n < 4; n++) {
        ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 0, now), 0);
        mr_bucket_take(&bucket, &rate, now);
    }
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 0, now), 250 * MS);
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 3, now), S);
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 0, now + 249 * MS), MS);
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 0, now + 250 * MS), 0);
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 3, now + S), 0);
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &rate, 4, now + 60 * S), 250 * MS);
}
END_TEST

/* Whoever asks whenever it may gets, in any time, what fits into it and one bucket more. */
START_TEST(no_more_than_the_rate_gets_through)
{
    const struct mr_rate rate = {.n = 7, .per_ms = 100};
    struct mr_bucket bucket = {0};
    unsigned taken = 0;

    for (uint64_t now = S; now < 11 * S; now += 333 * 1000)
        if (mr_bucket_wait_ns(&bucket, &rate, 0, now) == 0) {
            mr_bucket_take(&bucket, &rate, now);
            taken++;
        }
    ck_assert_uint_le(taken, 700 + 7);
    ck_assert_uint_ge(taken, 690);
}
END_TEST

START_TEST(without_a_limit_nobody_waits)
{
    const struct mr_rate none = {0};
    struct mr_bucket bucket = {0};

    for (int n = 0; n < 1000; n++)
        mr_bucket_take(&bucket, &none, S);
    ck_assert_uint_eq(mr_rate_step_ns(&none), 0);
    ck_assert_uint_eq(mr_bucket_wait_ns(&bucket, &none, 1000000, S), 0);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_rate_is_a_count_and_a_time,                               MR_COUNT(good)},
        {what_is_no_rate_is_refused_with_an_example,                 MR_COUNT(bad) },
        {a_full_bucket_gives_all_it_has_at_once_and_then_one_a_step, 0             },
        {no_more_than_the_rate_gets_through,                         0             },
        {without_a_limit_nobody_waits,                               0             },
    };

    return mr_suite_run("rate", tests);
}
