/* A workbook from inside: rows and sheets (output_xlsx.c), its charts (output_xlsx_charts.c), the files it is made of (output_xlsx_file.c), and whether it is whole (output_xlsx_proof.c). */
#ifndef MR_JOBS_REPORT_OUTPUT_XLSX_H
#define MR_JOBS_REPORT_OUTPUT_XLSX_H

#include "jobs/report/output.h"

#include <xlsxwriter.h>

struct mr_xlsx {
    struct mr_output output;
    int fd; /* the finished file; it has no name */
    lxw_workbook *workbook;
    lxw_worksheet *sheet; /* the one at hand, of which row is the next */
    lxw_row_t row;
    lxw_format *bold;                     /* of titles and labels */
    lxw_format **formats, **bold_formats; /* of each column's values, and of its totals */
    struct mr_buf text, clean;            /* of the cell at hand */
    uint64_t row_bytes;                   /* of all sheets, once they are sealed */
};

/* A file without a name in dir, open for both; -1 and errno. */
int mr_xlsx_unnamed(const char *dir);
/* The library does not look whether its rows went to the disk. MR_EIO: not all of those of the sheet at hand did. */
enum mr_code mr_xlsx_check(const struct mr_xlsx *xlsx, struct mr_err *err);
/* The same of all sheets, and whether there is room for what closing the book writes. */
enum mr_code mr_xlsx_seal(struct mr_xlsx *xlsx, struct mr_err *err);
/* Reads the closed book back. MR_EIO: not all of it is in its file. */
enum mr_code mr_xlsx_prove(const struct mr_xlsx *xlsx, struct mr_err *err);
/* As text, whatever it looks like; what is no UTF-8, and control characters, become U+FFFD. */
lxw_error mr_xlsx_text(struct mr_xlsx *xlsx, lxw_row_t row, lxw_col_t column,
                       struct mr_bytes text, lxw_format *format);
/* How a spreadsheet shows a column's numbers or days; nothing for a text's. */
void mr_xlsx_pattern(const struct mr_report_column *column, struct mr_buf *out);
/* The report's charts, on a sheet of their own with the numbers they show. */
enum mr_code mr_xlsx_charts(struct mr_xlsx *xlsx, const struct mr_chart_points *points,
                            struct mr_err *err);

#endif
