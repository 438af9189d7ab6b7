#include "jobs/services/pdf_chart_own.h"
#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <string.h>

enum { MARKS = 6, FEW_POINTS = 8 };

static const double line_height = 11, mark_gap = 4, legend_width = 110;

/* ---- words and colours ---- */

static PangoLayout *lay_out_word(const struct mr_pdf *pdf, const char *text, double *out_width)
{
    PangoLayout *layout = pango_layout_new(pdf->context);
    int units;

    pango_layout_set_font_description(layout, mr_pdf_press_font(pdf->press, MR_PDF_SMALL));
    pango_layout_set_single_paragraph_mode(layout, TRUE);
    pango_layout_set_text(layout, text, -1);
    pango_layout_get_size(layout, &units, NULL);
    *out_width = (double)units / PANGO_SCALE;
    return layout;
}

static double word_width(const struct mr_pdf *pdf, const char *text)
{
    double width;

    g_object_unref(lay_out_word(pdf, text, &width));
    return width;
}

void mr_pdf_word(const struct mr_pdf *pdf, cairo_t *cr, const char *text,
                 enum mr_pdf_anchor anchor, double x, double y, double width)
{
    double wide;
    PangoLayout *layout = lay_out_word(pdf, text, &wide);

    if (width > 0 && wide > width) {
        /* Whatever its direction, it begins at the left end of its room. */
        pango_layout_set_alignment(layout, PANGO_ALIGN_LEFT);
        pango_layout_set_auto_dir(layout, FALSE);
        pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
        pango_layout_set_width(layout, (int)(width * PANGO_SCALE));
        wide = width;
    }
    double back = anchor == MR_PDF_AT_START ? 0 : anchor == MR_PDF_AT_END ? wide : wide / 2;
    cairo_set_source_rgb(cr, 0, 0, 0);
    cairo_move_to(cr, x - back, y);
    pango_cairo_show_layout(cr, layout);
    g_object_unref(layout);
}

/* Told apart also by those who do not see all colours. */
void mr_pdf_colour(cairo_t *cr, unsigned i)
{
    static const unsigned char colours[][3] = {
        {0x00, 0x72, 0xb2},
        {0xe6, 0x9f, 0x00},
        {0x00, 0x9e, 0x73},
        {0xcc, 0x79, 0xa7},
        {0x56, 0xb4, 0xe9},
        {0xd5, 0x5e, 0x00},
        {0x99, 0x99, 0x99},
        {0xf0, 0xe4, 0x42},
    };
    const unsigned char *c = colours[i % MR_COUNT(colours)];
    double fade = i < MR_COUNT(colours) ? 1 : 0.6; /* the second time round */

    cairo_set_source_rgb(cr, 1 - (1 - c[0] / 255.0) * fade, 1 - (1 - c[1] / 255.0) * fade,
                         1 - (1 - c[2] / 255.0) * fade);
}

void mr_pdf_legend_entry(const struct mr_pdf *pdf, cairo_t *cr, unsigned i, const char *text,
                         double x, double y, double width)
{
    static const double square = 7;

    mr_pdf_colour(cr, i);
    cairo_rectangle(cr, x, y + 1.5, square, square);
    cairo_fill(cr);
    mr_pdf_word(pdf, cr, text, MR_PDF_AT_START, x + square + 4, y, width - square - 4);
}

/* ---- axes ---- */

/* From the lowest mark to the highest, 0 between them. */
struct scale {
    double low, high, step;
};

static struct scale scale_of(const struct mr_pdf_picture *p)
{
    double low = 0, high = 0;

    for (unsigned k = 0; k < p->n_series; k++)
        for (unsigned i = 0; i < p->n_points; i++) {
            double value = p->values[k][i];

            low = value < low ? value : low;
            high = value > high ? value : high;
        }
    if (high - low <= 0 || !isfinite(high - low))
        high = low + 1;
    double step = mr_pdf_nice_step(high - low, MARKS);
    return (struct scale){floor(low / step) * step, ceil(high / step) * step, step};
}

