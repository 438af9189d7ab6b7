#include "jobs/billing/invoice.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE "{\"text\":\"t\",\"quantity\":1,\"unit_minor\":100,\"tax_bp\":1900}"
#define WITH(members) "{\"customer\":\"c\",\"currency\":\"EUR\"," members "}"
#define LINES(lines) WITH("\"lines\":[" lines "]")
#define ONE(quantity, unit, tax)                                                               \
    "{\"text\":\"t\",\"quantity\":" quantity ",\"unit_minor\":" unit ",\"tax_bp\":" tax "}"

static enum mr_code read_from(const char *data, struct mr_invoice *out, struct mr_err *err)
{
    json_error_t where;
    json_t *value = json_loads(data, JSON_ALLOW_NUL | JSON_DECODE_ANY, &where);

    ck_assert_msg(value != NULL, "%s: %s", where.text, data);
    enum mr_code code = mr_invoice_read(value, "INV", out, err);
    json_decref(value);
    return code;
}

static struct mr_invoice invoice_of(const char *data)
{
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};

    ck_assert_msg(read_from(data, &invoice, &err) == MR_OK, "%s", err.text);
    return invoice;
}

START_TEST(an_invoice_is_read_and_summed_line_by_line)
{
    struct mr_invoice invoice = invoice_of(
        "{\"customer\":\"c-1\",\"currency\":\"EUR\",\"series\":\"A-26\",\"lines\":["
        "{\"text\":\"Gr\xc3\xbc\xc3\x9f"
        "e\",\"quantity\":3,\"unit_minor\":1250,\"tax_bp\":1900},"
        "{\"text\":\"discount\",\"quantity\":1,\"unit_minor\":-250,\"tax_bp\":700}]}");

    ck_assert_str_eq(invoice.customer, "c-1");
    ck_assert_str_eq(invoice.series, "A-26");
    ck_assert_str_eq(invoice.currency->code, "EUR");
    ck_assert_uint_eq(invoice.n_lines, 2);
    ck_assert_int_eq(invoice.lines[0].net_minor, 3750);
    ck_assert_int_eq(invoice.lines[0].tax_minor, 712); /* 712.5, to the even */
    ck_assert_int_eq(invoice.lines[1].net_minor, -250);
    ck_assert_int_eq(invoice.lines[1].tax_minor, -18); /* 17.5, to the even */
    ck_assert_int_eq(invoice.net_minor, 3500);
    ck_assert_int_eq(invoice.tax_minor, 694);
    ck_assert_int_eq(invoice.total_minor, 4194);
    mr_invoice_fini(&invoice);
}
END_TEST

START_TEST(without_a_series_it_gets_the_configured_one)
{
    struct mr_invoice invoice = invoice_of(LINES(LINE));

    ck_assert_str_eq(invoice.series, "INV");
    mr_invoice_fini(&invoice);
}
END_TEST

START_TEST(the_largest_amount_there_is_can_be_owed)
{
    struct mr_invoice invoice = invoice_of(LINES(ONE("1", "9223372036854775807", "0")));

    ck_assert_int_eq(invoice.total_minor, INT64_MAX);
    mr_invoice_fini(&invoice);
}
END_TEST

