/* The snapshot as the JSON of the control API. */
#ifndef MR_DISPATCHER_VIEWS_H
#define MR_DISPATCHER_VIEWS_H

#include "dispatcher/snapshot.h"

#include <jansson.h>

/* Each gives a new reference. */
json_t *mr_views_status(const struct mr_snapshot *snapshot);
json_t *mr_views_pools(const struct mr_snapshot *snapshot); /* with workers and running jobs */
json_t *
mr_views_jobs(const struct mr_snapshot *snapshot); /* one list, with pool, worker, pid */
json_t *mr_views_queues(const struct mr_snapshot *snapshot);

/* {"items": items, "next": next or null}; takes items. */
json_t *mr_views_list(json_t *items, const char *next);

#endif
