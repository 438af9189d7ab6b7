/* A result becomes lines, row by row: the columns of the definition, each value held against its type, groups and their totals, under the cap. */
#ifndef MR_JOBS_REPORT_SHEET_H
#define MR_JOBS_REPORT_SHEET_H

#include "jobs/report/output.h"
#include "jobs/report/points.h"
#include "jobs/report/totals.h"
#include "jobs/services/mysql.h"

/* One result on its way; report and output are borrowed. Memory for one row, one line of totals a group, and the charts. */
struct mr_sheet {
    const struct mr_report *report;
    struct mr_output *output;
    uint64_t max_rows;
    uint64_t n_rows;              /* so far, without titles and totals */
    unsigned *from;               /* of each column, its place in the result */
    struct mr_cell *cells, *sums; /* of the line at hand */
    struct mr_totals totals[MR_REPORT_GROUPS_MAX + 1]; /* [0] of all, [i] of group i */
    struct mr_buf groups[MR_REPORT_GROUPS_MAX];        /* the value of each group's column */
    bool nothing[MR_REPORT_GROUPS_MAX];                /* that value is SQL's NULL */
    struct mr_chart_points *points;                    /* of each chart */
    struct mr_buf label;
};

/* max_rows counts where the definition says nothing. */
void mr_sheet_init(struct mr_sheet *sheet, const struct mr_report *report,
                   struct mr_output *output, uint64_t max_rows);
void mr_sheet_fini(struct mr_sheet *sheet);

/*
 * The two callbacks of mr_mysql_query; arg is the sheet. MR_EINVAL: a column of the definition is not in the result, a value is not of its
 * column's type (it is not shown), or there are too many rows. Else as the output fails.
 */
enum mr_code mr_sheet_on_columns(void *arg, const struct mr_sql_row *row, struct mr_err *err);
enum mr_code mr_sheet_on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err);
/* After the last row: the totals that are still owed, and the end of the file. */
enum mr_code mr_sheet_finish(struct mr_sheet *sheet, struct mr_err *err);

#endif
