#include "proto/number_format.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct {
    const char *format, *printed;
} good[] = {
    {"{series}-{number:6}",               "A-26-000042"                 },
    {"{series}-{year}-{number:6}",        "A-26-2026-000042"            },
    {"{number}_{series}",                 "42_A-26"                     },
    {"Rg.{year}/{series}/{number:1}",     "Rg.2026/A-26/42"             },
    {"{series}-x{number:12}",             "A-26-x000000000042"          },
    {"{year}-{series}.{number:12}.shop1", "2026-A-26.000000000042.shop1"},
};

START_TEST(a_number_is_printed_as_its_format_says)
{
    char out[MR_NUMBER_PRINT];

    ck_assert_int_eq(mr_number_format_check(good[_i].format, false, NULL), MR_OK);
    mr_number_format_print(good[_i].format, "A-26", 2026, 42, out);
    ck_assert_str_eq(out, good[_i].printed);
}
END_TEST

/* clang-format off */
static const struct {
    const char *format;
    bool yearly;
    const char *reason;
} bad[] = {
    {"",                              false, "must hold {series}"},
    {"{series}",                      false, "must hold {number}"},
    {"{number:6}",                    false, "must hold {series}: without it two numbers would be printed alike"},
    {"{series}-{number}",             true,  "must hold {year}, since the numbers of each year begin at 1"},
    {"{series}{number}",              false, "needs one of \"-\", \"_\", \".\", \"/\" before \"{number}\""},
    {"{series}-{year}a{number}",      false, "needs one of \"-\", \"_\", \".\", \"/\" before \"{number}\""},
    {"{series}-{number}-{number}",    false, "has {number} twice"},
    {"{series}-{number:0}",           false, "knows {series}, {year}, {number} and {number:1} to {number:12}, not \"{number:0}\""},
    {"{series}-{number:13}",          false, "knows {series}, {year}, {number} and {number:1} to {number:12}, not \"{number:13}\""},
    {"{series}-{number:+6}",          false, "knows {series}, {year}, {number} and {number:1} to {number:12}, not \"{number:+6}\""},
    {"{series:3}-{number}",           false, "knows {series}, {year}, {number} and {number:1} to {number:12}, not \"{series:3}\""},
    {"{Series}-{number}",             false, "knows {series}, {year}, {number} and {number:1} to {number:12}, not \"{Series}\""},
    {"{series}-{number",              false, "knows {series}, {year}, {number} and {number:1} to {number:12}, not \"{\""},
    {"{series}-{number} x",           false, "takes letters, digits, "},
    {"{series}-\xc3\xbc{number}",     false, "takes letters, digits, "},
    {"{series}-{year}-{number:12}-and-more-so", false, "must be at most 36 bytes long, not 39"},
};
/* clang-format on */

START_TEST(what_is_no_format_is_refused_with_the_reason)
{
    struct mr_err err = {0};

    ck_assert_int_eq(mr_number_format_check(bad[_i].format, bad[_i].yearly, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, bad[_i].reason) == err.text, "%s", err.text);
}
END_TEST

START_TEST(the_longest_number_has_room)
{
    char out[MR_NUMBER_PRINT];

    ck_assert_int_eq(
        mr_number_format_check("{series}-aaaaaaaaaaaaaaaaaaa{number}", false, NULL), MR_OK);
    mr_number_format_print("{series}-aaaaaaaaaaaaaaaaaaa{number}", "ABCDEFGHIJKLMNOPQRST", 2026,
                           INT64_MAX, out);
    ck_assert_str_eq(out, "ABCDEFGHIJKLMNOPQRST-aaaaaaaaaaaaaaaaaaa9223372036854775807");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_number_is_printed_as_its_format_says,       MR_COUNT(good)},
        {what_is_no_format_is_refused_with_the_reason, MR_COUNT(bad) },
        {the_longest_number_has_room,                  0             },
    };

    return mr_suite_run("number_format", tests);
}
