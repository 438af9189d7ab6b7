/* The types of a report's parameters and columns: what a text must look like to be of one. Pure. */
#ifndef MR_JOBS_REPORT_TYPES_H
#define MR_JOBS_REPORT_TYPES_H

#include "proto/base/str.h"

#include <stdbool.h>

/* In the order of MR_REPORT_TYPES, which is how definitions write them. */
enum mr_report_type {
    MR_REPORT_TEXT,
    MR_REPORT_INTEGER,
    MR_REPORT_DECIMAL,  /* digits as they are, never through a double */
    MR_REPORT_DATE,     /* 2026-01-31 */
    MR_REPORT_DATETIME, /* 2026-01-31 08:30:00, up to six digits of a fraction */
    MR_REPORT_BOOLEAN   /* parameters only: SQL has none */
};
#define MR_REPORT_COLUMN_TYPES "text|integer|decimal|date|datetime"
#define MR_REPORT_PARAM_TYPES MR_REPORT_COLUMN_TYPES "|boolean"

/* Whether text is one: a date is a day that there is. */
bool mr_report_type_holds(enum mr_report_type type, struct mr_bytes text);
/* For "must be ...": "a date such as 2026-01-31". */
const char *mr_report_type_words(enum mr_report_type type);
/* Whether a spreadsheet reads it as a number. */
bool mr_report_type_is_number(enum mr_report_type type);

#endif
