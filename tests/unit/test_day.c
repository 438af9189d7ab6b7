#include "jobs/billing/day.h"
#include "tests/support/suite.h"

static const struct {
    const char *zone;
    int64_t at_s;
    const char *day;
} instants[] = {
    {"UTC",                 1798761599, "2026-12-31"}, /* 23:59:59 */
    {"UTC",                 1798761600, "2027-01-01"},
    {"Europe/Berlin",       1798757999, "2026-12-31"}, /* an hour earlier there */
    {"Europe/Berlin",       1798758000, "2027-01-01"},
    {"Europe/Berlin",       1782856799, "2026-06-30"}, /* two in summer */
    {"Europe/Berlin",       1782856800, "2026-07-01"},
    {"America/Los_Angeles", 1798761600, "2026-12-31"},
    {"Pacific/Kiritimati",  1798711200, "2027-01-01"},
    {"UTC",                 -1,         "1969-12-31"},
};

START_TEST(the_new_year_begins_where_the_invoices_are_written)
{
    struct mr_zone *zone = NULL;
    char day[MR_DAY];

    ck_assert_int_eq(mr_zone_open(instants[_i].zone, &zone, NULL), MR_OK);
    mr_zone_day(zone, instants[_i].at_s, day);
    ck_assert_str_eq(day, instants[_i].day);
    mr_zone_close(zone);
}
END_TEST

START_TEST(a_zone_that_nobody_knows_is_refused)
{
    struct mr_zone *zone = NULL;
    struct mr_err err;

    ck_assert_int_eq(mr_zone_open("Europe/Berlim", &zone, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "\"Europe/Berlim\" is no time zone that this system knows (UTC, "
                               "Europe/Berlin; package tzdata)");
    ck_assert_ptr_null(zone);
}
END_TEST

static const struct {
    const char *text;
    bool is;
} days[] = {
    {"2026-12-31",  true },
    {"2028-02-29",  true },
    {"1970-01-01",  true },
    {"2026-02-29",  false},
    {"2026-13-01",  false},
    {"2026-00-10",  false},
    {"2026-1-01",   false},
    {"2026-01-1",   false},
    {"2026-01-011", false},
    {"1969-12-31",  false},
    {"3000-01-01",  false},
    {"-026-01-01",  false},
    {"2026-01--1",  false},
    {"31.12.2026",  false},
    {"",            false},
};

START_TEST(a_day_is_one_of_the_calendar)
{
    ck_assert_int_eq(mr_day_is(days[_i].text), days[_i].is);
}
END_TEST

static const struct {
    const char *day;
    unsigned days;
    const char *later;
} additions[] = {
    {"2026-12-31", 0,   "2026-12-31"},
    {"2026-12-31", 1,   "2027-01-01"},
    {"2028-02-28", 1,   "2028-02-29"},
    {"2026-12-20", 14,  "2027-01-03"},
    {"2027-01-01", 365, "2028-01-01"},
};

START_TEST(days_are_added_over_months_and_years)
{
    char out[MR_DAY];

    mr_day_add(additions[_i].day, additions[_i].days, out);
    ck_assert_str_eq(out, additions[_i].later);
    ck_assert_uint_eq(mr_day_year("2026-12-31"), 2026);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {the_new_year_begins_where_the_invoices_are_written, MR_COUNT(instants) },
        {a_zone_that_nobody_knows_is_refused,                0                  },
        {a_day_is_one_of_the_calendar,                       MR_COUNT(days)     },
        {days_are_added_over_months_and_years,               MR_COUNT(additions)},
    };

    return mr_suite_run("day", tests);
}
