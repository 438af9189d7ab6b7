#include "jobs/report/points.h"

#include "proto/base/mem.h"

#include <math.h>
#include <stdlib.h>

void mr_chart_points_init(struct mr_chart_points *points, const struct mr_report *report,
                          const struct mr_report_chart *chart)
{
    *points = (struct mr_chart_points){.chart = chart, .report = report};
    /* One more, for what has no room. */
    points->labels = mr_zalloc_array(chart->max_points + 1, sizeof(*points->labels));
    for (unsigned i = 0; i < chart->n_y; i++)
        points->values[i] = mr_zalloc_array(chart->max_points + 1, sizeof(*points->values[i]));
}

void mr_chart_points_fini(struct mr_chart_points *points)
{
    for (unsigned i = 0; i < points->n; i++)
        free(points->labels[i]);
    free(points->labels);
    for (unsigned i = 0; i < MR_CHART_SERIES_MAX; i++)
        free(points->values[i]);
    *points = (struct mr_chart_points){0};
}

static double value_of(const struct mr_chart_points *points, unsigned series,
                       const struct mr_cell *cells)
{
    unsigned column = points->chart->y_at[series];
    struct mr_buf digits = {0};
    double value = NAN;

    if (mr_cell_digits(&points->report->columns[column], &cells[column], &digits))
        value = strtod(digits.at, NULL);
    mr_buf_fini(&digits);
    return value;
}

static char *label_of(const struct mr_chart_points *points, const struct mr_cell *cells)
{
    unsigned column = points->chart->x_at;
    struct mr_buf label = {0};

    mr_cell_print(&points->report->columns[column], &cells[column], &label);
    mr_buf_add(&label, "", 0);
    return mr_buf_steal(&label);
}

void mr_chart_points_add(struct mr_chart_points *points, const struct mr_cell *cells)
{
    points->n_offered++;
    if (points->n == points->chart->max_points) {
        double value = value_of(points, 0, cells);

        points->rest += isnan(value) ? 0 : value;
        return;
    }
    for (unsigned i = 0; i < points->chart->n_y; i++)
        points->values[i][points->n] = value_of(points, i, cells);
    points->labels[points->n++] = label_of(points, cells);
}
