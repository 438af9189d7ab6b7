#include "dispatcher/ending.h"
#include "tests/support/suite.h"

#include <signal.h>

#define EXITED(code) ((code) << 8)

static const struct {
    struct mr_exit its;
    enum mr_ending want;
} exits[] = {
  /* status, served, asked, killed_by_us */
    {{EXITED(0), true, true, false},    MR_ENDING_CLEAN   },
    {{EXITED(0), true, false, false},   MR_ENDING_CLEAN   },
    {{EXITED(75), true, false, false},  MR_ENDING_RECYCLED},
    {{EXITED(76), true, false, false},  MR_ENDING_FENCED  },
    {{EXITED(70), true, false, false},  MR_ENDING_CRASHED },
    {{SIGSEGV, true, false, false},     MR_ENDING_CRASHED },
    {{SIGKILL, true, false, false},     MR_ENDING_CRASHED }, /* somebody else's kill */
    {{SIGKILL, true, true, true},       MR_ENDING_KILLED  },
    {{EXITED(1), false, false, false},  MR_ENDING_FAILED  },
    {{SIGKILL, false, false, true},     MR_ENDING_FAILED  }, /* never said ready */
    {{SIGTERM, false, true, false},     MR_ENDING_CLEAN   }, /* told to stop while it started */
    {{EXITED(78), false, false, false}, MR_ENDING_CONFIG  },
    {{EXITED(78), true, false, false},  MR_ENDING_CONFIG  },
};

START_TEST(an_exit_is_read_with_what_went_before)
{
    ck_assert_str_eq(mr_ending_name(mr_ending_of(&exits[_i].its)),
                     mr_ending_name(exits[_i].want));
}
END_TEST

START_TEST(the_wait_doubles_until_half_a_minute)
{
    static const unsigned want_ms[] = {100,  200,   400,   800,   1600, 3200,
                                       6400, 12800, 25600, 30000, 30000};

    ck_assert_uint_eq(mr_ending_wait_ms(MR_ENDING_FAILED, (unsigned)_i + 1, 0), want_ms[_i]);
}
END_TEST

START_TEST(jitter_takes_no_more_than_half)
{
    ck_assert_uint_eq(mr_ending_wait_ms(MR_ENDING_CRASHED, 4, UINT32_MAX), 400);
}
END_TEST

START_TEST(a_bad_configuration_waits_long_from_the_start)
{
    ck_assert_uint_ge(mr_ending_wait_ms(MR_ENDING_CONFIG, 1, UINT32_MAX), 30000);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_exit_is_read_with_what_went_before,         MR_COUNT(exits)},
        {the_wait_doubles_until_half_a_minute,          11             },
        {jitter_takes_no_more_than_half,                0              },
        {a_bad_configuration_waits_long_from_the_start, 0              },
    };

    return mr_suite_run("ending", tests);
}
