/* Moves due jobs to ready: a timer at the next due time, and a poll whose pace is shared out over the fleet. */
#ifndef MR_DISPATCHER_PROMOTE_H
#define MR_DISPATCHER_PROMOTE_H

#include "dispatcher/queues.h"
#include "proto/base/err.h"
#include "proto/store.h"

#include <uv.h>

struct mr_promote;

enum mr_code mr_promote_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                            struct mr_promote **out);
void mr_promote_start(struct mr_promote *promote);
void mr_promote_set_fleet(struct mr_promote *promote,
                          unsigned n_dispatchers); /* 4 polls a second in all, shared out */
uint64_t mr_promote_moved(const struct mr_promote *promote);
void mr_promote_stop(struct mr_promote *promote, void (*on_stopped)(void *arg), void *arg);

#endif
