#include "proto/base/histogram.h"
#include "tests/support/suite.h"

START_TEST(upper_bounds_rise_four_a_doubling)
{
    static const uint64_t first[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32};

    for (unsigned b = 0; b < MR_COUNT(first); b++)
        ck_assert_uint_eq(mr_histogram_upper_us(b), first[b]);
    for (unsigned b = 1; b < MR_HISTOGRAM_BUCKETS; b++)
        ck_assert_uint_gt(mr_histogram_upper_us(b), mr_histogram_upper_us(b - 1));
    ck_assert_uint_eq(mr_histogram_upper_us(MR_HISTOGRAM_BUCKETS - 2), 469762048);
    ck_assert_uint_eq(mr_histogram_upper_us(MR_HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}
END_TEST

START_TEST(a_duration_lies_between_the_bounds_of_its_bucket)
{
    for (unsigned b = 0; b < MR_HISTOGRAM_BUCKETS; b++) {
        struct mr_histogram h = {0};
        uint64_t below = b ? mr_histogram_upper_us(b - 1) : 0;

        mr_histogram_add(&h, below + (b > 0));
        mr_histogram_add(&h, mr_histogram_upper_us(b));
        ck_assert_uint_eq(h.buckets[b], 2);
        ck_assert_uint_eq(h.count, 2);
    }
}
END_TEST

static const struct {
    double share;
    uint64_t us;
} shares[] = {
    {0.0,  1  },
    {0.01, 1  },
    {0.5,  56 },
    {0.95, 96 },
    {1.0,  112},
};

START_TEST(a_quantile_is_the_bound_above_it)
{
    struct mr_histogram h = {0};

    for (uint64_t us = 1; us <= 100; us++)
        mr_histogram_add(&h, us);
    ck_assert_uint_eq(h.sum_us, 5050);
    ck_assert_uint_eq(mr_histogram_quantile_us(&h, shares[_i].share), shares[_i].us);
}
END_TEST

START_TEST(a_quantile_knows_the_edges)
{
    struct mr_histogram h = {0};

    ck_assert_uint_eq(mr_histogram_quantile_us(&h, 0.5), 0);
    mr_histogram_add(&h, UINT64_MAX);
    ck_assert_uint_eq(mr_histogram_quantile_us(&h, 0.5),
                      mr_histogram_upper_us(MR_HISTOGRAM_BUCKETS - 2));
}
END_TEST

START_TEST(at_most_counts_up_to_a_bound)
{
    struct mr_histogram h = {0};

    for (uint64_t us = 1; us <= 100; us++)
        mr_histogram_add(&h, us);
    ck_assert_uint_eq(mr_histogram_at_most(&h, 0), 0);
    ck_assert_uint_eq(mr_histogram_at_most(&h, 1), 1);
    ck_assert_uint_eq(mr_histogram_at_most(&h, 64), 64);
    ck_assert_uint_eq(mr_histogram_at_most(&h, 65), 64);
    ck_assert_uint_eq(mr_histogram_at_most(&h, UINT64_MAX), 100);
}
END_TEST

START_TEST(a_merge_adds_everything)
{
    struct mr_histogram a = {0}, b = {0};

    mr_histogram_add(&a, 7);
    mr_histogram_add(&b, 7);
    mr_histogram_add(&b, 1000);
    mr_histogram_merge(&a, &b);
    ck_assert_uint_eq(a.count, 3);
    ck_assert_uint_eq(a.sum_us, 1014);
    ck_assert_uint_eq(mr_histogram_at_most(&a, 7), 2);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {upper_bounds_rise_four_a_doubling,                0               },
        {a_duration_lies_between_the_bounds_of_its_bucket, 0               },
        {a_quantile_is_the_bound_above_it,                 MR_COUNT(shares)},
        {a_quantile_knows_the_edges,                       0               },
        {at_most_counts_up_to_a_bound,                     0               },
        {a_merge_adds_everything,                          0               },
    };

    return mr_suite_run("histogram", tests);
}
