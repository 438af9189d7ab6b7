#include "proto/promise.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct {
    const char *appendonly, *appendfsync, *save;
    enum mr_durability want;
} settings[] = {
    {"yes", "always",   "",               MR_DURABILITY_ALWAYS  },
    {"yes", "everysec", "3600 1",         MR_DURABILITY_EVERYSEC},
    {"yes", "no",       "",               MR_DURABILITY_OS      },
    {"no",  "always",   "3600 1 300 100", MR_DURABILITY_SNAPSHOT},
    {"no",  "everysec", "",               MR_DURABILITY_NONE    },
    {NULL,  NULL,       NULL,             MR_DURABILITY_UNKNOWN },
    {"yes", NULL,       "",               MR_DURABILITY_UNKNOWN },
    {"no",  "always",   NULL,             MR_DURABILITY_UNKNOWN },
};

START_TEST(settings_are_judged_by_what_survives_a_kill)
{
    ck_assert_int_eq(
        mr_promise_judge(settings[_i].appendonly, settings[_i].appendfsync, settings[_i].save),
        settings[_i].want);
}
END_TEST

START_TEST(the_line_promises_no_more_than_holds)
{
    char line[256];

    for (int d = MR_DURABILITY_UNKNOWN; d <= MR_DURABILITY_NONE; d++) {
        mr_promise_say(d, "noeviction", line, sizeof(line));
        ck_assert_int_eq(strstr(line, "no acknowledged job is lost") != NULL,
                         d == MR_DURABILITY_ALWAYS);
    }
}
END_TEST

START_TEST(eviction_of_queues_is_warned_of)
{
    char line[256];

    mr_promise_say(MR_DURABILITY_ALWAYS, "allkeys-lru", line, sizeof(line));
    ck_assert_ptr_nonnull(strstr(line, "allkeys-lru may throw whole queues away"));
    ck_assert(!mr_promise_may_evict("volatile-lru"));
    ck_assert(!mr_promise_may_evict(NULL));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {settings_are_judged_by_what_survives_a_kill, MR_COUNT(settings)},
        {the_line_promises_no_more_than_holds,        0                 },
        {eviction_of_queues_is_warned_of,             0                 },
    };

    return mr_suite_run("promise", tests);
}
