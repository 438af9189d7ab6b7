/*
 * Rows of CSV as RFC 4180 has them, for spreadsheets and programs alike: CRLF, commas, quotes where needed, always valid UTF-8.
 */
#ifndef MR_JOBS_SERVICES_CSV_H
#define MR_JOBS_SERVICES_CSV_H

#include "proto/base/str.h"

enum mr_csv_kind {
    MR_CSV_TEXT,
    MR_CSV_NUMBER,   /* as the source printed it: "-5", "1e9" */
    MR_CSV_FORMATTED /* a number for people, known to be one: "-1.234,50" */
};

struct mr_csv_field {
    struct mr_bytes bytes; /* at NULL: no value */
    enum mr_csv_kind kind;
};

/*
 * Appends one row to out, its fields parted by the separator (a comma, a semicolon, a tab). No value is an empty field, an empty text is "". (A row of one field without value is "" too: an empty line would be
 * no row.) A text that a spreadsheet would take for a formula (it begins with = + - @, their full-width forms, a tab or a line end) gets
 * an apostrophe in front; a number does not, if it is one indeed. NUL and bytes that are not UTF-8 become U+FFFD each, as
 * readers stop at them.
 */
void mr_csv_row(struct mr_buf *out, char separator, const struct mr_csv_field *fields,
                unsigned n);

#endif
