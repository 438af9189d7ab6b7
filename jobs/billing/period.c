#include "jobs/billing/period.h"

#include <stdio.h>
#include <string.h>

enum { MONTHS = 12, YEAR_MAX = 2999, AROUND_S = 2 * 86400 };

/* A month is a number: 12 * year + month from 0. */
struct date {
    int month, day;
};

static struct date date_of(const char *text)
{
    int year = 0, month = 0, day = 0;

    sscanf(text, "%d-%d-%d", &year, &month, &day);
    return (struct date){.month = year * MONTHS + month - 1, .day = day};
}

static int days_in(int month)
{
    static const int days[MONTHS] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = month / MONTHS;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month % MONTHS] + (month % MONTHS == 1 && leap);
}

/* The anchor's day in another month, or that month's last. */
static struct date boundary(struct date anchor, int months)
{
    int month = anchor.month + months, last = days_in(month);

    return (struct date){.month = month, .day = anchor.day < last ? anchor.day : last};
}

static bool is_after(struct date a, struct date b)
{
    return a.month > b.month || (a.month == b.month && a.day > b.day);
}

static void print(struct date date, char *out)
{
    char text[40];

    snprintf(text, sizeof(text), "%04d-%02d-%02d", date.month / MONTHS, date.month % MONTHS + 1,
             date.day);
    memcpy(out, text, MR_DAY - 1);
    out[MR_DAY - 1] = '\0';
}

bool mr_cycle_next(const struct mr_cycle *cycle, const char *day, char *out)
{
    struct date anchor = date_of(cycle->anchor), from = date_of(day), next = anchor;
    int step = (int)cycle->count * (cycle->yearly ? MONTHS : 1);

    if (!is_after(anchor, from)) {
        int whole = (from.month - anchor.month) / step; /* periods, rounded down */

        next = boundary(anchor, whole * step);
        if (!is_after(next, from))
            next = boundary(anchor, (whole + 1) * step);
    }
    if (next.month / MONTHS > YEAR_MAX)
        return false;
    print(next, out);
    return true;
}

void mr_cycle_latest(const struct mr_cycle *cycle, const char *day, const char *today,
                     char *out)
{
    char latest[MR_DAY], next[MR_DAY];

    /* Written alike, days compare as texts. */
    memcpy(latest, day, MR_DAY);
    while (mr_cycle_next(cycle, latest, next) && strcmp(next, today) <= 0)
        memcpy(latest, next, MR_DAY);
    memcpy(out, latest, MR_DAY);
}

/* The days of a zone do not go back, so the first second of one is found by halving. */
int64_t mr_zone_day_start_s(const struct mr_zone *zone, const char *day)
{
    int64_t before = mr_day_start_s(day) - AROUND_S, there = before + 2 * AROUND_S;
    char found[MR_DAY];

    while (there - before > 1) {
        int64_t middle = before + (there - before) / 2;

        mr_zone_day(zone, middle, found);
        if (strcmp(found, day) < 0)
            before = middle;
        else
            there = middle;
    }
    return there;
}
