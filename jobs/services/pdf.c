#include "jobs/services/pdf.h"

#include "jobs/services/pdf_chart_own.h"
#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = 1000 };

static const double pair_name_width = 120;
/* White space below a block of text. */
static const double after[MR_PDF_STYLES] = {
    [MR_PDF_NORMAL] = 4, [MR_PDF_BOLD] = 4, [MR_PDF_SMALL] = 2, [MR_PDF_TITLE] = 10};

/* ---- texts ---- */

/* What pango can set: valid UTF-8, without control characters but tab and line end. The caller's. */
char *mr_pdf_clean(const char *text)
{
    size_t len = text ? strlen(text) : 0, n;
    struct mr_buf out = {0};

    mr_buf_reserve(&out, len);
    for (size_t i = 0; i < len; i += n ? n : 1) {
        unsigned char c = (unsigned char)text[i];

        n = mr_str_utf8(text + i, len - i);
        if (c == '\r' && text[i + 1] == '\n')
            continue;
        if (n == 0 || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            mr_buf_text(&out, "\xef\xbf\xbd");
        else
            mr_buf_add(&out, text + i, n);
    }
    mr_buf_add(&out, "", 0);
    return mr_buf_steal(&out);
}

/* Pango turns left and right about where a text runs from right to left; on paper they stay. */
static PangoAlignment alignment_of(PangoLayout *layout, enum mr_pdf_side side)
{
    bool right = side == MR_PDF_SIDE_RIGHT;

    if (side != MR_PDF_SIDE_START &&
        pango_layout_get_direction(layout, 0) == PANGO_DIRECTION_RTL)
        right = !right;
    return right ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT;
}

PangoLayout *mr_pdf_lay_out(const struct mr_pdf *pdf, const struct mr_pdf_box *box)
{
    PangoLayout *layout = pango_layout_new(pdf->context);

    pango_layout_set_font_description(layout, mr_pdf_press_font(pdf->press, box->style));
    pango_layout_set_width(layout, (int)(box->width * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_text(layout, box->text, -1);
    pango_layout_set_alignment(layout, alignment_of(layout, box->side));
    return layout;
}

static double height_of(const struct mr_pdf *pdf, const struct mr_pdf_box *box)
{
    PangoLayout *layout = mr_pdf_lay_out(pdf, box);
    int height;

    pango_layout_get_size(layout, NULL, &height);
    g_object_unref(layout);
    return (double)height / PANGO_SCALE;
}

/* ---- blocks ---- */

struct mr_pdf_block mr_pdf_block_make(unsigned n_boxes, double padding)
{
    return (struct mr_pdf_block){.padding = padding,
                                 .boxes = mr_zalloc_array(n_boxes, sizeof(struct mr_pdf_box)),
                                 .n_boxes = n_boxes};
}

void mr_pdf_block_free(struct mr_pdf_block *block)
{
    for (unsigned i = 0; i < block->n_boxes; i++)
        free(block->boxes[i].text);
    free(block->boxes);
    mr_pdf_picture_free(block->picture);
}

/* As high as its highest box. */
void mr_pdf_block_measure(const struct mr_pdf *pdf, struct mr_pdf_block *block)
{
    for (unsigned i = 0; i < block->n_boxes; i++) {
        double height = height_of(pdf, &block->boxes[i]) + 2 * block->padding;

        if (height > block->height)
            block->height = height;
    }
}

void mr_pdf_turn_page(struct mr_pdf *pdf)
{
    if (pdf->page + 1 == PAGES_MAX) {
        mr_fail(&pdf->err, MR_EINVAL, "the document has more than %d pages", PAGES_MAX);
        return;
    }
    pdf->page++;
    pdf->y = MR_PDF_TOP_EDGE;
    pdf->table.needs_head = true;
}

bool mr_pdf_fits(const struct mr_pdf *pdf, double height)
{
    return pdf->y + height <= MR_PDF_BOTTOM_EDGE;
}

/* Takes block. Here, whether it fits or not. */
void mr_pdf_put(struct mr_pdf *pdf, struct mr_pdf_block block)
{
    block.page = pdf->page;
    block.y = pdf->y;
    pdf->y += block.height;
    if (pdf->n_blocks == pdf->room) {
        pdf->room = pdf->room ? pdf->room * 2 : 64;
        pdf->blocks = mr_realloc(pdf->blocks, pdf->room * sizeof(*pdf->blocks));
    }
    pdf->blocks[pdf->n_blocks++] = block;
}

/* ---- paragraphs ---- */

static void put_piece(struct mr_pdf *pdf, enum mr_pdf_style style, char *text, double height)
{
    struct mr_pdf_block block = mr_pdf_block_make(1, 0);

    block.height = height;
    block.boxes[0] = (struct mr_pdf_box){.text = text,
                                         .style = style,
                                         .side = MR_PDF_SIDE_START,
                                         .x = MR_PDF_LEFT_EDGE,
                                         .width = MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE};
    mr_pdf_put(pdf, block);
}

/*
 * The bytes from..to of text, that are whole lines, as a text that falls into the same lines: a paragraph that was begun before keeps
 * its direction by a mark. The caller's.
 */
static char *cut_piece(const char *text, size_t from, size_t to, bool to_left)
{
    bool goes_on = from > 0 && text[from - 1] != '\n';
    size_t len = to - from;

    if (len > 0 && text[to - 1] == '\n')
        len--;
    return mr_asprintf("%s%.*s", goes_on ? to_left ? "\xe2\x80\x8f" : "\xe2\x80\x8e" : "",
                       (int)len, text + from);
}

/* Lines that fit on this page, then those that fit on the next. */
static void put_paragraph(struct mr_pdf *pdf, enum mr_pdf_style style, PangoLayout *layout)
{
    const char *text = pango_layout_get_text(layout);
    PangoLayoutIter *iter = pango_layout_get_iter(layout);
    size_t from = 0;
    double height = 0;
    bool to_left = false;

    do {
        const PangoLayoutLine *line = pango_layout_iter_get_line_readonly(iter);
        size_t start = (size_t)line->start_index;
        int top, bottom;

        pango_layout_iter_get_line_yrange(iter, &top, &bottom);
        double more = (double)(bottom - top) / PANGO_SCALE;
        if (!mr_pdf_fits(pdf, height + more)) {
            if (height > 0)
                put_piece(pdf, style, cut_piece(text, from, start, to_left), height);
            mr_pdf_turn_page(pdf);
            from = start;
            height = 0;
        }
        if (height <= 0)
            to_left = line->resolved_dir == PANGO_DIRECTION_RTL;
        height += more;
    } while (pango_layout_iter_next_line(iter) && pdf->err.code == MR_OK);
    put_piece(pdf, style, cut_piece(text, from, strlen(text), to_left), height);
    pango_layout_iter_free(iter);
}

void mr_pdf_text(struct mr_pdf *pdf, enum mr_pdf_style style, const char *text)
{
    if (pdf->err.code != MR_OK || mr_pdf_press_lock(pdf->press, &pdf->err) != MR_OK)
        return;
    struct mr_pdf_box whole = {.text = mr_pdf_clean(text),
                               .style = style,
                               .side = MR_PDF_SIDE_START,
                               .width = MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE};
    PangoLayout *layout = mr_pdf_lay_out(pdf, &whole);

    put_paragraph(pdf, style, layout);
    pdf->y += after[style];
    g_object_unref(layout);
    free(whole.text);
    mr_pdf_press_unlock(pdf->press);
}

void mr_pdf_gap(struct mr_pdf *pdf, double height_pt)
{
    if (pdf->y > MR_PDF_TOP_EDGE)
        pdf->y += height_pt;
}

/* ---- rows ---- */

/* Takes block; what is the matter with it if even an empty page is too small. */
void mr_pdf_put_whole(struct mr_pdf *pdf, struct mr_pdf_block block, const char *what)
{
    if (block.height > MR_PDF_BOTTOM_EDGE - MR_PDF_TOP_EDGE)
        mr_fail(&pdf->err, MR_EINVAL, "%s is higher than a page", what);
    else if (!mr_pdf_fits(pdf, block.height))
        mr_pdf_turn_page(pdf);
    if (pdf->err.code == MR_OK)
        mr_pdf_put(pdf, block);
    else
        mr_pdf_block_free(&block);
}

void mr_pdf_pair(struct mr_pdf *pdf, const char *name, const char *value)
{
    const double split = MR_PDF_LEFT_EDGE + pair_name_width;

    if (pdf->err.code != MR_OK || mr_pdf_press_lock(pdf->press, &pdf->err) != MR_OK)
        return;
    struct mr_pdf_block block = mr_pdf_block_make(2, 1);

    block.boxes[0] = (struct mr_pdf_box){mr_pdf_clean(name), MR_PDF_NORMAL, MR_PDF_SIDE_LEFT,
                                         MR_PDF_LEFT_EDGE, pair_name_width - 6};
    block.boxes[1] = (struct mr_pdf_box){mr_pdf_clean(value), MR_PDF_BOLD, MR_PDF_SIDE_LEFT,
                                         split, MR_PDF_RIGHT_EDGE - split};
    mr_pdf_block_measure(pdf, &block);
    mr_pdf_put_whole(pdf, block, "a line of name and value");
    mr_pdf_press_unlock(pdf->press);
}

/* ---- the document ---- */

enum mr_code mr_pdf_new(struct mr_pdf_press *press, const struct mr_pdf_about *about,
                        mr_pdf_write_fn *write, void *arg, struct mr_pdf **out,
                        struct mr_err *err)
{
    enum mr_code code = mr_pdf_press_lock(press, err);

    if (code != MR_OK)
        return code;
    struct mr_pdf *pdf = mr_zalloc(sizeof(*pdf));
    pdf->press = press;
    pdf->write = write;
    pdf->arg = arg;
    pdf->title = mr_pdf_clean(about->title);
    pdf->author = about->author ? mr_pdf_clean(about->author) : NULL;
    pdf->made_at_ms = about->made_at_ms;
    pdf->y = MR_PDF_TOP_EDGE;
    pdf->context = mr_pdf_press_context(press);
    mr_pdf_press_unlock(press);
    *out = pdf;
    return MR_OK;
}

enum mr_code mr_pdf_fault(const struct mr_pdf *pdf, struct mr_err *err)
{
    if (pdf->err.code != MR_OK && err)
        *err = pdf->err;
    return pdf->err.code;
}

void mr_pdf_drop(struct mr_pdf *pdf)
{
    if (!pdf)
        return;
    mr_pdf_table_forget(pdf);
    for (size_t i = 0; i < pdf->n_blocks; i++)
        mr_pdf_block_free(&pdf->blocks[i]);
    free(pdf->blocks);
    if (mr_pdf_press_lock(pdf->press, NULL) == MR_OK) {
        g_object_unref(pdf->context);
        mr_pdf_press_unlock(pdf->press);
    }
    free(pdf->title);
    free(pdf->author);
    free(pdf);
}
