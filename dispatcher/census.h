/* How much every queue holds, asked of Redis in one turn, when somebody wants to know. */
#ifndef MR_DISPATCHER_CENSUS_H
#define MR_DISPATCHER_CENSUS_H

#include "dispatcher/queues.h"
#include "proto/store.h"

#include <uv.h>

/* Writes the sizes into every mr_queue. done runs once, never inside the call: when all answers are in, or at once when Redis is away. */
void mr_census_take(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                    void (*done)(void *arg), void *arg);

#endif
