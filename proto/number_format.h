/* How the numbers of invoices are printed: a format such as "{series}-{year}-{number:6}", checked and filled in. Pure. */
#ifndef MR_PROTO_NUMBER_FORMAT_H
#define MR_PROTO_NUMBER_FORMAT_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define MR_NUMBER_FORMAT_MAX 36 /* bytes of a format */
#define MR_NUMBER_SERIES_MAX 20 /* bytes of a series */
#define MR_NUMBER_PRINT 64      /* room for a number as printed */

/* Whether text can name a series: 1 to MR_NUMBER_SERIES_MAX of A-Z, 0-9 and "-". */
bool mr_number_is_series(const char *text);
/*
 * A format holds {series} and {number} (or {number:N}, at least N digits, N from 1 to 12), at most once each, and {year} if yearly is true, where every year counts
 * from 1; around them letters, digits and "-", "_", ".", "/". Between two of them stands something that is no letter and no digit, so that no two
 * numbers are printed alike. MR_EINVAL: which of that does not hold, as the rest of a sentence that begins with the option's name.
 */
enum mr_code mr_number_format_check(const char *format, bool yearly, struct mr_err *err);
/* The number as people write it; out holds MR_NUMBER_PRINT bytes. Only for a format that was checked. */
void mr_number_format_print(const char *format, const char *series, unsigned year,
                            int64_t number, char *out);

#endif
