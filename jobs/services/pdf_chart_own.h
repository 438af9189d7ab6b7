/* A chart from inside: what is kept of it (pdf_chart.c), and how it becomes ink: axes, bars and lines (pdf_chart_draw.c), slices (pdf_chart_pie.c). */
#ifndef MR_JOBS_SERVICES_PDF_CHART_OWN_H
#define MR_JOBS_SERVICES_PDF_CHART_OWN_H

#include "jobs/services/pdf_chart.h"

#include <cairo.h>

struct mr_pdf;

#define MR_PDF_PICTURE_HEIGHT 245.0

struct mr_pdf_picture {
    enum mr_pdf_chart_kind kind;
    char *title, *note;
    char **labels;
    char *series[MR_PDF_SERIES_MAX];
    double *values[MR_PDF_SERIES_MAX];
    unsigned n_points, n_series;
};

/* A part of the page, in points from the upper left corner. */
struct mr_pdf_area {
    double left, top, right, bottom;
};

void mr_pdf_picture_free(struct mr_pdf_picture *picture);
/* With the lock; y is the picture's upper edge. */
void mr_pdf_picture_draw(const struct mr_pdf *pdf, cairo_t *cr,
                         const struct mr_pdf_picture *picture, double y);
void mr_pdf_pie_draw(const struct mr_pdf *pdf, cairo_t *cr,
                     const struct mr_pdf_picture *picture, struct mr_pdf_area area);

enum mr_pdf_anchor { MR_PDF_AT_START, MR_PDF_AT_MIDDLE, MR_PDF_AT_END };
/* One small line, cut with dots where it is wider than width (0: never); x is its left end, middle or right end, y its upper edge. */
void mr_pdf_word(const struct mr_pdf *pdf, cairo_t *cr, const char *text,
                 enum mr_pdf_anchor anchor, double x, double y, double width);
/* The colour of the i-th series or slice. */
void mr_pdf_colour(cairo_t *cr, unsigned i);
/* A square of that colour and a word beside it. */
void mr_pdf_legend_entry(const struct mr_pdf *pdf, cairo_t *cr, unsigned i, const char *text,
                         double x, double y, double width);

#endif
