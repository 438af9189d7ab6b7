/* XLSX by libxlsxwriter, row by row: numbers, dates and booleans are real cells, and what would lose digits as a number is text. */
#include "jobs/report/output_xlsx.h"
#include "jobs/report/output.h"
#include "jobs/report/points.h"
#include "proto/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SHEET_ROWS = 1048576, /* as many as a sheet may have */
    DIGITS_MAX = 15,      /* a cell's number is a double */
    PIECE_BYTES = 65536,
    YEAR_MIN = 1900,
};

static enum mr_code fail_library(lxw_error error, struct mr_err *err)
{
    bool text = error == LXW_ERROR_MAX_STRING_LENGTH_EXCEEDED;

    return mr_fail(err, text ? MR_EINVAL : MR_EIO, "%s%s",
                   text ? "a cell has no room for a value: " : "the XLSX file cannot be made: ",
                   lxw_strerror(error));
}

/* ---- opening ---- */

static lxw_format *format_of(struct mr_xlsx *xlsx, const struct mr_report_column *column,
                             bool bold)
{
    lxw_format *format = workbook_add_format(xlsx->workbook);
    struct mr_buf pattern = {0};

    mr_xlsx_pattern(column, &pattern);
    if (pattern.len > 0)
        format_set_num_format(format, pattern.at);
    if (bold)
        format_set_bold(format);
    mr_buf_fini(&pattern);
    return format;
}

static void make_formats(struct mr_xlsx *xlsx, const struct mr_report *report)
{
    xlsx->bold = workbook_add_format(xlsx->workbook);
    format_set_bold(xlsx->bold);
    xlsx->formats = mr_zalloc_array(report->n_columns, sizeof(*xlsx->formats));
    xlsx->bold_formats = mr_zalloc_array(report->n_columns, sizeof(*xlsx->bold_formats));
    for (unsigned i = 0; i < report->n_columns; i++) {
        xlsx->formats[i] = format_of(xlsx, &report->columns[i], false);
        xlsx->bold_formats[i] = format_of(xlsx, &report->columns[i], true);
    }
}

/* The finished file has no name either: nothing is left of it if we are killed. */
static enum mr_code open_book(const struct mr_output_plan *plan, struct mr_output **out,
                              struct mr_err *err)
{
    const char *tmpdir = plan->tmpdir ? plan->tmpdir : "/tmp";
    int fd = mr_xlsx_unnamed(tmpdir);
    char path[40];

    if (fd < 0)
        return mr_fail(err, MR_EFAULT, "reports.tmpdir %s: no file can be made there: %s",
                       tmpdir, strerror(errno));
    struct mr_xlsx *xlsx = mr_zalloc(sizeof(*xlsx));
    lxw_workbook_options options = {.constant_memory = LXW_TRUE,
                                    .tmpdir = (char *)(uintptr_t)tmpdir};
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    xlsx->fd = fd;
    xlsx->workbook = workbook_new_opt(path, &options);
    make_formats(xlsx, plan->report);
    *out = &xlsx->output;
    return MR_OK;
}

/* ---- sheets ---- */

static enum mr_code begin_sheet(struct mr_output *self, struct mr_err *err)
{
    struct mr_xlsx *xlsx = MR_CONTAINER(self, struct mr_xlsx, output);
    const struct mr_report *report = self->plan.report;

    xlsx->sheet = workbook_add_worksheet(xlsx->workbook, NULL);
    xlsx->row = 0;
    if (!xlsx->sheet || !xlsx->sheet->optimize_tmpfile)
        return mr_fail(err, MR_EIO, "reports.tmpdir: no file can be made there");
    worksheet_freeze_panes(xlsx->sheet, 1, 0);
    for (unsigned i = 0; i < report->n_columns; i++) {
        lxw_col_t at = (lxw_col_t)i;

        worksheet_set_column(xlsx->sheet, at, at, mr_column_width(&report->columns[i]), NULL);
        mr_xlsx_text(xlsx, 0, at, mr_bytes_of(mr_column_title(&report->columns[i])),
                     xlsx->bold);
    }
    xlsx->row = 1;
    return MR_OK;
}

/* ---- cells ---- */

static unsigned count_digits(const char *text)
{
    unsigned n = 0;

    for (; *text && *text != 'e' && *text != 'E'; text++)
        n += *text >= '0' && *text <= '9' && (n > 0 || *text != '0');
    return n;
}

/* False where a double would not hold all of its digits. */
static bool put_number(struct mr_xlsx *xlsx, unsigned i, const struct mr_cell *cell,
                       lxw_format *format, lxw_error *out)
{
    mr_buf_clear(&xlsx->text);
    if (!mr_cell_digits(&xlsx->output.plan.report->columns[i], cell, &xlsx->text) ||
        count_digits(xlsx->text.at) > DIGITS_MAX)
        return false;
    *out = worksheet_write_number(xlsx->sheet, xlsx->row, (lxw_col_t)i,
                                  strtod(xlsx->text.at, NULL), format);
    return true;
}

