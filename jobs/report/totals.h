/* What the total rows of a report say: sums and the like over groups that come one after the other, in constant memory. Pure. */
#ifndef MR_JOBS_REPORT_TOTALS_H
#define MR_JOBS_REPORT_TOTALS_H

#include "jobs/report/decimal.h"
#include "jobs/report/definition.h"
#include "jobs/report/format.h"

/* Of one column, over one group or all. */
struct mr_total {
    uint64_t n; /* values that were there */
    struct mr_decimal number;
    bool rough; /* a value, or the sum, has no room in number: real counts */
    double real;
    struct mr_buf text; /* the least or greatest so far, or the total as it is printed */
};

/* Over one group, or over all; zero-initialised is empty. */
struct mr_totals {
    const struct mr_report *report; /* a borrow */
    struct mr_total *columns;
};

void mr_totals_init(struct mr_totals *totals, const struct mr_report *report);
void mr_totals_fini(struct mr_totals *totals);
void mr_totals_clear(struct mr_totals *totals);
void mr_totals_add(struct mr_totals *totals, const struct mr_cell *cells);
/* The totals as cells, none where a column has no total; they borrow of totals until the next call. */
void mr_totals_read(struct mr_totals *totals, struct mr_cell *out);

#endif
