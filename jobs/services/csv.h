/*
 * Rows of CSV as RFC 4180 has them, for spreadsheets and programs alike: CRLF, commas, quotes where needed, always valid UTF-8.
 */
#ifndef MR_JOBS_SERVICES_CSV_H
#define MR_JOBS_SERVICES_CSV_H

#include "proto/base/str.h"

#include <stdbool.h>

struct mr_csv_field {
    struct mr_bytes bytes; /* at NULL: no value */
    bool numeric;          /* a number as the source printed it: "-5", "1e9" */
};

/*
 * Appends one row to out. No value is an empty field, an empty text is "". (A row of one field without value is "" too: an empty line would be
 * no row.) A text that a spreadsheet would take for a formula (it begins with = + - @, their full-width forms, a tab or a line end) gets
 * an apostrophe in front; a numeric field does not, if it is a number indeed. NUL and bytes that are not UTF-8 become U+FFFD each, as
 * readers stop at them.
 */
void mr_csv_row(struct mr_buf *out, const struct mr_csv_field *fields, unsigned n);

#endif
