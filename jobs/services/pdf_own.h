/* A document from inside: what has been placed (pdf.c, pdf_table.c), how it becomes ink (pdf_draw.c), and the fonts of all (pdf_press.c). */
#ifndef MR_JOBS_SERVICES_PDF_OWN_H
#define MR_JOBS_SERVICES_PDF_OWN_H

#include "jobs/services/pdf.h"

#include <pango/pango.h>
#include <stdbool.h>

struct mr_pdf_picture;

enum { MR_PDF_STYLES = 4, MR_PDF_COLUMNS_MAX = 20 };

/* A4 in points, from the upper left corner. */
#define MR_PDF_WIDTH 595.276
#define MR_PDF_HEIGHT 841.890
#define MR_PDF_LEFT_EDGE 57.0
#define MR_PDF_RIGHT_EDGE (MR_PDF_WIDTH - 57.0)
#define MR_PDF_TOP_EDGE 57.0
#define MR_PDF_BOTTOM_EDGE (MR_PDF_HEIGHT - 68.0)
#define MR_PDF_FOOT (MR_PDF_HEIGHT - 45.0)

/* Locks the press, loading its fonts if nobody did; MR_EFAULT, and not locked, when there are none. */
enum mr_code mr_pdf_press_lock(struct mr_pdf_press *press, struct mr_err *err);
void mr_pdf_press_unlock(struct mr_pdf_press *press);
/* With the lock. The context is the caller's, one a document. */
PangoContext *mr_pdf_press_context(struct mr_pdf_press *press);
const PangoFontDescription *mr_pdf_press_font(const struct mr_pdf_press *press,
                                              enum mr_pdf_style style);

/* Where lines of text begin or end: with START where their own language does. */
enum mr_pdf_side { MR_PDF_SIDE_START, MR_PDF_SIDE_LEFT, MR_PDF_SIDE_RIGHT };

/* Text within a width. */
struct mr_pdf_box {
    char *text;
    enum mr_pdf_style style;
    enum mr_pdf_side side;
    double x, width;
};

enum mr_pdf_rule {
    MR_PDF_NO_RULE,
    MR_PDF_HAIRLINE_BELOW,
    MR_PDF_LINE_BELOW,
    MR_PDF_LINE_ABOVE
};

/* Boxes beside each other, at their place on a page. Their upper edges are padding below y. */
struct mr_pdf_block {
    unsigned page; /* from 0 */
    double y, height, padding;
    enum mr_pdf_rule rule;
    struct mr_pdf_box *boxes;
    unsigned n_boxes;
    struct mr_pdf_picture *picture; /* instead of boxes; owned */
};

struct mr_pdf {
    struct mr_pdf_press *press;
    mr_pdf_write_fn *write;
    void *arg;
    char *title, *author;
    uint64_t made_at_ms;
    PangoContext *context;
    struct mr_err err; /* the first that went wrong; code 0: nothing yet */
    struct mr_pdf_block *blocks;
    size_t n_blocks, room;
    unsigned page; /* where the next block goes */
    double y;
    struct {
        struct mr_pdf_column columns[MR_PDF_COLUMNS_MAX]; /* heads owned, widths settled */
        unsigned n;                                       /* 0: no table is open */
        unsigned n_rows;
        double head_height;
        bool needs_head; /* on this page */
    } table;
};

/* What pango can set: valid UTF-8, without control characters but tab and line end; NULL is empty. The caller's. */
char *mr_pdf_clean(const char *text);
struct mr_pdf_block mr_pdf_block_make(unsigned n_boxes, double padding);
void mr_pdf_block_free(struct mr_pdf_block *block);
/* With the lock: as high as its highest box. */
void mr_pdf_block_measure(const struct mr_pdf *pdf, struct mr_pdf_block *block);

bool mr_pdf_fits(const struct mr_pdf *pdf, double height); /* on what is left of the page */
void mr_pdf_turn_page(
    struct mr_pdf *pdf); /* to the next one; err is set when there are too many */
/* Takes block: here, whether it fits or not; or on the next page where it does not. That it is higher than any page is told as what is. */
void mr_pdf_put(struct mr_pdf *pdf, struct mr_pdf_block block);
void mr_pdf_put_whole(struct mr_pdf *pdf, struct mr_pdf_block block, const char *what);
void mr_pdf_table_forget(struct mr_pdf *pdf);

/* With the lock: the layout of box, the caller's. */
PangoLayout *mr_pdf_lay_out(const struct mr_pdf *pdf, const struct mr_pdf_box *box);

#endif
