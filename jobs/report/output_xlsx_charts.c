#include "jobs/report/output_xlsx.h"
#include "jobs/report/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHART_ROWS = 20, CHART_COLUMN = 11 }; /* what a chart covers of the cells beside it */

/* A chart's numbers, from `top` on: labels in the first column, a series in each of the next. */
static void put_points(struct mr_xlsx *xlsx, const struct mr_chart_points *points,
                       lxw_row_t top)
{
    const struct mr_report *report = points->report;
    const struct mr_report_chart *chart = points->chart;

    mr_xlsx_text(xlsx, top, 0, mr_bytes_of(mr_column_title(&report->columns[chart->x_at])),
                 xlsx->bold);
    for (unsigned k = 0; k < chart->n_y; k++)
        mr_xlsx_text(xlsx, top, (lxw_col_t)(k + 1),
                     mr_bytes_of(mr_column_title(&report->columns[chart->y_at[k]])),
                     xlsx->bold);
    for (unsigned i = 0; i < points->n; i++) {
        mr_xlsx_text(xlsx, top + 1 + i, 0, mr_bytes_of(points->labels[i]), NULL);
        for (unsigned k = 0; k < chart->n_y; k++)
            if (!isnan(points->values[k][i]))
                worksheet_write_number(xlsx->sheet, top + 1 + i, (lxw_col_t)(k + 1),
                                       points->values[k][i], NULL);
    }
}

/* What a pie has beyond its points. Returns how many rows of numbers there are. */
static unsigned put_rest(struct mr_xlsx *xlsx, const struct mr_chart_points *points,
                         lxw_row_t top)
{
    unsigned n = points->n;

    if (points->chart->kind != MR_CHART_PIE || points->n_offered <= n)
        return n;
    mr_xlsx_text(xlsx, top + 1 + n, 0, mr_bytes_of("\xe2\x80\xa6"), NULL);
    worksheet_write_number(xlsx->sheet, top + 1 + n, 1, points->rest, NULL);
    return n + 1;
}

static void draw(struct mr_xlsx *xlsx, const struct mr_chart_points *points, lxw_row_t top,
                 unsigned n_rows)
{
    static const uint8_t kinds[] = {[MR_CHART_BAR] = LXW_CHART_COLUMN,
                                    [MR_CHART_LINE] = LXW_CHART_LINE,
                                    [MR_CHART_PIE] = LXW_CHART_PIE};
    const struct mr_report_chart *plan = points->chart;
    lxw_chart *chart = workbook_add_chart(xlsx->workbook, kinds[plan->kind]);
    const char *name = xlsx->sheet->name;
    lxw_row_t first = top + 1, last = top + n_rows;

    for (unsigned k = 0; k < plan->n_y; k++) {
        lxw_chart_series *series = chart_add_series(chart, NULL, NULL);
        lxw_col_t at = (lxw_col_t)(k + 1);

        chart_series_set_name_range(series, name, top, at);
        chart_series_set_categories(series, name, first, 0, last, 0);
        chart_series_set_values(series, name, first, at, last, at);
    }
    chart_title_set_name(chart, plan->title ? plan->title : plan->name);
    worksheet_insert_chart(xlsx->sheet, top, CHART_COLUMN, chart);
}

/* Rows of a sheet in constant memory come in their order: all numbers of a chart before the next. */
enum mr_code mr_xlsx_charts(struct mr_xlsx *xlsx, const struct mr_chart_points *points,
                            struct mr_err *err)
{
    const struct mr_report *report = xlsx->output.plan.report;
    lxw_row_t top = 0;

    if (report->n_charts == 0)
        return MR_OK;
    xlsx->sheet = workbook_add_worksheet(xlsx->workbook, NULL);
    if (!xlsx->sheet || !xlsx->sheet->optimize_tmpfile)
        return mr_fail(err, MR_EIO, "reports.tmpdir: no file can be made there");
    worksheet_set_column(xlsx->sheet, 0, 0, mr_column_width(&report->columns[0]), NULL);
    for (unsigned i = 0; i < report->n_charts; i++) {
        put_points(xlsx, &points[i], top);
        unsigned n = put_rest(xlsx, &points[i], top);

        if (n > 0)
            draw(xlsx, &points[i], top, n);
        top += 2 + (n > CHART_ROWS ? n : CHART_ROWS);
    }
    return mr_xlsx_check(xlsx, err);
}
