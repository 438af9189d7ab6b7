/* Lists under the names of workers that were reaped: a late command, or a Redis that went back in time, may put some there. */
#ifndef MR_DISPATCHER_LEFTOVERS_H
#define MR_DISPATCHER_LEFTOVERS_H

#include "dispatcher/queues.h"
#include "dispatcher/reaper.h"
#include "proto/store.h"

#include <stdint.h>

struct mr_leftovers;

/* All is borrowed. */
struct mr_leftovers *mr_leftovers_new(struct mr_store *store, struct mr_queues *queues,
                                      struct mr_reaper *reaper);
/* One look under the names in every queue's Q:reaped: the newest, and of the older ones some in turn. What is found is reaped once more. */
void mr_leftovers_look(struct mr_leftovers *leftovers);
uint64_t mr_leftovers_found(const struct mr_leftovers *leftovers); /* lists so far */
void mr_leftovers_stop(
    struct mr_leftovers *leftovers); /* frees, once the last answer owed is in */

#endif
