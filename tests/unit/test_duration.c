#include "proto/base/duration.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct {
    const char *text;
    uint64_t ms;
    const char *printed;
} spans[] = {
    {"0",                           0,           "0s"                         },
    {"250ms",                       250,         "250ms"                      },
    {"10s",                         10000,       "10s"                        },
    {"10",                          10000,       "10s"                        },
    {"90s",                         90000,       "1m30s"                      },
    {"1h30m",                       5400000,     "1h30m"                      },
    {"2d",                          172800000,   "2d"                         },
    {"1d1h1m1s1ms",                 90061001,    "1d1h1m1s1ms"                },
    {"180d",                        15552000000, "180d"                       },
    {"18446744073709551615ms",      UINT64_MAX,  "213503982334d14h25m51s615ms"},
    {"213503982334d14h25m51s615ms", UINT64_MAX,  "213503982334d14h25m51s615ms"},
};

START_TEST(a_span_is_read_and_spelled_shortest)
{
    char printed[32];
    uint64_t ms = 1;

    ck_assert_int_eq(mr_duration_parse(spans[_i].text, &ms, NULL), MR_OK);
    ck_assert_uint_eq(ms, spans[_i].ms);
    mr_duration_print(ms, printed);
    ck_assert_str_eq(printed, spans[_i].printed);
}
END_TEST

static const char *const no_spans[] = {
    "",
    " 10s",
    "10s ",
    "s",
    "-1s",
    "+1s",
    "1.5s",
    "10sec",
    "30m1h",
    "1s1s",
    "1h30",
    "10 s",
    "1S",
    "ms",
    "1ms2",
    "0x10",
    "18446744073709551616ms",
    "18446744073709551616",
    "18446744073709552",
    "213503982335d",
    "213503982334d14h25m51s616ms",
};

START_TEST(what_is_no_span_is_refused)
{
    struct mr_err err;
    uint64_t ms = 77;

    ck_assert_int_eq(mr_duration_parse(no_spans[_i], &ms, &err), MR_EINVAL);
    ck_assert_uint_eq(ms, 77);
    ck_assert_ptr_nonnull(strstr(err.text, "is no span of time"));
}
END_TEST

static const struct {
    const char *text;
    uint64_t bytes;
    const char *printed;
} sizes[] = {
    {"0",                    0,                       "0"                   },
    {"512",                  512,                     "512"                 },
    {"512B",                 512,                     "512"                 },
    {"64KiB",                65536,                   "64KiB"               },
    {"1024KiB",              1048576,                 "1MiB"                },
    {"8MiB",                 8388608,                 "8MiB"                },
    {"1GiB",                 1073741824,              "1GiB"                },
    {"2TiB",                 UINT64_C(2199023255552), "2TiB"                },
    {"10kB",                 10000,                   "10kB"                },
    {"10MB",                 10000000,                "10MB"                },
    {"3GB",                  UINT64_C(3000000000),    "3GB"                 },
    {"1000001",              1000001,                 "1000001"             },
    {"18446744073709551615", UINT64_MAX,              "18446744073709551615"},
};

START_TEST(a_size_is_read_and_spelled_exactly)
{
    char printed[32];
    uint64_t bytes = 1;

    ck_assert_int_eq(mr_size_parse(sizes[_i].text, &bytes, NULL), MR_OK);
    ck_assert_uint_eq(bytes, sizes[_i].bytes);
    mr_size_print(bytes, printed);
    ck_assert_str_eq(printed, sizes[_i].printed);
}
END_TEST

static const char *const no_sizes[] = {
    "",
    "MiB",
    "64K",
    "64kb",
    "64mib",
    "-1",
    "1.5GiB",
    "64 KiB",
    "1MiB2KiB",
    "1MiB2",
    "18446744073709551616",
    "16777217TiB",
};

START_TEST(what_is_no_size_is_refused)
{
    struct mr_err err;
    uint64_t bytes = 77;

    ck_assert_int_eq(mr_size_parse(no_sizes[_i], &bytes, &err), MR_EINVAL);
    ck_assert_uint_eq(bytes, 77);
    ck_assert_ptr_nonnull(strstr(err.text, "is no size"));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_span_is_read_and_spelled_shortest, MR_COUNT(spans)   },
        {what_is_no_span_is_refused,          MR_COUNT(no_spans)},
        {a_size_is_read_and_spelled_exactly,  MR_COUNT(sizes)   },
        {what_is_no_size_is_refused,          MR_COUNT(no_sizes)},
    };

    return mr_suite_run("duration", tests);
}
