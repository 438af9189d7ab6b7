/*
 * What workers counted, summed by names: of those that are gone, so that no counter ever falls, and of a moment's living ones; and
 * what is so just now with the living.
 */
#ifndef MR_DISPATCHER_TOTALS_H
#define MR_DISPATCHER_TOTALS_H

#include "proto/base/histogram.h"
#include "proto/page.h"

#include <stddef.h>

/* More names than these count as "other": a label must not grow without bound. */
#define MR_TOTALS_JOBS 256
#define MR_TOTALS_ROWS 1024 /* of (queue, job) */

struct mr_total_verdicts {
    char *queue, *job;
    uint64_t verdicts[MR_PAGE_VERDICTS];
};

struct mr_total_run {
    char *job;
    struct mr_histogram seconds;
};

struct mr_total_wait {
    char *queue;
    struct mr_histogram seconds;
};

struct mr_total_pool {
    char *pool;
    uint64_t fetched, started, finished, lease_lost, late_settles, empty_fetches, wakes,
        redis_reconnects;
};

struct mr_total_counter {
    char *name; /* as its handler called it */
    uint64_t value;
};

/* Arrays in order of first appearance. */
struct mr_totals {
    struct mr_total_verdicts *verdicts;
    struct mr_total_run *runs;
    struct mr_total_wait *waits;
    struct mr_total_pool *pools;
    struct mr_total_counter *counters, *gauges;
    size_t n_verdicts, n_runs, n_waits, n_pools, n_counters, n_gauges;
};

struct mr_totals *mr_totals_new(void);
/*
 * Adds a worker's counters and histograms; what is nonsense in the page is left out. Into a dispatcher's totals once
 * per page, in the same turn that sets mr_child.dead: a reader counts the pages of those that are not dead beside them.
 */
void mr_totals_add(struct mr_totals *totals, const struct mr_page *page);
/* Adds what is so just now with a worker: for a picture of the living alone. */
void mr_totals_add_gauges(struct mr_totals *totals, const struct mr_page *page);
/* A copy of its own, without gauges, to add the living to. */
struct mr_totals *mr_totals_copy(const struct mr_totals *totals);
void mr_totals_free(struct mr_totals *totals);

#endif
