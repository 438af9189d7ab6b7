#include "jobs/services/pdf.h"
#include "jobs/services/pdf_chart_own.h"
#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* cairo keeps that it failed, the document keeps why. */
static cairo_status_t on_bytes(void *arg, const unsigned char *bytes, unsigned len)
{
    struct mr_pdf *pdf = arg;

    if (pdf->err.code == MR_OK) {
        enum mr_code code = pdf->write(pdf->arg, bytes, len, &pdf->err);

        pdf->err.code = code;
    }
    return pdf->err.code == MR_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void describe(const struct mr_pdf *pdf, cairo_surface_t *surface)
{
    time_t seconds = (time_t)(pdf->made_at_ms / 1000);
    struct tm tm;
    char date[40];

    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, pdf->title);
    if (pdf->author)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_AUTHOR, pdf->author);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, date);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_MOD_DATE, date);
}

static void draw_box(const struct mr_pdf *pdf, cairo_t *cr, const struct mr_pdf_box *box,
                     double y)
{
    PangoLayout *layout = mr_pdf_lay_out(pdf, box);

    cairo_set_source_rgb(cr, 0, 0, 0);
    cairo_move_to(cr, box->x, y);
    pango_cairo_show_layout(cr, layout);
    g_object_unref(layout);
}

static void draw_rule(cairo_t *cr, const struct mr_pdf_block *block)
{
    bool hairline = block->rule == MR_PDF_HAIRLINE_BELOW;
    double y = block->rule == MR_PDF_LINE_ABOVE ? block->y : block->y + block->height;
    double grey = hairline ? 0.75 : 0;

    if (block->rule == MR_PDF_NO_RULE)
        return;
    cairo_set_source_rgb(cr, grey, grey, grey);
    cairo_set_line_width(cr, hairline ? 0.4 : 0.8);
    cairo_move_to(cr, MR_PDF_LEFT_EDGE, y);
    cairo_line_to(cr, MR_PDF_RIGHT_EDGE, y);
    cairo_stroke(cr);
}

static void draw_block(const struct mr_pdf *pdf, cairo_t *cr, const struct mr_pdf_block *block)
{
    draw_rule(cr, block);
    for (unsigned i = 0; i < block->n_boxes; i++)
        draw_box(pdf, cr, &block->boxes[i], block->y + block->padding);
    if (block->picture)
        mr_pdf_picture_draw(pdf, cr, block->picture, block->y);
}

/* "2 / 3", where there is more than one page. */
static void draw_foot(const struct mr_pdf *pdf, cairo_t *cr, unsigned page)
{
    char number[32];
    const struct mr_pdf_box box = {.text = number,
                                   .style = MR_PDF_SMALL,
                                   .side = MR_PDF_SIDE_RIGHT,
                                   .x = MR_PDF_LEFT_EDGE,
                                   .width = MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE};

    if (pdf->page == 0)
        return;
    snprintf(number, sizeof(number), "%u / %u", page + 1, pdf->page + 1);
    draw_box(pdf, cr, &box, MR_PDF_FOOT);
}

/* Blocks stand in the order of their pages. */
static void draw_pages(const struct mr_pdf *pdf, cairo_t *cr)
{
    size_t i = 0;

    for (unsigned page = 0; page <= pdf->page && cairo_status(cr) == CAIRO_STATUS_SUCCESS;
         page++) {
        for (; i < pdf->n_blocks && pdf->blocks[i].page == page; i++)
            draw_block(pdf, cr, &pdf->blocks[i]);
        draw_foot(pdf, cr, page);
        cairo_show_page(cr);
    }
}

/* With the lock. */
static void draw(struct mr_pdf *pdf)
{
    cairo_surface_t *surface =
        cairo_pdf_surface_create_for_stream(on_bytes, pdf, MR_PDF_WIDTH, MR_PDF_HEIGHT);
    cairo_t *cr = cairo_create(surface);

    describe(pdf, surface);
    draw_pages(pdf, cr);
    cairo_status_t drawn = cairo_status(cr);
    cairo_destroy(cr);
    cairo_surface_finish(surface);
    cairo_status_t written = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    cairo_status_t status = drawn != CAIRO_STATUS_SUCCESS ? drawn : written;
    if (pdf->err.code == MR_OK && status != CAIRO_STATUS_SUCCESS)
        mr_fail(&pdf->err, MR_EIO, "the PDF could not be drawn: %s",
                cairo_status_to_string(status));
}

enum mr_code mr_pdf_finish(struct mr_pdf *pdf, struct mr_err *err)
{
    mr_pdf_table_end(pdf);
    if (pdf->err.code == MR_OK && mr_pdf_press_lock(pdf->press, &pdf->err) == MR_OK) {
        draw(pdf);
        mr_pdf_press_unlock(pdf->press);
    }
    enum mr_code code = pdf->err.code;
    if (code != MR_OK && err)
        *err = pdf->err;
    mr_pdf_drop(pdf);
    return code;
}
