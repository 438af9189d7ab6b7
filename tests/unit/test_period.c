#include "jobs/billing/period.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    struct mr_cycle cycle;
    const char *boundaries; /* from the one after the anchor's eve on */
} cycles[] = {
    {{"2026-01-15", false, 1}, "2026-01-15 2026-02-15 2026-03-15 2026-04-15"},
    {{"2026-01-31", false, 1}, "2026-01-31 2026-02-28 2026-03-31 2026-04-30 2026-05-31"},
    {{"2027-12-31", false, 1}, "2027-12-31 2028-01-31 2028-02-29 2028-03-31"},
    {{"2026-01-30", false, 1}, "2026-01-30 2026-02-28 2026-03-30"},
    {{"2026-01-29", false, 1}, "2026-01-29 2026-02-28 2026-03-29"},
    {{"2026-11-30", false, 3}, "2026-11-30 2027-02-28 2027-05-30 2027-08-30 2027-11-30 2028-02-29"},
    {{"2026-08-31", false, 6}, "2026-08-31 2027-02-28 2027-08-31 2028-02-29"},
    {{"2026-10-31", false, 13}, "2026-10-31 2027-11-30 2028-12-31"},
    {{"2028-02-29", true, 1},  "2028-02-29 2029-02-28 2030-02-28 2031-02-28 2032-02-29"},
    {{"2028-02-29", true, 4},  "2028-02-29 2032-02-29 2036-02-29"},
    {{"2096-02-29", true, 2},  "2096-02-29 2098-02-28 2100-02-28 2102-02-28 2104-02-29"},
    {{"2026-12-31", true, 1},  "2026-12-31 2027-12-31 2028-12-31"},
    {{"2400-02-29", false, 120}, "2400-02-29 2410-02-28 2420-02-29"},
};
/* clang-format on */

START_TEST(boundaries_keep_to_the_anchor_through_short_months)
{
    const struct mr_cycle *cycle = &cycles[_i].cycle;
    char day[MR_DAY] = "1970-01-01", all[200] = "";
    size_t wanted = strlen(cycles[_i].boundaries);

    for (size_t len = 0; len < wanted; len = strlen(all)) {
        ck_assert(mr_cycle_next(cycle, day, day));
        snprintf(all + len, sizeof(all) - len, "%s%s", len ? " " : "", day);
    }
    ck_assert_str_eq(all, cycles[_i].boundaries);
}
END_TEST

static const struct {
    const char *day, *next;
} between[] = {
    {"2025-12-01", "2026-01-31"}, /* before the anchor */
    {"2026-01-30", "2026-01-31"},
    {"2026-01-31", "2026-02-28"},
    {"2026-02-27", "2026-02-28"},
    {"2026-02-28", "2026-03-31"},
    {"2026-03-01", "2026-03-31"},
    {"2026-12-30", "2026-12-31"},
    {"2999-12-30", "2999-12-31"},
};

START_TEST(a_day_in_between_has_the_next_boundary)
{
    static const struct mr_cycle monthly = {"2026-01-31", false, 1};
    char out[MR_DAY];

    ck_assert(mr_cycle_next(&monthly, between[_i].day, out));
    ck_assert_str_eq(out, between[_i].next);
}
END_TEST

START_TEST(there_is_no_boundary_beyond_the_calendar)
{
    static const struct mr_cycle yearly = {"2026-03-01", true, 100};
    char out[MR_DAY] = "untouched";

    ck_assert(!mr_cycle_next(&yearly, "2926-03-01", out));
    ck_assert_str_eq(out, "untouched");
}
END_TEST

static const struct {
    const char *day, *today, *latest;
} missed[] = {
    {"2026-01-31", "2026-02-27", "2026-01-31"},
    {"2026-01-31", "2026-02-28", "2026-02-28"},
    {"2026-01-31", "2026-06-15", "2026-05-31"},
    {"2026-02-10", "2026-02-20", "2026-02-10"}, /* no boundary itself: a period of its own */
    {"2026-02-10", "2026-03-01", "2026-02-28"},
    {"2026-05-31", "2026-01-01", "2026-05-31"}, /* nothing is missed yet */
};

START_TEST(what_was_missed_ends_at_the_latest_boundary)
{
    static const struct mr_cycle monthly = {"2026-01-31", false, 1};
    char out[MR_DAY];

    mr_cycle_latest(&monthly, missed[_i].day, missed[_i].today, out);
    ck_assert_str_eq(out, missed[_i].latest);
}
END_TEST

static const struct {
    const char *zone, *day;
    int64_t start_s;
} starts[] = {
    {"UTC",                 "2026-03-01", 1772323200},
    {"Europe/Berlin",       "2026-03-01", 1772319600}, /* an hour earlier */
    {"Europe/Berlin",       "2026-07-01", 1782856800}, /* two, in summer */
    {"America/Los_Angeles", "2026-03-01", 1772352000},
    {"Pacific/Kiritimati",  "2026-03-01", 1772272800}, /* the first of all */
    {"America/Sao_Paulo",   "2018-11-04", 1541300400}, /* clocks went from 00:00 to 01:00 */
    {"Pacific/Apia",        "2011-12-30", 1325239200}, /* there was none: the 31st's */
};

START_TEST(a_day_begins_when_it_is_that_day_there)
{
    struct mr_zone *zone = NULL;
    char day[MR_DAY];

    ck_assert_int_eq(mr_zone_open(starts[_i].zone, &zone, NULL), MR_OK);
    int64_t start_s = mr_zone_day_start_s(zone, starts[_i].day);
    ck_assert_int_eq(start_s, starts[_i].start_s);
    mr_zone_day(zone, start_s - 1, day);
    ck_assert_str_lt(day, starts[_i].day);
    mr_zone_close(zone);
}
END_TEST

/* Python's calendar and datetime know nothing of our way to count: thousands of cases by chance, a line each. */
START_TEST(python_counts_the_same)
{
    FILE *oracle = popen("/usr/bin/python3 " MR_PERIODS, "re");
    struct mr_cycle cycle;
    char day[MR_DAY], want[MR_DAY], unit[8], out[MR_DAY];
    unsigned n = 0;

    ck_assert_ptr_nonnull(oracle);
    for (; fscanf(oracle, "%10s %7s %u %10s %10s\n", cycle.anchor, unit, &cycle.count, day,
                  want) == 5;
         n++) {
        cycle.yearly = strcmp(unit, "year") == 0;
        ck_assert(mr_cycle_next(&cycle, day, out));
        ck_assert_msg(strcmp(out, want) == 0, "%s every %u %s, after %s: %s, not %s",
                      cycle.anchor, cycle.count, unit, day, out, want);
    }
    ck_assert_int_eq(pclose(oracle), 0);
    ck_assert_uint_eq(n, 5000);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {boundaries_keep_to_the_anchor_through_short_months, MR_COUNT(cycles) },
        {a_day_in_between_has_the_next_boundary,             MR_COUNT(between)},
        {there_is_no_boundary_beyond_the_calendar,           0                },
        {what_was_missed_ends_at_the_latest_boundary,        MR_COUNT(missed) },
        {a_day_begins_when_it_is_that_day_there,             MR_COUNT(starts) },
        {python_counts_the_same,                             0                },
    };

    return mr_suite_run("period", tests);
}
