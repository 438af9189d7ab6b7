#include "jobs/services/pdf_chart_own.h"

#include "proto/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double entry_height = 12;

static double share_of(const struct mr_pdf_picture *p, unsigned i, double sum)
{
    double value = p->values[0][i];

    return value > 0 && sum > 0 ? value / sum : 0;
}

/* NAN and what is below 0 have no slice. */
static double sum_of(const struct mr_pdf_picture *p)
{
    double sum = 0;

    for (unsigned i = 0; i < p->n_points; i++)
        sum += p->values[0][i] > 0 ? p->values[0][i] : 0;
    return isfinite(sum) ? sum : 0;
}

static void draw_slice(cairo_t *cr, unsigned i, double x, double y, double radius, double from,
                       double to)
{
    mr_pdf_colour(cr, i);
    cairo_move_to(cr, x, y);
    cairo_arc(cr, x, y, radius, from, to);
    cairo_close_path(cr);
    cairo_fill_preserve(cr);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_set_line_width(cr, 0.8);
    cairo_stroke(cr);
}

/* "12.5 %  Berlin", from left to right whatever the name, with the slice's colour; those that have no room are not named. */
static void draw_legend(const struct mr_pdf *pdf, cairo_t *cr, const struct mr_pdf_picture *p,
                        double sum, struct mr_pdf_area a)
{
    double width = (a.right - a.left) / 2;
    unsigned a_column = (unsigned)((a.bottom - a.top) / entry_height);

    for (unsigned i = 0; i < p->n_points && i < 2 * a_column; i++) {
        char *text =
            mr_asprintf("\xe2\x80\x8e%.1f %%  %s", 100 * share_of(p, i, sum), p->labels[i]);

        mr_pdf_legend_entry(pdf, cr, i, text, a.left + (i / a_column) * width,
                            a.top + (i % a_column) * entry_height, width - 6);
        free(text);
    }
}

/* From twelve o'clock on, as the clock goes. */
void mr_pdf_pie_draw(const struct mr_pdf *pdf, cairo_t *cr, const struct mr_pdf_picture *p,
                     struct mr_pdf_area a)
{
    double sum = sum_of(p), from = -M_PI / 2, radius = (a.bottom - a.top) / 2;
    double x = a.left + radius, y = a.top + radius;

    for (unsigned i = 0; i < p->n_points; i++) {
        double to = from + 2 * M_PI * share_of(p, i, sum);

        if (to > from)
            draw_slice(cr, i, x, y, radius, from, to);
        from = to;
    }
    a.left = x + radius + 24;
    draw_legend(pdf, cr, p, sum, a);
}