/* False where a spreadsheet's days do not reach. */
static bool put_day(struct mr_xlsx *xlsx, unsigned i, const struct mr_cell *cell,
                    lxw_format *format, lxw_error *out)
{
    lxw_datetime day = {0};
    int year, month, date, hour = 0, minute = 0;
    char text[32];

    snprintf(text, sizeof(text), "%.*s", (int)cell->bytes.len, cell->bytes.at);
    if (sscanf(text, "%d-%d-%d %d:%d:%lf", &year, &month, &date, &hour, &minute, &day.sec) <
            3 ||
        year < YEAR_MIN)
        return false;
    day.year = year;
    day.month = month;
    day.day = date;
    day.hour = hour;
    day.min = minute;
    *out = worksheet_write_datetime(xlsx->sheet, xlsx->row, (lxw_col_t)i, &day, format);
    return true;
}

static lxw_error put_cell(struct mr_xlsx *xlsx, unsigned i, const struct mr_cell *cell,
                          bool bold)
{
    const struct mr_report_column *column = &xlsx->output.plan.report->columns[i];
    lxw_format *format = bold ? xlsx->bold_formats[i] : xlsx->formats[i];
    lxw_format *plain = bold ? xlsx->bold : NULL;
    bool number = mr_report_type_is_number(cell->type);
    bool day = cell->type == MR_REPORT_DATE || cell->type == MR_REPORT_DATETIME;
    lxw_error error = LXW_NO_ERROR;

    if (!cell->bytes.at)
        return LXW_NO_ERROR;
    if (cell->type == MR_REPORT_BOOLEAN && !column->n_words)
        return worksheet_write_boolean(xlsx->sheet, xlsx->row, (lxw_col_t)i,
                                       mr_cell_is_true(cell), plain);
    if (number && put_number(xlsx, i, cell, cell->bare ? plain : format, &error))
        return error;
    if (day && put_day(xlsx, i, cell, format, &error))
        return error;
    mr_buf_clear(&xlsx->text);
    mr_cell_print(column, cell, &xlsx->text);
    return mr_xlsx_text(xlsx, xlsx->row, (lxw_col_t)i,
                        (struct mr_bytes){xlsx->text.at, xlsx->text.len}, plain);
}

/* A full sheet is followed by another, with the titles again. */
static enum mr_code add_line(struct mr_output *self, const struct mr_line *line,
                             struct mr_err *err)
{
    struct mr_xlsx *xlsx = MR_CONTAINER(self, struct mr_xlsx, output);
    enum mr_code code = xlsx->row == SHEET_ROWS ? begin_sheet(self, err) : MR_OK;

    for (unsigned i = 0; code == MR_OK && i < self->plan.report->n_columns; i++) {
        struct mr_cell cell = mr_line_cell(line, i);
        lxw_error error = put_cell(xlsx, i, &cell, line->kind != MR_LINE_ROW);

        if (error != LXW_NO_ERROR)
            code = fail_library(error, err);
    }
    xlsx->row++;
    return code == MR_OK ? mr_xlsx_check(xlsx, err) : code;
}

/* ---- the end ---- */

static enum mr_code copy_out(struct mr_xlsx *xlsx, struct mr_err *err)
{
    char *piece = mr_zalloc(PIECE_BYTES);
    enum mr_code code = MR_OK;
    off_t at = 0;
    ssize_t n;

    while (code == MR_OK && (n = pread(xlsx->fd, piece, PIECE_BYTES, at)) != 0) {
        code = n > 0 ? mr_pipe_write(xlsx->output.plan.pipe, piece, (size_t)n, err)
                     : mr_fail(err, MR_EIO, "the XLSX file cannot be read back: %s",
                               strerror(errno));
        at += n;
    }
    free(piece);
    return code;
}

static enum mr_code finish_book(struct mr_output *self, const struct mr_chart_points *points,
                                struct mr_err *err)
{
    struct mr_xlsx *xlsx = MR_CONTAINER(self, struct mr_xlsx, output);
    enum mr_code code = mr_xlsx_charts(xlsx, points, err);

    if (code == MR_OK)
        code = mr_xlsx_seal(xlsx, err);
    if (code != MR_OK)
        return code;
    lxw_error error = workbook_close(xlsx->workbook);
    xlsx->workbook = NULL;
    code = error == LXW_NO_ERROR ? mr_xlsx_prove(xlsx, err) : fail_library(error, err);
    return code == MR_OK ? copy_out(xlsx, err) : code;
}

static void close_book(struct mr_output *self)
{
    struct mr_xlsx *xlsx = MR_CONTAINER(self, struct mr_xlsx, output);

    if (xlsx->workbook)
        lxw_workbook_free(xlsx->workbook);
    close(xlsx->fd);
    free(xlsx->formats);
    free(xlsx->bold_formats);
    mr_buf_fini(&xlsx->text);
    mr_buf_fini(&xlsx->clean);
    free(xlsx);
}

const struct mr_output_kind mr_output_xlsx = {
    .suffix = ".xlsx",
    .open = open_book,
    .titles = begin_sheet,
    .line = add_line,
    .finish = finish_book,
    .close = close_book,
};
