#include "jobs/report/decimal.h"
#include "tests/support/suite.h"

#include <string.h>

static struct mr_decimal read(const char *text)
{
    struct mr_decimal number = {0};

    ck_assert_msg(mr_decimal_read(mr_bytes_of(text), &number), "%s", text);
    return number;
}

static void expect(struct mr_decimal number, const char *want)
{
    struct mr_buf got = {0};

    mr_decimal_print(number, &got);
    ck_assert_str_eq(got.at, want);
    mr_buf_fini(&got);
}

static const struct {
    const char *text, *want;
} numbers[] = {
    {"0",                                      "0"                                     },
    {"-0.00",                                  "0.00"                                  },
    {"007",                                    "7"                                     },
    {"-12.50",                                 "-12.50"                                },
    {"-0.05",                                  "-0.05"                                 },
    {"1.5e-7",                                 "0.00000015"                            },
    {"1e20",                                   "100000000000000000000"                 },
    {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
    {"-18446744073709551615.123456",           "-18446744073709551615.123456"          },
};

START_TEST(a_number_keeps_its_digits)
{
    expect(read(numbers[_i].text), numbers[_i].want);
}
END_TEST

static const char *const no_numbers[] = {
    "",    "-",   ".",     "x",     "1x",     "1e",
    "1e+", "--1", "1.2.3", "1e300", "1e-300", "1000000000000000000000000000000000000000"};

START_TEST(what_is_no_number_or_has_no_room_is_told)
{
    struct mr_decimal number;

    ck_assert(!mr_decimal_read(mr_bytes_of(no_numbers[_i]), &number));
}
END_TEST

static const struct {
    const char *number;
    unsigned places;
    const char *want;
} rounded[] = {
    {"0.5",     0, "1"      },
    {"-0.5",    0, "-1"     },
    {"0.49",    0, "0"      },
    {"2.5",     0, "3"      },
    {"1.005",   2, "1.01"   },
    {"-1.005",  2, "-1.01"  },
    {"1.0049",  2, "1.00"   },
    {"999.995", 2, "1000.00"},
    {"7",       2, "7.00"   },
    {"1e-20",   2, "0.00"   },
};

START_TEST(halves_are_rounded_away_from_zero)
{
    expect(mr_decimal_round(read(rounded[_i].number), rounded[_i].places), rounded[_i].want);
}
END_TEST

START_TEST(sums_are_exact_and_say_when_they_have_no_room)
{
    struct mr_decimal sum = {0};

    for (int i = 0; i < 1000; i++)
        ck_assert(mr_decimal_add(sum, read("0.1"), &sum));
    expect(sum, "100.0");
    ck_assert(mr_decimal_add(sum, read("-0.0001"), &sum));
    expect(sum, "99.9999");
    struct mr_decimal most = read("99999999999999999999999999999999999999");
    ck_assert(mr_decimal_add(most, read("1"), &most));
    ck_assert(!mr_decimal_add(most, most, &sum));
}
END_TEST

static const struct {
    const char *a, *b;
    int order;
} pairs[] = {
    {"1",    "2",     -1},
    {"1.0",  "1",     0 },
    {"-1",   "-2",    1 },
    {"0.1",  "0.09",  1 },
    {"9",    "10",    -1},
    {"1e30", "1e-30", 1 },
};

START_TEST(numbers_are_ordered_by_what_they_are)
{
    ck_assert_int_eq(mr_decimal_compare(read(pairs[_i].a), read(pairs[_i].b)), pairs[_i].order);
}
END_TEST

START_TEST(an_average_has_four_places_more)
{
    expect(mr_decimal_share(read("10"), 3), "3.3333");
    expect(mr_decimal_share(read("-0.02"), 3), "-0.006667");
    expect(mr_decimal_share(read("5.00"), 1), "5.000000");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_number_keeps_its_digits,                     MR_COUNT(numbers)   },
        {what_is_no_number_or_has_no_room_is_told,      MR_COUNT(no_numbers)},
        {halves_are_rounded_away_from_zero,             MR_COUNT(rounded)   },
        {sums_are_exact_and_say_when_they_have_no_room, 0                   },
        {numbers_are_ordered_by_what_they_are,          MR_COUNT(pairs)     },
        {an_average_has_four_places_more,               0                   },
    };

    return mr_suite_run("report_decimal", tests);
}
