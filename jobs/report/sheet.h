/* A result becomes a file, row by row: the columns of the definition, each value held against its type, under the caps. */
#ifndef MR_JOBS_REPORT_SHEET_H
#define MR_JOBS_REPORT_SHEET_H

#include "jobs/report/definition.h"
#include "jobs/services/csv.h"
#include "jobs/services/mysql.h"
#include "jobs/services/storage.h"

/* One file on its way; report and file are borrowed. Memory for one row, however many come. */
struct mr_sheet {
    const struct mr_report *report;
    struct mr_storage_file *file;
    uint64_t max_rows, max_bytes;
    uint64_t n_rows;             /* so far, without the titles */
    unsigned *from;              /* of each column, its place in the result */
    struct mr_csv_field *fields; /* of the row at hand */
    struct mr_buf line;
};

/* max_rows and max_bytes count where the definition says nothing. */
void mr_sheet_init(struct mr_sheet *sheet, const struct mr_report *report,
                   struct mr_storage_file *file, uint64_t max_rows, uint64_t max_bytes);
void mr_sheet_fini(struct mr_sheet *sheet);

/*
 * The two callbacks of mr_mysql_query; arg is the sheet. MR_EINVAL: a column of the definition is not in the result, a value is not of its
 * column's type (it is not shown), or a cap is reached. MR_EIO: the file cannot be written.
 */
enum mr_code mr_sheet_on_columns(void *arg, const struct mr_sql_row *row, struct mr_err *err);
enum mr_code mr_sheet_on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err);

#endif
