/* The great scan: every lease in this Redis whose worker nobody knows is handed to the reaping that works from Q:reaped. */
#ifndef MR_DISPATCHER_SCAN_H
#define MR_DISPATCHER_SCAN_H

#include "dispatcher/queues.h"
#include "proto/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct mr_scan;

/*
 * Walks all keys, paced so that Redis hardly notices (20 calls a second), and adds the queues it meets to the table. done runs once, from the loop:
 * found workers were unknown; complete is false when the link was lost on the way or the scan was stopped.
 */
struct mr_scan *mr_scan_start(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                              void (*done)(void *arg, bool complete, uint64_t found),
                              void *arg);
void mr_scan_stop(struct mr_scan *scan); /* done comes soon */

#endif
