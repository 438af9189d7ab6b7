/* Charts on a page: bars, lines or a pie over named points, with axes, a legend and a title. */
#ifndef MR_JOBS_SERVICES_PDF_CHART_H
#define MR_JOBS_SERVICES_PDF_CHART_H

#include "jobs/services/pdf.h"

#include <stdbool.h>

enum mr_pdf_chart_kind { MR_PDF_BARS, MR_PDF_LINES, MR_PDF_PIE };
enum { MR_PDF_SERIES_MAX = 8, MR_PDF_POINTS_MAX = 500 };

/* What is shown; all borrowed for the call. */
struct mr_pdf_chart {
    enum mr_pdf_chart_kind kind;
    const char *title;           /* NULL: none */
    const char *note;            /* below it, small; NULL: none */
    const char *const *labels;   /* of the points */
    const char *const *series;   /* names, for the legend; of a pie the labels are its legend */
    const double *const *values; /* of each series, of each point; NAN: none */
    unsigned n_points, n_series;
};

/*
 * A chart over the page's whole width, 245 pt high, never split. A pie shows its first series; what is not above 0 has no slice. MR_EINVAL, as the
 * document's error: more points or series than above.
 */
void mr_pdf_chart(struct mr_pdf *pdf, const struct mr_pdf_chart *chart);

/* The step between an axis' marks: 1, 2 or 5 times a power of ten, so that span has at most n of them. span above 0, n not 0. */
double mr_pdf_nice_step(double span, unsigned n);

#endif
