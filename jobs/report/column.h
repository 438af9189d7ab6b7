/* A column of a report: what its values are and how people want to read them. Pure. */
#ifndef MR_JOBS_REPORT_COLUMN_H
#define MR_JOBS_REPORT_COLUMN_H

#include "jobs/report/types.h"
#include "proto/options.h"

enum { MR_COLUMN_AS_IT_COMES = -1 };

/* What stands below a column's values, in the order of MR_COLUMN_TOTALS. */
enum mr_column_total {
    MR_TOTAL_NONE,
    MR_TOTAL_SUM,
    MR_TOTAL_COUNT,
    MR_TOTAL_AVG,
    MR_TOTAL_MIN,
    MR_TOTAL_MAX
};
#define MR_COLUMN_TOTALS "none|sum|count|avg|min|max"

struct mr_report_column {
    char *name;  /* as the result calls it */
    char *title; /* in the file's first row; NULL: the name */
    enum mr_report_type type;
    int decimals;     /* places a number is rounded to; MR_COLUMN_AS_IT_COMES */
    uint64_t minor;   /* an integer counts units of 10^-minor: cents with 2 */
    char *thousands;  /* what parts them; NULL: nothing */
    char *point;      /* NULL: "." */
    char *format;     /* of a date or datetime, "DD.MM.YYYY"; NULL: as it comes */
    char **words;     /* of a boolean: for true, for false */
    unsigned n_words; /* 0 or 2 */
    enum mr_column_total total;
    uint64_t width; /* in characters; 0: the type's usual */
};

extern const struct mr_option_table mr_column_table;

/* What is wrong with it: the member and the words to follow its name; false: nothing. */
bool mr_column_is_wrong(const struct mr_report_column *column, const char **out_member,
                        const char **out_what);
/* Whether its values are numbers when they are read. */
bool mr_column_is_number(const struct mr_report_column *column);
const char *mr_column_title(const struct mr_report_column *column);
unsigned mr_column_width(const struct mr_report_column *column);

#endif
