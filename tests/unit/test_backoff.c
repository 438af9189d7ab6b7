#include "proto/backoff.h"
#include "tests/support/suite.h"

static const struct {
    struct mr_backoff backoff;
    uint32_t attempt, roll, wait_ms;
} rows[] = {
    {{100, 1000, 0},                1,          0,              100       },
    {{100, 1000, 0},                2,          0,              200       },
    {{100, 1000, 0},                4,          0,              800       },
    {{100, 1000, 0},                5,          0,              1000      },
    {{100, 1000, 0},                UINT32_MAX, 0,              1000      },
    {{100, 1000, 0},                0,          0,              100       },
    {{5000, 1000, 0},               1,          0,              1000      },
    {{0, 1000, 0},                  UINT32_MAX, 0,              0         },
    {{100, 1000, 100},              1,          UINT32_MAX,     0         }, /* full jitter: anything from 0 */
    {{100, 1000, 100},              1,          UINT32_MAX / 2, 51        },
    {{100, 1000, 50},               1,          UINT32_MAX,     50        },
    {{UINT32_MAX, UINT32_MAX, 100}, 9,          0,              UINT32_MAX},
    {{UINT32_MAX, UINT32_MAX, 100}, 9,          UINT32_MAX,     0         },
    {{1u << 31, UINT32_MAX, 0},     2,          0,              UINT32_MAX},
};

START_TEST(wait_doubles_until_the_cap_and_shrinks_by_the_roll)
{
    ck_assert_uint_eq(mr_backoff_delay_ms(&rows[_i].backoff, rows[_i].attempt, rows[_i].roll),
                      rows[_i].wait_ms);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {wait_doubles_until_the_cap_and_shrinks_by_the_roll, MR_COUNT(rows)},
    };

    return mr_suite_run("backoff", tests);
}
