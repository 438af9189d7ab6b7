/*
 * The periods of a subscription: they begin at a day, its anchor, and every so many months or years after it. Pure: knows no clock.
 *
 * Every boundary is counted from the anchor and not from the one before, so that what a short month cuts off comes back: 31 January, 28 February,
 * 31 March. An anchor on 29 February is the 28th in the years between.
 */
#ifndef MR_JOBS_BILLING_PERIOD_H
#define MR_JOBS_BILLING_PERIOD_H

#include "jobs/billing/day.h"

#define MR_PERIOD_COUNT_MAX 120u

struct mr_cycle {
    char anchor[MR_DAY]; /* "2026-01-31" */
    bool yearly;         /* else monthly */
    unsigned count;      /* of months or years in a period; 1 to MR_PERIOD_COUNT_MAX */
};

/*
 * The first boundary after day; the anchor itself where day is before it. False, and out untouched, where that is beyond the year 2999. out holds MR_DAY bytes and may
 * be day.
 */
bool mr_cycle_next(const struct mr_cycle *cycle, const char *day, char *out);
/*
 * The last boundary that is not after today, counting on from day, which is one itself or none: what is left of day's own period stays a period. out as above;
 * day where there is none.
 */
void mr_cycle_latest(const struct mr_cycle *cycle, const char *day, const char *today,
                     char *out);

/*
 * When the day begins in this zone, unix time in seconds: at midnight, or where clocks go forward over midnight, behind the gap. Of a day that a zone skipped altogether,
 * the next one's begin.
 */
int64_t mr_zone_day_start_s(const struct mr_zone *zone, const char *day);

#endif
