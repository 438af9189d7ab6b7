#include "jobs/services/pdf.h"
#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const double cell_padding = 3;

/* With the lock. One row of the table, measured. */
static struct mr_pdf_block make_row(struct mr_pdf *pdf, enum mr_pdf_style style,
                                    const char *const *cells)
{
    struct mr_pdf_block block = mr_pdf_block_make(pdf->table.n, cell_padding);
    double x = MR_PDF_LEFT_EDGE;

    for (unsigned i = 0; i < pdf->table.n; i++) {
        const struct mr_pdf_column *column = &pdf->table.columns[i];

        block.boxes[i] = (struct mr_pdf_box){
            .text = mr_pdf_clean(cells ? cells[i] : column->head),
            .style = style,
            .side = column->align == MR_PDF_RIGHT ? MR_PDF_SIDE_RIGHT : MR_PDF_SIDE_LEFT,
            .x = x + cell_padding,
            .width = column->width_pt - 2 * cell_padding};
        x += column->width_pt;
    }
    mr_pdf_block_measure(pdf, &block);
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
    else if (!mr_pdf_fits(pdf, row.height + (pdf->table.needs_head ? head_height : 0)))
        mr_pdf_turn_page(pdf);
    if (pdf->err.code != MR_OK) {
        mr_pdf_block_free(&row);
        return;
    }
    if (pdf->table.needs_head)
        mr_pdf_put(pdf, make_head(pdf));
    pdf->table.needs_head = false;
    mr_pdf_put(pdf, row);
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
    mr_pdf_block_free(&head);
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

void mr_pdf_table_forget(struct mr_pdf *pdf)
{
    for (unsigned i = 0; i < pdf->table.n; i++)
        free((char *)(uintptr_t)pdf->table.columns[i].head);
    pdf->table.n = 0;
}

void mr_pdf_table_end(struct mr_pdf *pdf)
{
    if (pdf->table.n > 0 && pdf->table.n_rows == 0 && pdf->err.code == MR_OK &&
        mr_pdf_press_lock(pdf->press, &pdf->err) == MR_OK) {
        mr_pdf_put_whole(pdf, make_head(pdf), "the head of a table");
        mr_pdf_press_unlock(pdf->press);
    }
    mr_pdf_table_forget(pdf);
}
