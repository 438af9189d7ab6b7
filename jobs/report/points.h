/* The points of a chart, gathered while the rows pass. Pure. */
#ifndef MR_JOBS_REPORT_POINTS_H
#define MR_JOBS_REPORT_POINTS_H

#include "jobs/report/definition.h"
#include "jobs/report/format.h"

/* At most the chart's number of them, and room for one more. */
struct mr_chart_points {
    const struct mr_report_chart *chart; /* a borrow */
    const struct mr_report *report;
    unsigned n;
    char **labels;
    double *values[MR_CHART_SERIES_MAX]; /* of each series; NAN where there was none */
    uint64_t n_offered;                  /* with those that had no room */
    double rest;                         /* the sum of the first series of those */
};

void mr_chart_points_init(struct mr_chart_points *points, const struct mr_report *report,
                          const struct mr_report_chart *chart);
void mr_chart_points_fini(struct mr_chart_points *points);
/* One row, or one subtotal, as the chart's own level wants it. */
void mr_chart_points_add(struct mr_chart_points *points, const struct mr_cell *cells);

#endif
