/* What workers that are gone had counted, so that no counter ever falls. */
#ifndef MR_DISPATCHER_TOTALS_H
#define MR_DISPATCHER_TOTALS_H

#include "proto/page.h"

struct mr_totals;

struct mr_totals *mr_totals_new(void);
/* Adds a dead worker's counters and histograms. Once per page, when its worker has ended. */
void mr_totals_add(struct mr_totals *totals, const struct mr_page *page);
void mr_totals_free(struct mr_totals *totals);

#endif
