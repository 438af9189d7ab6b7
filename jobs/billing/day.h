/* A day of the calendar as text, and which one it is where the invoices are written. */
#ifndef MR_JOBS_BILLING_DAY_H
#define MR_JOBS_BILLING_DAY_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define MR_DAY 11 /* room for "2026-12-31" */

struct mr_zone; /* a time zone with its history, read-only: any thread */

/* name as in "Europe/Berlin". MR_EINVAL: the system has no such zone (package tzdata). The caller closes it. */
enum mr_code mr_zone_open(const char *name, struct mr_zone **out, struct mr_err *err);
void mr_zone_close(struct mr_zone *zone);
/* The day that it is there at this instant (unix time, seconds); out holds MR_DAY bytes. */
void mr_zone_day(const struct mr_zone *zone, int64_t at_s, char *out);

/* Whether text is a day of the years 1970 to 2999, written so. */
bool mr_day_is(const char *text);
unsigned mr_day_year(const char *day);
/* Midnight UTC of the day, unix time in seconds. */
int64_t mr_day_start_s(const char *day);
/* The day so many days later, or earlier; out holds MR_DAY bytes and may be day. */
void mr_day_add(const char *day, int days, char *out);

#endif
