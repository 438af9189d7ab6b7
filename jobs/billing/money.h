/* Money in whole minor units (cents, yen, fils) of an ISO 4217 currency: checked, never a fraction. */
#ifndef MR_JOBS_BILLING_MONEY_H
#define MR_JOBS_BILLING_MONEY_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define MR_MONEY_PRINT 40 /* room for any amount with its code */
#define MR_TAX_BP_MAX 10000u
#define MR_TAX_PRINT 16 /* room for a rate */

/* One row of ISO 4217; all of them are static. */
struct mr_currency {
    char code[4];
    unsigned exponent; /* digits behind the point: 2 for EUR, 0 for JPY, 3 for KWD */
};

/* MR_EINVAL, with code in the words: unknown, or without a minor unit (gold, XXX), in which nothing can be charged. */
enum mr_code mr_currency_find(const char *code, const struct mr_currency **out,
                              struct mr_err *err);

/* False, and out untouched, where the result is beyond int64. */
bool mr_money_add(int64_t a, int64_t b, int64_t *out);
bool mr_money_times(int64_t unit, int64_t quantity, int64_t *out);

/* tax_bp basis points (0..10000) of net, rounded to the nearest minor unit, a half to the even one. */
int64_t mr_money_tax(int64_t net, unsigned tax_bp);

/* "1,234.50 EUR", "-1,235 JPY", the same in every locale; out holds MR_MONEY_PRINT bytes. */
void mr_money_print(int64_t minor, const struct mr_currency *currency, char *out);

/* "19 %", "7.75 %"; out holds MR_TAX_PRINT bytes. */
void mr_money_print_rate(unsigned tax_bp, char *out);

#endif
