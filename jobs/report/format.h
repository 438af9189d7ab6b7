/* A cell as text: for people, as its column's format says, or for programs. Pure. */
#ifndef MR_JOBS_REPORT_FORMAT_H
#define MR_JOBS_REPORT_FORMAT_H

#include "jobs/report/column.h"

/* One value of a line. */
struct mr_cell {
    struct mr_bytes bytes; /* as the server prints it; at NULL: none */
    enum mr_report_type type;
    bool bare; /* its column's format is not for it: a label, a count */
};

/* Whether the cell's bytes already are what people shall read. */
bool mr_cell_is_plain(const struct mr_report_column *column, const struct mr_cell *cell);
/* Appends what people shall read; nothing where there is no value. */
void mr_cell_print(const struct mr_report_column *column, const struct mr_cell *cell,
                   struct mr_buf *out);
/*
 * Appends a number's digits as JSON has them, rounded, in whole units and without marks: 1250 with minor 2 is 12.50. False, and nothing, where the cell is no
 * number.
 */
bool mr_cell_digits(const struct mr_report_column *column, const struct mr_cell *cell,
                    struct mr_buf *out);
/* Whether a boolean is true: SQL has numbers for them. */
bool mr_cell_is_true(const struct mr_cell *cell);

#endif
