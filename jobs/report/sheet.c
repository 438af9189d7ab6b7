#include "jobs/report/sheet.h"

#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void mr_sheet_init(struct mr_sheet *sheet, const struct mr_report *report,
                   struct mr_output *output, uint64_t max_rows)
{
    *sheet = (struct mr_sheet){
        .report = report,
        .output = output,
        .max_rows = report->max_rows ? report->max_rows : max_rows,
        .from = mr_zalloc_array(report->n_columns, sizeof(*sheet->from)),
        .cells = mr_zalloc_array(report->n_columns, sizeof(*sheet->cells)),
        .sums = mr_zalloc_array(report->n_columns, sizeof(*sheet->sums)),
        .points = mr_zalloc_array(report->n_charts + 1, sizeof(*sheet->points)),
    };
    for (unsigned i = 0; report->has_totals && i <= report->n_groups; i++)
        mr_totals_init(&sheet->totals[i], report);
    for (unsigned i = 0; i < report->n_charts; i++)
        mr_chart_points_init(&sheet->points[i], report, &report->charts[i]);
}

void mr_sheet_fini(struct mr_sheet *sheet)
{
    if (!sheet->report)
        return;
    for (unsigned i = 0; i < sheet->report->n_charts; i++)
        mr_chart_points_fini(&sheet->points[i]);
    for (unsigned i = 0; i < MR_REPORT_GROUPS_MAX; i++)
        mr_buf_fini(&sheet->groups[i]);
    for (unsigned i = 0; i < MR_COUNT(sheet->totals); i++)
        mr_totals_fini(&sheet->totals[i]);
    free(sheet->points);
    free(sheet->from);
    free(sheet->cells);
    free(sheet->sums);
    mr_buf_fini(&sheet->label);
    *sheet = (struct mr_sheet){0};
}

/* That a file is full is told with how far it came. */
static enum mr_code put_line(struct mr_sheet *sheet, const struct mr_line *line,
                             struct mr_err *err)
{
    struct mr_err why;
    enum mr_code code = mr_output_line(sheet->output, line, &why);

    if (code == MR_EINVAL)
        return mr_fail(err, code, "after %" PRIu64 " rows %s", sheet->n_rows, why.text);
    if (code != MR_OK && err)
        *err = why;
    return code;
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

    for (unsigned i = 0; code == MR_OK && i < sheet->report->n_columns; i++)
        code = find_column(row, sheet->report->columns[i].name, &sheet->from[i], err);
    return code == MR_OK ? mr_output_titles(sheet->output, err) : code;
}

/* ---- groups ---- */

/* The outermost group, from 1, whose value is another than that of the rows before; 0: none. */
static unsigned changed_group(const struct mr_sheet *sheet)
{
    for (unsigned i = 0; i < sheet->report->n_groups; i++) {
        struct mr_bytes value = sheet->cells[i].bytes,
                        old = {sheet->groups[i].at, sheet->groups[i].len};

        if (!value.at != sheet->nothing[i] || (value.at && !mr_bytes_equal(value, old)))
            return i + 1;
    }
    return 0;
}

static void remember_groups(struct mr_sheet *sheet)
{
    for (unsigned i = 0; i < sheet->report->n_groups; i++) {
        struct mr_bytes value = sheet->cells[i].bytes;

        mr_buf_clear(&sheet->groups[i]);
        mr_buf_add(&sheet->groups[i], value.at ? value.at : "", value.len);
        sheet->nothing[i] = !value.at;
    }
}

static struct mr_cell group_cell(const struct mr_sheet *sheet, unsigned i)
{
    struct mr_cell cell = {.type = sheet->report->columns[i].type};

    if (!sheet->nothing[i])
        cell.bytes = (struct mr_bytes){sheet->groups[i].at, sheet->groups[i].len};
    return cell;
}

static void add_points(struct mr_sheet *sheet, unsigned level, const struct mr_cell *cells)
{
    for (unsigned i = 0; i < sheet->report->n_charts; i++)
        if (sheet->report->charts[i].level == level)
            mr_chart_points_add(&sheet->points[i], cells);
}

/* "Total Germany" */
static enum mr_code end_group(struct mr_sheet *sheet, unsigned level, struct mr_err *err)
{
    const struct mr_report *report = sheet->report;
    struct mr_line line = {MR_LINE_SUBTOTAL, level, sheet->sums, {0}, level - 1};