static double y_of(const struct scale *s, const struct mr_pdf_area *a, double value)
{
    return a->bottom - (value - s->low) / (s->high - s->low) * (a->bottom - a->top);
}

/* 1500000 as 1.5M: marks are round, so little is lost. */
static void print_mark(double value, double step, char *out, size_t size)
{
    static const struct {
        double at;
        const char *unit;
    } units[] = {
        {1e12, "T"},
        {1e9,  "G"},
        {1e6,  "M"},
        {1e4,  "" },
    };
    double by = 1;
    const char *unit = "";

    for (size_t i = 0; i + 1 < MR_COUNT(units) && by == 1; i++)
        if (step >= units[i].at / 10 && fabs(value) >= units[i].at) {
            by = units[i].at;
            unit = units[i].unit;
        }
    if (fabs(value) < step / 2)
        value = 0;
    snprintf(out, size, "%.10g%s", value / by, unit);
}

static void line(cairo_t *cr, double grey, double width, double x1, double y1, double x2,
                 double y2)
{
    cairo_set_source_rgb(cr, grey, grey, grey);
    cairo_set_line_width(cr, width);
    cairo_move_to(cr, x1, y1);
    cairo_line_to(cr, x2, y2);
    cairo_stroke(cr);
}

static void draw_marks(const struct mr_pdf *pdf, cairo_t *cr, const struct scale *s,
                       const struct mr_pdf_area *a)
{
    char text[32];
    unsigned n = (unsigned)lround((s->high - s->low) / s->step);

    for (unsigned i = 0; i <= n; i++) {
        double value = s->low + i * s->step, y = y_of(s, a, value);
        bool zero = fabs(value) < s->step / 2;

        line(cr, zero ? 0.3 : 0.85, zero ? 0.8 : 0.4, a->left, y, a->right, y);
        print_mark(value, s->step, text, sizeof(text));
        mr_pdf_word(pdf, cr, text, MR_PDF_AT_END, a->left - mark_gap, y - line_height / 2, 0);
    }
}

static double widest_label(const struct mr_pdf *pdf, const struct mr_pdf_picture *p)
{
    static const double least = 20, most = 90;
    double widest = least;

    for (unsigned i = 0; i < p->n_points; i++) {
        double width = word_width(pdf, p->labels[i]);

        widest = width > widest ? width : widest;
    }
    return widest < most ? widest : most;
}

/* As many labels as have room beside each other. */
static void draw_labels(const struct mr_pdf *pdf, cairo_t *cr, const struct mr_pdf_picture *p,
                        const struct mr_pdf_area *a)
{
    static const double gap = 6;
    double room = (a->right - a->left) / p->n_points, wish = widest_label(pdf, p) + gap;
    unsigned every =
        p->n_points <= FEW_POINTS || room >= wish ? 1 : (unsigned)ceil(wish / room);

    for (unsigned i = 0; i < p->n_points; i += every)
        mr_pdf_word(pdf, cr, p->labels[i], MR_PDF_AT_MIDDLE, a->left + (i + 0.5) * room,
                    a->bottom + mark_gap, room * every - gap);
}

/* ---- series ---- */

static void draw_bars(cairo_t *cr, const struct mr_pdf_picture *p, const struct scale *s,
                      const struct mr_pdf_area *a)
{
    double room = (a->right - a->left) / p->n_points, width = room * 0.75 / p->n_series;
    double zero = y_of(s, a, 0);

    for (unsigned k = 0; k < p->n_series; k++)
        for (unsigned i = 0; i < p->n_points; i++) {
            if (isnan(p->values[k][i]))
                continue;
            double y = y_of(s, a, p->values[k][i]);

            mr_pdf_colour(cr, k);
            cairo_rectangle(cr, a->left + room * (i + 0.125) + width * k, y < zero ? y : zero,
                            width, fabs(y - zero));
            cairo_fill(cr);
        }
}

