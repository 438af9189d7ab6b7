/*
 * Documents that people read and print, as PDF by cairo and pango: A4 pages of text, lines of name and value, and tables,
 * from top to bottom, with page numbers at the foot.
 *
 * What is added is measured and placed at once and drawn by mr_pdf_finish, when the number of pages is known. Any UTF-8, from right to left too; what
 * is no UTF-8, and control characters, become U+FFFD. Texts are copied. The same calls give the same bytes. Functions that add return nothing: the first
 * thing that goes wrong is kept, later ones do nothing, and mr_pdf_finish tells it.
 *
 * fontconfig and pango work on one thread at a time, under the press' lock; any thread may call. The first document costs a process about
 * 10 MB for fonts and libraries, kept until the press is closed; one more page costs what its texts are long.
 */
#ifndef MR_JOBS_SERVICES_PDF_H
#define MR_JOBS_SERVICES_PDF_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct mr_host;
struct mr_pdf_press; /* fonts and the lock around them; one per process, for all modules */
struct mr_pdf;       /* one document, of one thread at a time */

/* The process' press, opened by the first who asks; loads no font yet. Only in a handler's open. */
enum mr_code mr_pdf_press_get(struct mr_host *host, struct mr_pdf_press **out,
                              struct mr_err *err);
/* One of its own, for a process without a host. All documents are finished or dropped before it is freed. */
struct mr_pdf_press *mr_pdf_press_new(void);
void mr_pdf_press_free(struct mr_pdf_press *press);

/* Takes the document's bytes in order, within mr_pdf_finish. Anything but MR_OK ends it with this code and err. */
typedef enum mr_code mr_pdf_write_fn(void *arg, const void *bytes, size_t len,
                                     struct mr_err *err);

/* What the file says of itself. */
struct mr_pdf_about {
    const char *title;
    const char *author;  /* NULL: nobody */
    uint64_t made_at_ms; /* unix time: the caller's, so that a repeated job makes the same */
};

enum mr_pdf_style { MR_PDF_NORMAL, MR_PDF_BOLD, MR_PDF_SMALL, MR_PDF_TITLE };
enum mr_pdf_align { MR_PDF_LEFT, MR_PDF_RIGHT };

/* MR_EFAULT: there is no font, and err says what to install. write and arg are borrowed until the document's end. */
enum mr_code mr_pdf_new(struct mr_pdf_press *press, const struct mr_pdf_about *about,
                        mr_pdf_write_fn *write, void *arg, struct mr_pdf **out,
                        struct mr_err *err);

/* A paragraph over the whole width, wrapped; '\n' begins a new line. One longer than the page goes on on the next. */
void mr_pdf_text(struct mr_pdf *pdf, enum mr_pdf_style style, const char *text);
/* A line "name  value"; the values of several stand below each other. */
void mr_pdf_pair(struct mr_pdf *pdf, const char *name, const char *value);
/* White space; none at the top of a page. */
void mr_pdf_gap(struct mr_pdf *pdf, double height_pt);

/* A column of width_pt points; where that is 0, it gets its share of what the others leave (481 pt in all). */
struct mr_pdf_column {
    const char *head;
    double width_pt;
    unsigned share;
    enum mr_pdf_align align;
};

/*
 * A table: begin, rows, end. Cells wrap; a row is never split, one higher than a page is MR_EINVAL. The head is repeated on each page. n at most 20; each
 * row has n cells, NULL for an empty one. A row in MR_PDF_BOLD has a line above it, as sums have.
 */
void mr_pdf_table_begin(struct mr_pdf *pdf, const struct mr_pdf_column *columns, unsigned n);
void mr_pdf_row(struct mr_pdf *pdf, enum mr_pdf_style style, const char *const *cells);
void mr_pdf_table_end(struct mr_pdf *pdf);

/* MR_OK, or the first thing that went wrong so far, for whoever has much more to add; pdf is still to be finished or dropped. */
enum mr_code mr_pdf_fault(const struct mr_pdf *pdf, struct mr_err *err);

/*
 * Draws and writes it; takes pdf, also when it fails: with the first error of write, MR_EINVAL for content that no page can hold, or more than
 * 1000 pages, MR_EIO for cairo's own.
 */
enum mr_code mr_pdf_finish(struct mr_pdf *pdf, struct mr_err *err);
/* Away with it, unwritten; takes pdf. NULL is accepted. */
void mr_pdf_drop(struct mr_pdf *pdf);

#endif
