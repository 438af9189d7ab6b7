#include "jobs/report/sheet.h"

#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void mr_sheet_init(struct mr_sheet *sheet, const struct mr_report *report,
                   struct mr_storage_file *file, uint64_t max_rows, uint64_t max_bytes)
{
    *sheet = (struct mr_sheet){
        .report = report,
        .file = file,
        .max_rows = report->max_rows ? report->max_rows : max_rows,
        .max_bytes = report->max_bytes ? report->max_bytes : max_bytes,
        .from = mr_zalloc_array(report->n_columns, sizeof(*sheet->from)),
        .fields = mr_zalloc_array(report->n_columns, sizeof(*sheet->fields)),
    };
}

void mr_sheet_fini(struct mr_sheet *sheet)
{
    free(sheet->from);
    free(sheet->fields);
    mr_buf_fini(&sheet->line);
    *sheet = (struct mr_sheet){0};
}

/* Writes the fields as one line. */
static enum mr_code write_line(struct mr_sheet *sheet, struct mr_err *err)
{
    char cap[32];

    mr_buf_clear(&sheet->line);
    mr_csv_row(&sheet->line, sheet->fields, sheet->report->n_columns);
    if (mr_storage_written(sheet->file) + sheet->line.len > sheet->max_bytes) {
        mr_size_print(sheet->max_bytes, cap);
        return mr_fail(err, MR_EINVAL,
                       "after %" PRIu64 " rows the file would be larger than %s (max_size)",
                       sheet->n_rows, cap);
    }
    return mr_storage_write(sheet->file, sheet->line.at, sheet->line.len, err);
}

/* ---- the titles ---- */

static enum mr_code find_column(const struct mr_sql_row *row, const char *name, unsigned *out,
                                struct mr_err *err)
{
    for (unsigned i = 0; i < row->n; i++)
        if (strcmp(row->names[i], name) == 0)
            return *out = i, MR_OK;
    const char *meant = mr_str_nearest(name, row->names, row->n);
    return mr_fail(err, MR_EINVAL, "columns.%s: the result has no such column%s%s%s", name,
                   meant ? ": did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
}

enum mr_code mr_sheet_on_columns(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_sheet *sheet = arg;
    enum mr_code code = MR_OK;

    for (unsigned i = 0; code == MR_OK && i < sheet->report->n_columns; i++) {
        const struct mr_report_column *column = &sheet->report->columns[i];

        code = find_column(row, column->name, &sheet->from[i], err);
        sheet->fields[i] = (struct mr_csv_field){
            .bytes = mr_bytes_of(column->title ? column->title : column->name)};
    }
    return code == MR_OK ? write_line(sheet, err) : code;
}

/* ---- a row ---- */

/* SQL's NULL is of every type. */
static bool holds(const struct mr_report_column *column, struct mr_bytes value)
{
    return !value.at || mr_report_type_holds(column->type, value);
}

enum mr_code mr_sheet_on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_sheet *sheet = arg;

    if (sheet->n_rows == sheet->max_rows)
        return mr_fail(err, MR_EINVAL, "there are more than %" PRIu64 " rows (max_rows)",
                       sheet->max_rows);
    for (unsigned i = 0; i < sheet->report->n_columns; i++) {
        const struct mr_report_column *column = &sheet->report->columns[i];
        struct mr_bytes value = row->values[sheet->from[i]];

        if (!holds(column, value))
            return mr_fail(err, MR_EINVAL, "row %" PRIu64 ": column \"%s\" is not %s",
                           sheet->n_rows + 1, column->name, mr_report_type_words(column->type));
        sheet->fields[i] = (struct mr_csv_field){value, mr_report_type_is_number(column->type)};
    }
    enum mr_code code = write_line(sheet, err);
    if (code == MR_OK)
        sheet->n_rows++;
    return code;
}