/* A point without a value breaks its line. */
static void draw_line(cairo_t *cr, const struct mr_pdf_picture *p, unsigned k,
                      const struct scale *s, const struct mr_pdf_area *a)
{
    double room = (a->right - a->left) / p->n_points;
    bool begun = false;

    mr_pdf_colour(cr, k);
    cairo_set_line_width(cr, 1.5);
    for (unsigned i = 0; i < p->n_points; i++) {
        double value = p->values[k][i], x = a->left + room * (i + 0.5);

        if (isnan(value)) {
            begun = false;
            continue;
        }
        if (begun)
            cairo_line_to(cr, x, y_of(s, a, value));
        else
            cairo_move_to(cr, x, y_of(s, a, value));
        begun = true;
    }
    cairo_stroke(cr);
}

static void draw_dots(cairo_t *cr, const struct mr_pdf_picture *p, unsigned k,
                      const struct scale *s, const struct mr_pdf_area *a)
{
    double room = (a->right - a->left) / p->n_points;

    for (unsigned i = 0; i < p->n_points; i++) {
        if (isnan(p->values[k][i]))
            continue;
        cairo_arc(cr, a->left + room * (i + 0.5), y_of(s, a, p->values[k][i]), 2, 0, 2 * M_PI);
        cairo_fill(cr);
    }
}

/* ---- the whole ---- */

static void draw_axes_chart(const struct mr_pdf *pdf, cairo_t *cr,
                            const struct mr_pdf_picture *p, struct mr_pdf_area a)
{
    struct scale s = scale_of(p);
    bool legend = p->n_series > 1;

    a.left += 52;
    a.bottom -= line_height + mark_gap;
    if (legend)
        a.right -= legend_width;
    draw_marks(pdf, cr, &s, &a);
    draw_labels(pdf, cr, p, &a);
    if (p->kind == MR_PDF_BARS)
        draw_bars(cr, p, &s, &a);
    for (unsigned k = 0; p->kind == MR_PDF_LINES && k < p->n_series; k++) {
        draw_line(cr, p, k, &s, &a);
        draw_dots(cr, p, k, &s, &a);
    }
    for (unsigned k = 0; legend && k < p->n_series; k++)
        mr_pdf_legend_entry(pdf, cr, k, p->series[k], a.right + 10, a.top + k * line_height,
                            legend_width - 10);
}

static void draw_title(const struct mr_pdf *pdf, cairo_t *cr, const char *title, double y)
{
    struct mr_pdf_box box = {(char *)(uintptr_t)title, MR_PDF_BOLD, MR_PDF_SIDE_LEFT,
                             MR_PDF_LEFT_EDGE, MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE};
    PangoLayout *layout = mr_pdf_lay_out(pdf, &box);

    pango_layout_set_height(layout, -1);
    pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    cairo_set_source_rgb(cr, 0, 0, 0);
    cairo_move_to(cr, box.x, y);
    pango_cairo_show_layout(cr, layout);
    g_object_unref(layout);
}

void mr_pdf_picture_draw(const struct mr_pdf *pdf, cairo_t *cr, const struct mr_pdf_picture *p,
                         double y)
{
    struct mr_pdf_area a = {MR_PDF_LEFT_EDGE, y + 10, MR_PDF_RIGHT_EDGE,
                            y + MR_PDF_PICTURE_HEIGHT - 32};

    if (p->title) {
        draw_title(pdf, cr, p->title, y);
        a.top += 14;
    }
    if (p->note)
        mr_pdf_word(pdf, cr, p->note, MR_PDF_AT_START, a.left, a.bottom + 3, a.right - a.left);
    if (p->n_points == 0)
        mr_pdf_word(pdf, cr, "\xe2\x80\x93", MR_PDF_AT_MIDDLE, (a.left + a.right) / 2,
                    (a.top + a.bottom) / 2, 0);
    else if (p->kind == MR_PDF_PIE)
        mr_pdf_pie_draw(pdf, cr, p, a);
    else
        draw_axes_chart(pdf, cr, p, a);
}
