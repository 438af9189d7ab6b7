#include "jobs/billing/money.h"
#include "tests/support/suite.h"

#include <locale.h>

static const struct mr_currency *currency(const char *code)
{
    const struct mr_currency *found = NULL;

    ck_assert_int_eq(mr_currency_find(code, &found, NULL), MR_OK);
    return found;
}

static const struct {
    const char *code;
    int64_t minor;
    const char *printed;
} amounts[] = {
    {"EUR", 0,         "0.00 EUR"                      },
    {"EUR", 5,         "0.05 EUR"                      },
    {"EUR", 123450,    "1,234.50 EUR"                  },
    {"EUR", 100000,    "1,000.00 EUR"                  },
    {"EUR", 99999,     "999.99 EUR"                    },
    {"EUR", -123450,   "-1,234.50 EUR"                 },
    {"EUR", -1,        "-0.01 EUR"                     },
    {"JPY", 1234,      "1,234 JPY"                     },
    {"JPY", 0,         "0 JPY"                         },
    {"JPY", 1000000,   "1,000,000 JPY"                 },
    {"KWD", 1,         "0.001 KWD"                     },
    {"KWD", 1234567,   "1,234.567 KWD"                 },
    {"CLF", 12345,     "1.2345 CLF"                    },
    {"EUR", INT64_MAX, "92,233,720,368,547,758.07 EUR" },
    {"EUR", INT64_MIN, "-92,233,720,368,547,758.08 EUR"},
    {"JPY", INT64_MIN, "-9,223,372,036,854,775,808 JPY"},
};

START_TEST(an_amount_is_printed_with_the_digits_of_its_currency)
{
    char printed[MR_MONEY_PRINT];

    setlocale(LC_ALL, "");
    mr_money_print(amounts[_i].minor, currency(amounts[_i].code), printed);
    ck_assert_str_eq(printed, amounts[_i].printed);
}
END_TEST

static const struct {
    const char *code, *reason;
} refused[] = {
    {"XAU",  "\"XAU\" has no minor unit"      },
    {"XXX",  "\"XXX\" has no minor unit"      },
    {"XTS",  "\"XTS\" has no minor unit"      },
    {"EURO", "\"EURO\" is no currency"        },
    {"eur",  "\"eur\" is no currency"         },
    {"",     "\"\" is no currency of ISO 4217"},
    {"DEM",  "\"DEM\" is no currency"         },
};

START_TEST(what_nobody_can_pay_in_is_refused_by_name)
{
    const struct mr_currency *out = NULL;
    struct mr_err err;

    ck_assert_int_eq(mr_currency_find(refused[_i].code, &out, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, refused[_i].reason));
    ck_assert_ptr_null(out);
}
END_TEST

static const struct {
    int64_t net;
    unsigned tax_bp;
    int64_t tax;
} taxes[] = {
    {10000,     1900,  1900                },
    {0,         1900,  0                   },
    {1,         1900,  0                   },
    {3,         1900,  1                   }, /* 0.57 */
    {50,        100,   0                   }, /* 0.5: to the even 0 */
    {150,       100,   2                   }, /* 1.5: to the even 2 */
    {250,       100,   2                   }, /* 2.5: to the even 2 */
    {350,       100,   4                   },
    {251,       100,   3                   }, /* just above the half */
    {249,       100,   2                   },
    {-50,       100,   0                   },
    {-150,      100,   -2                  },
    {-250,      100,   -2                  },
    {-251,      100,   -3                  },
    {5,         5000,  2                   },
    {7,         5000,  4                   },
    {12345,     0,     0                   },
    {12345,     10000, 12345               },
    {INT64_MAX, 10000, INT64_MAX           },
    {INT64_MIN, 10000, INT64_MIN           },
    {INT64_MAX, 5000,  4611686018427387904 }, /* ...903.5 */
    {INT64_MAX, 1,     922337203685478     },
    {INT64_MIN, 5000,  -4611686018427387904},
};

START_TEST(tax_is_rounded_to_the_nearest_and_a_half_to_the_even)
{
    ck_assert_int_eq(mr_money_tax(taxes[_i].net, taxes[_i].tax_bp), taxes[_i].tax);
}
END_TEST

START_TEST(what_is_beyond_int64_is_told_and_never_wraps)
{
    int64_t out = 7;

    ck_assert(!mr_money_add(INT64_MAX, 1, &out));
    ck_assert(!mr_money_add(INT64_MIN, -1, &out));
    ck_assert(!mr_money_times(INT64_MAX, 2, &out));
    ck_assert(!mr_money_times(INT64_MIN, -1, &out));
    ck_assert_int_eq(out, 7);
    ck_assert(mr_money_add(INT64_MAX, INT64_MIN, &out));
    ck_assert_int_eq(out, -1);
    ck_assert(mr_money_times(INT64_MAX, 1, &out));
    ck_assert_int_eq(out, INT64_MAX);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_amount_is_printed_with_the_digits_of_its_currency, MR_COUNT(amounts)},
        {what_nobody_can_pay_in_is_refused_by_name,            MR_COUNT(refused)},
        {tax_is_rounded_to_the_nearest_and_a_half_to_the_even, MR_COUNT(taxes)  },
        {what_is_beyond_int64_is_told_and_never_wraps,         0                },
    };

    return mr_suite_run("money", tests);
}
