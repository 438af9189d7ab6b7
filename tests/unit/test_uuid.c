#include "proto/base/uuid.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

START_TEST(a_uuid_has_the_shape_of_version_7)
{
    char uuid[MR_UUID_LEN + 1];

    mr_uuid_make(uuid);
    ck_assert_uint_eq(strlen(uuid), MR_UUID_LEN);
    for (int i = 0; i < MR_UUID_LEN; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            ck_assert_int_eq(uuid[i], '-');
        else
            ck_assert_ptr_nonnull(strchr("0123456789abcdef", uuid[i]));
    }
    ck_assert_int_eq(uuid[14], '7');
    ck_assert_ptr_nonnull(strchr("89ab", uuid[19]));
}
END_TEST

START_TEST(a_uuid_begins_with_the_time_in_ms)
{
    char uuid[MR_UUID_LEN + 1], digits[13];
    long long before_ms = (long long)time(NULL) * 1000;

    mr_uuid_make(uuid);
    snprintf(digits, sizeof(digits), "%.8s%.4s", uuid, uuid + 9);
    long long made_ms = strtoll(digits, NULL, 16);
    ck_assert_int_ge(made_ms, before_ms);
    ck_assert_int_le(made_ms, before_ms + 60000);
}
END_TEST

START_TEST(later_uuids_sort_behind_earlier_ones)
{
    char last[MR_UUID_LEN + 1], next[MR_UUID_LEN + 1];

    mr_uuid_make(last);
    for (int i = 0; i < 20000; i++) {
        mr_uuid_make(next);
        ck_assert_str_lt(last, next);
        memcpy(last, next, sizeof(last));
    }
}
END_TEST

START_TEST(an_incarnation_tells_its_number_of_names)
{
    char a[MR_WORKER_MAX], b[MR_WORKER_MAX];

    mr_worker_make(a, 28);
    mr_worker_make(b, 28);
    ck_assert_str_ne(a, b);
    ck_assert_uint_eq(strlen(a), 35);
    ck_assert_uint_eq(mr_worker_names(a), 28);
}
END_TEST

#define HEX "0123456789abcdef0123456789abcdef"
static const struct {
    const char *worker;
    unsigned names;
} incarnations[] = {
    {HEX "-1",               1      },
    {HEX "-1000000",         1000000},
    {HEX "-1000001",         0      }, /* no reaper names that many keys */
    {HEX "-0",               0      },
    {HEX "-01",              0      },
    {HEX "-",                0      },
    {HEX,                    0      },
    {HEX "-8x",              0      },
    {HEX "-99999999999999",  0      },
    {HEX "0-8",              0      },
    {"0123456789ABCDEF" HEX, 0      },
    {"12-8",                 0      },
    {"",                     0      },
};

START_TEST(what_is_no_incarnation_has_no_names)
{
    ck_assert_uint_eq(mr_worker_names(incarnations[_i].worker), incarnations[_i].names);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_uuid_has_the_shape_of_version_7,        0                     },
        {a_uuid_begins_with_the_time_in_ms,        0                     },
        {later_uuids_sort_behind_earlier_ones,     0                     },
        {an_incarnation_tells_its_number_of_names, 0                     },
        {what_is_no_incarnation_has_no_names,      MR_COUNT(incarnations)},
    };

    return mr_suite_run("uuid", tests);
}