/* clang-format off */
static const struct {
    const char *data, *reason;
} refused[] = {
    {"7",                                        "data must be an object {customer, currency, lines}, not a number"},
    {"{}",                                       "data.customer is missing: it must be a string"},
    {"{\"customer\":7}",                         "data.customer must be a string, not a number"},
    {"{\"customer\":\"\"}",                      "data.customer must be 1 to 64 bytes long, not 0"},
    {"{\"customer\":\"a\\nb\"}",                 "data.customer must not hold control characters"},
    {"{\"customer\":\"a\\u0000b\"}",             "data.customer must not hold control characters"},
    {"{\"customer\":\"a\\u0085b\"}",             "data.customer must not hold control characters"},
    {"{\"customer\":\"c\"}",                     "data.currency is missing: it must be a code of ISO 4217"},
    {"{\"customer\":\"c\",\"currency\":978}",    "data.currency must be a code of ISO 4217, such as \"EUR\", not a number"},
    {"{\"customer\":\"c\",\"currency\":\"XAU\"}",
     "data.currency: \"XAU\" has no minor unit"},
    {"{\"customer\":\"c\",\"currency\":\"ABC\"}",
     "data.currency: \"ABC\" is no currency"},
    {WITH("\"series\":\"inv\""),                 "data.series must be 1 to 20 of A-Z, 0-9 and \"-\", not \"inv\""},
    {WITH("\"series\":\"../../etc\""),           "data.series must be 1 to 20 of"},
    {WITH("\"series\":\"ABCDEFGHIJKLMNOPQRSTU\""),
     "data.series must be 1 to 20 of"},
    {WITH("\"series\":[]"),                      "data.series must be a string, not a list"},
    {WITH("\"date\":7"),                         "data.date must be a day such as \"2026-12-31\", not a number"},
    {WITH("\"date\":\"2026-02-29\""),            "data.date must be a day of the calendar such as \"2026-12-31\", not \"2026-02-29\""},
    {WITH("\"due\":\"14d\""),                    "data.due must be a day of the calendar"},
    {WITH("\"notes\":[]"),                       "data.notes must be a string, not a list"},
    {WITH("\"notes\":\"a\\tb\""),                "data.notes must not hold control characters but line ends"},
    {WITH("\"series\":\"A\""),                   "data.lines is missing: it must be a list"},
    {WITH("\"lines\":\"none\""),                 "data.lines must be a list, not a string"},
    {LINES(""),                                  "data.lines must hold 1 to 1000 lines, not 0"},
    {LINES("7"),                                 "data.lines[0] must be an object {text, quantity, unit_minor, tax_bp}, not "},
    {LINES(LINE ",{}"),                          "data.lines[1].text is missing: it must be a string"},
    {LINES("{\"text\":null}"),                   "data.lines[0].text must be a string, not null"},
    {LINES("{\"text\":\"a\\tb\"}"),              "data.lines[0].text must not hold control characters"},
    {LINES("{\"text\":\"a\\u2028b\"}"),          "data.lines[0].text must not hold control characters or line ends"},
    {LINES("{\"text\":\"a\\u2029b\"}"),          "data.lines[0].text must not hold control characters or line ends"},
    {LINES(LINE "," LINE "," ONE("0", "1", "1")),
     "data.lines[2].quantity must be a whole number from 1 on, not 0"},
    {LINES(ONE("1.5", "1", "1")),                "data.lines[0].quantity must be a whole number from 1 on, not a fraction"},
    {LINES(LINE "," LINE "," LINE "," ONE("1", "\"100\"", "1")),
     "data.lines[3].unit_minor must be a whole number of minor units (cents), not a string"},
    {LINES(ONE("1", "12.5", "1")),               "data.lines[0].unit_minor must be a whole number of minor units (cents), not a fraction"},
    {LINES("{\"text\":\"t\",\"quantity\":1}"),   "data.lines[0].unit_minor is missing: it must be a whole number of minor"},
    {LINES(ONE("1", "1", "-1")),                 "data.lines[0].tax_bp must be a whole number of basis points, 0 to 10000, not -1"},
    {LINES(ONE("1", "1", "10001")),              "data.lines[0].tax_bp must be a whole number of basis points, 0 to 10000, not 10001"},
    {LINES(ONE("2", "9223372036854775807", "0")),
     "data.lines[0]: 2 times 9223372036854775807 is beyond int64"},
    {LINES(LINE "," ONE("1", "9223372036854775807", "0")),
     "data.lines: with lines[1] the sum is beyond int64"},
    {LINES(ONE("1", "9223372036854775807", "1")),
     "data.lines: with lines[0] the sum is beyond int64"},
    {LINES(ONE("1", "-100", "0")),               "data.lines: the total is -100, below 0"},
};
/* clang-format on */

START_TEST(what_is_no_invoice_is_refused_with_its_place)
{
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};

    ck_assert_int_eq(read_from(refused[_i].data, &invoice, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, refused[_i].reason) == err.text, "%s", err.text);
    ck_assert_ptr_null(invoice.lines);
}
END_TEST

