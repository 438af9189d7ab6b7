/* Exact decimal numbers, as money and sums need them: whole units of a power of ten, never a double. Pure. */
#ifndef MR_JOBS_REPORT_DECIMAL_H
#define MR_JOBS_REPORT_DECIMAL_H

#include "proto/base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* units * 10^-scale; at most 38 digits in all. */
struct mr_decimal {
    __int128 units;
    unsigned scale;
};

/* A number as servers print it, "-12.50" or "1.5e-7". False when it is none, or has no room here. */
bool mr_decimal_read(struct mr_bytes text, struct mr_decimal *out);
/* False when the sum has no room. */
bool mr_decimal_add(struct mr_decimal a, struct mr_decimal b, struct mr_decimal *out);
/* Below, at or above 0, as a is below, at or above b. */
int mr_decimal_compare(struct mr_decimal a, struct mr_decimal b);
/* To that many places, halves away from zero, as SQL's ROUND does; zeros are added where it has fewer and there is room. */
struct mr_decimal mr_decimal_round(struct mr_decimal number, unsigned places);
/* The average of n that have this sum, n not 0: with four places more than the sum, rounded. */
struct mr_decimal mr_decimal_share(struct mr_decimal sum, uint64_t n);
void mr_decimal_print(struct mr_decimal number, struct mr_buf *out);
double mr_decimal_double(struct mr_decimal number);

#endif
