#include "jobs/billing/day.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { YEAR_MIN = 1970, YEAR_MAX = 2999, DAY_S = 86400 };

enum mr_code mr_zone_open(const char *name, struct mr_zone **out, struct mr_err *err)
{
    GTimeZone *zone = g_time_zone_new_identifier(name);

    if (!zone)
        return mr_fail(err, MR_EINVAL,
                       "\"%.60s\" is no time zone that this system knows (UTC, Europe/Berlin; "
                       "package tzdata)",
                       name);
    *out = (struct mr_zone *)zone;
    return MR_OK;
}

void mr_zone_close(struct mr_zone *zone)
{
    if (zone)
        g_time_zone_unref((GTimeZone *)zone);
}

static void print_day(int64_t days, char *out)
{
    time_t at = (time_t)(days * DAY_S);
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(out, MR_DAY, "%Y-%m-%d", &tm);
}

static int64_t days_before(int64_t at_s)
{
    return at_s / DAY_S - (at_s % DAY_S < 0);
}

void mr_zone_day(const struct mr_zone *zone, int64_t at_s, char *out)
{
    GTimeZone *there = (GTimeZone *)(uintptr_t)zone;
    int interval = g_time_zone_find_interval(there, G_TIME_TYPE_UNIVERSAL, at_s);
    int64_t ahead_s = interval < 0 ? 0 : g_time_zone_get_offset(there, interval);

    print_day(days_before(at_s + ahead_s), out);
}

static bool parse(const char *text, struct tm *out)
{
    int len = 0;

    *out = (struct tm){0};
    if (strlen(text) != MR_DAY - 1 || strspn(text, "0123456789-") != MR_DAY - 1 ||
        sscanf(text, "%4d-%2d-%2d%n", &out->tm_year, &out->tm_mon, &out->tm_mday, &len) != 3)
        return false;
    out->tm_year -= 1900;
    out->tm_mon -= 1;
    return len == MR_DAY - 1;
}

int64_t mr_day_start_s(const char *day)
{
    struct tm tm;

    return parse(day, &tm) ? timegm(&tm) : 0;
}

bool mr_day_is(const char *text)
{
    struct tm tm;
    char back[MR_DAY];

    if (!parse(text, &tm) || tm.tm_year < YEAR_MIN - 1900 || tm.tm_year > YEAR_MAX - 1900)
        return false;
    /* What the calendar does not have, timegm carries over: February 30th comes back as a day of March. */
    print_day(days_before(timegm(&tm)), back);
    return strcmp(back, text) == 0;
}

unsigned mr_day_year(const char *day)
{
    struct tm tm;

    return parse(day, &tm) ? (unsigned)(tm.tm_year + 1900) : 0;
}

void mr_day_add(const char *day, int days, char *out)
{
    print_day(days_before(mr_day_start_s(day)) + days, out);
}
