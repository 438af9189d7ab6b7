/* The blocked waiter of each queue: Redis hands a job to an idle worker, and nobody polls. */
#ifndef MR_WORKER_WAKE_H
#define MR_WORKER_WAKE_H

#include "proto/base/err.h"

#include <stdbool.h>

struct mr_source;
struct mr_wait;
struct mr_worker;

/* A connection of its own for the source; it connects at once. */
enum mr_code mr_wait_new(struct mr_source *source, struct mr_wait **out, struct mr_err *err);
/* Stops it; on_stopped runs from the loop, when it is freed. */
void mr_wait_stop(struct mr_wait *wait, void (*on_stopped)(void *arg), void *arg);

/* The end of the turn: arms what may wait, and unblocks all when no place is free any more. */
void mr_wait_update(struct mr_worker *worker);
bool mr_wait_is_armed(const struct mr_wait *wait);
/* Nothing of it is under way, and no wake name waits for being closed. */
bool mr_wait_is_quiet(const struct mr_wait *wait);
/* SYNC on the main connection: wake names whose connection was lost are closed. */
void mr_wait_resolve(struct mr_wait *wait);

#endif