START_TEST(a_thousand_lines_are_read_and_one_more_is_not)
{
    json_t *data =
        json_loads("{\"customer\":\"c\",\"currency\":\"EUR\",\"lines\":[]}", 0, NULL);
    struct mr_invoice invoice = {0};
    struct mr_err err;

    for (unsigned n = 0; n < MR_INVOICE_LINES; n++)
        json_array_append_new(json_object_get(data, "lines"), json_loads(LINE, 0, NULL));
    ck_assert_int_eq(mr_invoice_read(data, "INV", &invoice, &err), MR_OK);
    ck_assert_int_eq(invoice.total_minor, 119 * (int64_t)MR_INVOICE_LINES);
    mr_invoice_fini(&invoice);
    json_array_append_new(json_object_get(data, "lines"), json_loads(LINE, 0, NULL));
    ck_assert_int_eq(mr_invoice_read(data, "INV", &invoice, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "data.lines must hold 1 to 1000 lines, not 1001");
    json_decref(data);
}
END_TEST

START_TEST(a_bad_configured_series_is_called_by_its_option)
{
    json_t *data = json_loads(LINES(LINE), 0, NULL);
    struct mr_invoice invoice = {0};
    struct mr_err err;

    ck_assert_int_eq(mr_invoice_read(data, "inv 1", &invoice, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "billing.series must be 1 to 20 of"));
    json_decref(data);
}
END_TEST

static const struct {
    const char *text, *full; /* NULL: none */
} numbers[] = {
    {"INV-000042",              "INV-000042"  },
    {"INV-42",                  "INV-000042"  },
    {"A-26-1000000",            "A-26-1000000"},
    {"INV",                     NULL          },
    {"INV-",                    NULL          },
    {"-7",                      NULL          },
    {"inv-7",                   NULL          },
    {"INV-7a",                  NULL          },
    {"INV-9999999999999999999", NULL          },
    {"",                        NULL          },
};

START_TEST(a_number_cut_short_is_completed_as_it_was_printed)
{
    char full[MR_INVOICE_NUMBER];
    bool is_one = mr_invoice_full_number(numbers[_i].text, full);

    ck_assert_int_eq(is_one, numbers[_i].full != NULL);
    if (is_one)
        ck_assert_str_eq(full, numbers[_i].full);
}
END_TEST

START_TEST(an_invoice_may_say_its_days_and_notes)
{
    struct mr_invoice invoice = invoice_of(
        WITH("\"date\":\"2026-12-31\",\"due\":\"2027-01-14\",\"notes\":"
             "\"Reverse charge:\\nthe customer owes the tax.\",\"lines\":[" LINE "]"));

    ck_assert_str_eq(invoice.date, "2026-12-31");
    ck_assert_str_eq(invoice.due, "2027-01-14");
    ck_assert_str_eq(invoice.notes, "Reverse charge:\nthe customer owes the tax.");
    mr_invoice_fini(&invoice);
}
END_TEST

/* ---- asked for again ---- */

#define ASKED(customer, more, line)                                                            \
    "{\"customer\":\"" customer "\",\"currency\":\"EUR\"," more "\"lines\":[" line "]}"
#define ISSUED                                                                                 \
    ASKED("c", "\"date\":\"2026-12-31\",\"due\":\"2027-01-14\",\"notes\":\"n\",", LINE)

/* One row: what is asked for, and whether that is ISSUED. */
static const struct {
    const char *data;
    bool same;
} again[] = {
    {ISSUED,            true              },
    {          ASKED("c", "\"notes\":\"n\",",                          LINE), true},
    {          ASKED("d", "\"notes\":\"n\",",                         LINE), false},
    {          ASKED("c", "",                         LINE), false},
    {          ASKED("c", "\"notes\":\"m\",",                         LINE), false},
    {          ASKED("c", "\"notes\":\"n\",\"date\":\"2026-12-30\",",                         LINE), false},
    {          ASKED("c", "\"notes\":\"n\",\"due\":\"2027-01-15\",",                         LINE), false},
    {          ASKED("c", "\"notes\":\"n\",\"series\":\"B\",",                         LINE), false},
    {          ASKED("c", "\"notes\":\"n\",",                LINE "," ONE("1", "0", "0")), false},
    {     ASKED("c",         "\"notes\":\"n\",", ONE("100", "1", "1900")), false},
    {ASKED("c",  "\"notes\":\"n\",",
     "{\"text\":\"u\",\"quantity\":1,\"unit_minor\":100,\"tax_bp\":1900}"),
     false},
};

START_TEST(another_invoice_of_the_same_sum_is_not_the_same)
{
    struct mr_invoice issued = invoice_of(ISSUED), asked = invoice_of(again[_i].data);

    ck_assert_int_eq(mr_invoice_is_same(&issued, &asked), again[_i].same);
    mr_invoice_fini(&issued);
    mr_invoice_fini(&asked);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_invoice_is_read_and_summed_line_by_line,        0                },
        {without_a_series_it_gets_the_configured_one,       0                },
        {the_largest_amount_there_is_can_be_owed,           0                },
        {what_is_no_invoice_is_refused_with_its_place,      MR_COUNT(refused)},
        {a_thousand_lines_are_read_and_one_more_is_not,     0                },
        {a_bad_configured_series_is_called_by_its_option,   0                },
        {a_number_cut_short_is_completed_as_it_was_printed, MR_COUNT(numbers)},
        {an_invoice_may_say_its_days_and_notes,             0                },
        {another_invoice_of_the_same_sum_is_not_the_same,   MR_COUNT(again)  },
    };

    return mr_suite_run("invoice", tests);
}
