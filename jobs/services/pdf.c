#include "jobs/services/pdf.h"

#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = 1000 };

static const double cell_padding = 3, pair_name_width = 120;
/* White space below a block of text. */
static const double after[MR_PDF_STYLES] = {
    [MR_PDF_NORMAL] = 4, [MR_PDF_BOLD] = 4, [MR_PDF_SMALL] = 2, [MR_PDF_TITLE] = 10};

/* ---- texts ---- */

/* What pango can set: valid UTF-8, without control characters but tab and line end. The caller's. */
static char *clean(const char *text)
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

static struct mr_pdf_block make_block(unsigned n_boxes, double padding)
{
    return (struct mr_pdf_block){.padding = padding,
                                 .boxes = mr_zalloc_array(n_boxes, sizeof(struct mr_pdf_box)),
                                 .n_boxes = n_boxes};
}

static void free_block(struct mr_pdf_block *block)
{
    for (unsigned i = 0; i < block->n_boxes; i++)
        free(block->boxes[i].text);
    free(block->boxes);
}

/* As high as its highest box. */
static void measure(const struct mr_pdf *pdf, struct mr_pdf_block *block)
{
    for (unsigned i = 0; i < block->n_boxes; i++) {
        double height = height_of(pdf, &block->boxes[i]) + 2 * block->padding;

        if (height > block->height)
            block->height = height;
    }
}

static void turn_page(struct mr_pdf *pdf)
{
    if (pdf->page + 1 == PAGES_MAX) {
        mr_fail(&pdf->err, MR_EINVAL, "the document has more than %d pages", PAGES_MAX);
        return;
    }
    pdf->page++;
    pdf->y = MR_PDF_TOP_EDGE;
    pdf->table.needs_head = true;
}

static bool fits(const struct mr_pdf *pdf, double height)
{
    return pdf->y + height <= MR_PDF_BOTTOM_EDGE;
}