    mr_totals_read(&sheet->totals[level], sheet->sums);
    for (unsigned i = 0; i < level; i++)
        sheet->sums[i] = group_cell(sheet, i);
    mr_buf_clear(&sheet->label);
    mr_buf_printf(&sheet->label, "%s ", report->total_label);
    mr_cell_print(&report->columns[level - 1], &sheet->sums[level - 1], &sheet->label);
    line.label = (struct mr_bytes){sheet->label.at, sheet->label.len};
    add_points(sheet, level, sheet->sums);
    enum mr_code code = put_line(sheet, &line, err);
    mr_totals_clear(&sheet->totals[level]);
    return code;
}

/* From the innermost on out to that one. */
static enum mr_code end_groups(struct mr_sheet *sheet, unsigned outermost, struct mr_err *err)
{
    enum mr_code code = MR_OK;

    for (unsigned level = sheet->report->n_groups; code == MR_OK && level >= outermost; level--)
        code = end_group(sheet, level, err);
    return code;
}

/* The label goes where no total stands; where there is no such column, the line does without. */
static enum mr_code end_all(struct mr_sheet *sheet, struct mr_err *err)
{
    const struct mr_report *report = sheet->report;
    struct mr_line line = {.kind = MR_LINE_TOTAL, .cells = sheet->sums};

    mr_totals_read(&sheet->totals[0], sheet->sums);
    while (line.label_at < report->n_columns &&
           report->columns[line.label_at].total != MR_TOTAL_NONE)
        line.label_at++;
    if (line.label_at < report->n_columns)
        line.label = mr_bytes_of(report->total_label);
    return put_line(sheet, &line, err);
}

/* ---- a row ---- */

/* SQL's NULL is of every type. */
static bool holds(const struct mr_report_column *column, struct mr_bytes value)
{
    if (column->type == MR_REPORT_BOOLEAN)
        return !value.at || mr_bytes_is(value, "0") || mr_bytes_is(value, "1");
    return !value.at || mr_report_type_holds(column->type, value);
}

static enum mr_code read_row(struct mr_sheet *sheet, const struct mr_sql_row *row,
                             struct mr_err *err)
{
    for (unsigned i = 0; i < sheet->report->n_columns; i++) {
        const struct mr_report_column *column = &sheet->report->columns[i];
        struct mr_bytes value = row->values[sheet->from[i]];

        if (!holds(column, value))
            return mr_fail(err, MR_EINVAL, "row %" PRIu64 ": column \"%s\" is not %s",
                           sheet->n_rows + 1, column->name, mr_report_type_words(column->type));
        sheet->cells[i] = (struct mr_cell){.bytes = value, .type = column->type};
    }
    return MR_OK;
}

static enum mr_code turn_groups(struct mr_sheet *sheet, struct mr_err *err)
{
    unsigned changed = sheet->n_rows > 0 ? changed_group(sheet) : 0;
    enum mr_code code = changed ? end_groups(sheet, changed, err) : MR_OK;

    if (changed || sheet->n_rows == 0)
        remember_groups(sheet);
    return code;
}

enum mr_code mr_sheet_on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_sheet *sheet = arg;
    const struct mr_line line = {.kind = MR_LINE_ROW, .cells = sheet->cells};

    if (sheet->n_rows == sheet->max_rows)
        return mr_fail(err, MR_EINVAL, "there are more than %" PRIu64 " rows (max_rows)",
                       sheet->max_rows);
    enum mr_code code = read_row(sheet, row, err);
    if (code == MR_OK && sheet->report->n_groups)
        code = turn_groups(sheet, err);
    if (code == MR_OK)
        code = put_line(sheet, &line, err);
    if (code != MR_OK)
        return code;
    for (unsigned i = 0; sheet->report->has_totals && i <= sheet->report->n_groups; i++)
        mr_totals_add(&sheet->totals[i], sheet->cells);
    add_points(sheet, 0, sheet->cells);
    sheet->n_rows++;
    return MR_OK;
}

enum mr_code mr_sheet_finish(struct mr_sheet *sheet, struct mr_err *err)
{
    const struct mr_report *report = sheet->report;
    enum mr_code code = MR_OK;

    if (report->n_groups && sheet->n_rows > 0)
        code = end_groups(sheet, 1, err);
    if (code == MR_OK && report->has_totals && report->total)
        code = end_all(sheet, err);
    return code == MR_OK ? mr_output_finish(sheet->output, sheet->points, err) : code;
}
