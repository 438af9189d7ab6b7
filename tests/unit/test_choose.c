#include "tests/support/suite.h"
#include "worker/choose.h"

enum { N = 3, NOW_MS = 100000 };

static struct mr_random dice = {.state = 42};

START_TEST(strict_asks_in_the_order_of_the_configuration)
{
    const struct mr_choice queues[N] = {
        {1, NOW_MS},
        {1, NOW_MS},
        {1, NOW_MS}
    };
    unsigned order[N];

    mr_choose(MR_BALANCE_STRICT, 5000, queues, N, NOW_MS, &dice, order);
    for (unsigned i = 0; i < N; i++)
        ck_assert_uint_eq(order[i], i);
}
END_TEST

START_TEST(a_queue_that_waited_too_long_goes_first_the_longest_before_all)
{
    const struct mr_choice queues[N] = {
        {1, NOW_MS       },
        {1, NOW_MS - 6000},
        {1, NOW_MS - 9000}
    };
    unsigned order[N];

    mr_choose(MR_BALANCE_STRICT, 5000, queues, N, NOW_MS, &dice, order);
    ck_assert_uint_eq(order[0], 2);
    ck_assert_uint_eq(order[1], 1);
    ck_assert_uint_eq(order[2], 0);
}
END_TEST

START_TEST(without_max_wait_nothing_jumps_the_queue)
{
    const struct mr_choice queues[N] = {
        {1, NOW_MS},
        {1, 0     },
        {1, 0     }
    };
    unsigned order[N];

    mr_choose(MR_BALANCE_STRICT, 0, queues, N, NOW_MS, &dice, order);
    ck_assert_uint_eq(order[0], 0);
}
END_TEST

START_TEST(weights_decide_how_often_a_queue_is_first)
{
    const struct mr_choice queues[N] = {
        {6, NOW_MS},
        {3, NOW_MS},
        {1, NOW_MS}
    };
    enum { ROUNDS = 10000 };
    int first[N] = {0};

    for (int round = 0; round < ROUNDS; round++) {
        unsigned order[N], seen = 0;

        mr_choose(MR_BALANCE_WEIGHTED, 0, queues, N, NOW_MS, &dice, order);
        for (unsigned i = 0; i < N; i++)
            seen |= 1u << order[i];
        ck_assert_uint_eq(seen, 7); /* each queue once */
        first[order[0]]++;
    }
    ck_assert_int_gt(first[0], ROUNDS * 55 / 100);
    ck_assert_int_lt(first[0], ROUNDS * 65 / 100);
    ck_assert_int_gt(first[1], ROUNDS * 25 / 100);
    ck_assert_int_lt(first[2], ROUNDS * 15 / 100);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {strict_asks_in_the_order_of_the_configuration,                  0},
        {a_queue_that_waited_too_long_goes_first_the_longest_before_all, 0},
        {without_max_wait_nothing_jumps_the_queue,                       0},
        {weights_decide_how_often_a_queue_is_first,                      0},
    };

    return mr_suite_run("choose", tests);
}