/* Takes block. Here, whether it fits or not. */
static void put(struct mr_pdf *pdf, struct mr_pdf_block block)
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
    struct mr_pdf_block block = make_block(1, 0);

    block.height = height;
    block.boxes[0] = (struct mr_pdf_box){.text = text,
                                         .style = style,
                                         .side = MR_PDF_SIDE_START,
                                         .x = MR_PDF_LEFT_EDGE,
                                         .width = MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE};
    put(pdf, block);
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
        if (!fits(pdf, height + more)) {
            if (height > 0)
                put_piece(pdf, style, cut_piece(text, from, start, to_left), height);
            turn_page(pdf);
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
    struct mr_pdf_box whole = {.text = clean(text),
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
static void put_whole(struct mr_pdf *pdf, struct mr_pdf_block block, const char *what)
{
    if (block.height > MR_PDF_BOTTOM_EDGE - MR_PDF_TOP_EDGE)
        mr_fail(&pdf->err, MR_EINVAL, "%s is higher than a page", what);
    else if (!fits(pdf, block.height))
        turn_page(pdf);
    if (pdf->err.code == MR_OK)
        put(pdf, block);
    else
        free_block(&block);
}

void mr_pdf_pair(struct mr_pdf *pdf, const char *name, const char *value)
{
    const double split = MR_PDF_LEFT_EDGE + pair_name_width;

    if (pdf->err.code != MR_OK || mr_pdf_press_lock(pdf->press, &pdf->err) != MR_OK)
        return;
    struct mr_pdf_block block = make_block(2, 1);

    block.boxes[0] = (struct mr_pdf_box){clean(name), MR_PDF_NORMAL, MR_PDF_SIDE_LEFT,
                                         MR_PDF_LEFT_EDGE, pair_name_width - 6};
    block.boxes[1] = (struct mr_pdf_box){clean(value), MR_PDF_BOLD, MR_PDF_SIDE_LEFT, split,
                                         MR_PDF_RIGHT_EDGE - split};
    measure(pdf, &block);
    put_whole(pdf, block, "a line of name and value");
    mr_pdf_press_unlock(pdf->press);
}

/* With the lock. One row of the table, measured. */
static struct mr_pdf_block make_row(struct mr_pdf *pdf, enum mr_pdf_style style,
                                    const char *const *cells)
{
    struct mr_pdf_block block = make_block(pdf->table.n, cell_padding);
    double x = MR_PDF_LEFT_EDGE;

    for (unsigned i = 0; i < pdf->table.n; i++) {
        const struct mr_pdf_column *column = &pdf->table.columns[i];

        block.boxes[i] = (struct mr_pdf_box){
            .text = clean(cells ? cells[i] : column->head),
            .style = style,
            .side = column->align == MR_PDF_RIGHT ? MR_PDF_SIDE_RIGHT : MR_PDF_SIDE_LEFT,
            .x = x + cell_padding,
            .width = column->width_pt - 2 * cell_padding};
        x += column->width_pt;
    }
    measure(pdf, &block);
    return block;
}

static struct mr_pdf_block make_head(struct mr_pdf *pdf)
{
    struct mr_pdf_block head = make_row(pdf, MR_PDF_BOLD, NULL);

    head.rule = MR_PDF_LINE_BELOW;
    return head;
}

/* Takes row. The head never stands alone at a page's end. */
static void put_row(struct mr_pdf *pdf, struct mr_pdf_block row)
{
    double head_height = pdf->table.head_height;

    if (head_height + row.height > MR_PDF_BOTTOM_EDGE - MR_PDF_TOP_EDGE)
        mr_fail(&pdf->err, MR_EINVAL, "row %u of a table is higher than a page",
                pdf->table.n_rows);
    else if (!fits(pdf, row.height + (pdf->table.needs_head ? head_height : 0)))
        turn_page(pdf);
    if (pdf->err.code != MR_OK) {
        free_block(&row);
        return;
    }
    if (pdf->table.needs_head)
        put(pdf, make_head(pdf));
    pdf->table.needs_head = false;
    put(pdf, row);
}

void mr_pdf_row(struct mr_pdf *pdf, enum mr_pdf_style style, const char *const *cells)
{
    if (pdf->err.code != MR_OK)
        return;
    if (pdf->table.n == 0) {
        mr_fail(&pdf->err, MR_EINVAL, "a row outside of a table");
        return;
    }
    if (mr_pdf_press_lock(pdf->press, &pdf->err) != MR_OK)
        return;
    struct mr_pdf_block row = make_row(pdf, style, cells);

    row.rule = style == MR_PDF_BOLD ? MR_PDF_LINE_ABOVE : MR_PDF_HAIRLINE_BELOW;
    pdf->table.n_rows++;
    put_row(pdf, row);
    mr_pdf_press_unlock(pdf->press);
}

/* Those without a width share what the others leave. */
static enum mr_code settle_widths(struct mr_pdf_column *columns, unsigned n, struct mr_err *err)
{
    double left = MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE, shares = 0;

    for (unsigned i = 0; i < n; i++) {
        if (columns[i].width_pt <= 0 && columns[i].share == 0)
            columns[i].share = 1;
        left -= columns[i].width_pt;
        shares += columns[i].width_pt > 0 ? 0 : columns[i].share;
    }
    for (unsigned i = 0; i < n; i++) {
        if (columns[i].width_pt <= 0)
            columns[i].width_pt = left * columns[i].share / shares;
        if (left < 0 || columns[i].width_pt < 4 * cell_padding)
            return mr_fail(err, MR_EINVAL,
                           "column %u of a table has no room: %.0f points are there for all",
                           i + 1, MR_PDF_RIGHT_EDGE - MR_PDF_LEFT_EDGE);
    }
    return MR_OK;
}

/* With the lock. */
static void begin_table(struct mr_pdf *pdf, const struct mr_pdf_column *columns, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pdf->table.columns[i] = columns[i];
        pdf->table.columns[i].head = mr_strdup(columns[i].head);
    }
    pdf->table.n = n;
    pdf->table.n_rows = 0;
    pdf->table.needs_head = true;
    struct mr_pdf_block head = make_head(pdf);
    pdf->table.head_height = head.height;
    free_block(&head);
}

void mr_pdf_table_begin(struct mr_pdf *pdf, const struct mr_pdf_column *columns, unsigned n)
{
    struct mr_pdf_column settled[MR_PDF_COLUMNS_MAX];

    mr_pdf_table_end(pdf);
    if (pdf->err.code != MR_OK)
        return;
    if (n == 0 || n > MR_PDF_COLUMNS_MAX) {
        mr_fail(&pdf->err, MR_EINVAL, "a table has 1 to %d columns, not %u", MR_PDF_COLUMNS_MAX,
                n);
        return;
    }
    memcpy(settled, columns, n * sizeof(*columns));
    if (settle_widths(settled, n, &pdf->err) != MR_OK ||
        mr_pdf_press_lock(pdf->press, &pdf->err) != MR_OK)
        return;
    begin_table(pdf, settled, n);
    mr_pdf_press_unlock(pdf->press);
}

static void forget_table(struct mr_pdf *pdf)
{
    for (unsigned i = 0; i < pdf->table.n; i++)
        free((char *)(uintptr_t)pdf->table.columns[i].head);
    pdf->table.n = 0;
}

void mr_pdf_table_end(struct mr_pdf *pdf)
{
    if (pdf->table.n > 0 && pdf->table.n_rows == 0 && pdf->err.code == MR_OK &&
        mr_pdf_press_lock(pdf->press, &pdf->err) == MR_OK) {
        put_whole(pdf, make_head(pdf), "the head of a table");
        mr_pdf_press_unlock(pdf->press);
    }
    forget_table(pdf);
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
    pdf->title = clean(about->title);
    pdf->author = about->author ? clean(about->author) : NULL;
    pdf->made_at_ms = about->made_at_ms;
    pdf->y = MR_PDF_TOP_EDGE;
    pdf->context = mr_pdf_press_context(press);
    mr_pdf_press_unlock(press);
    *out = pdf;
    return MR_OK;
}

void mr_pdf_drop(struct mr_pdf *pdf)
{
    if (!pdf)
        return;
    forget_table(pdf);
    for (size_t i = 0; i < pdf->n_blocks; i++)
        free_block(&pdf->blocks[i]);
    free(pdf->blocks);
    if (mr_pdf_press_lock(pdf->press, NULL) == MR_OK) {
        g_object_unref(pdf->context);
        mr_pdf_press_unlock(pdf->press);
    }
    free(pdf->title);
    free(pdf->author);
    free(pdf);
}
