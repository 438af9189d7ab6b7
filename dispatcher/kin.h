/* Leases in Redis under names that their own living worker calls free: found by comparing its page with Redis. */
#ifndef MR_DISPATCHER_KIN_H
#define MR_DISPATCHER_KIN_H

#include "dispatcher/queues.h"
#include "proto/base/list.h"
#include "proto/store.h"

#include <stdint.h>

struct mr_kin;

/* All is borrowed; children is the head of mr_child.node. */
struct mr_kin *mr_kin_new(struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children);
/*
 * One look at every serving child. What is seen in two looks that follow each other is told to the worker by SIGUSR1, upon
 * which it compares its leases with Redis itself.
 */
void mr_kin_look(struct mr_kin *kin);
uint64_t mr_kin_found(const struct mr_kin *kin); /* told so far */
void mr_kin_stop(struct mr_kin *kin);            /* frees, once the last answer owed is in */

#endif
