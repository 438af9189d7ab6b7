/* The slots of one pool, and how many of them should hold a worker. */
#ifndef MR_DISPATCHER_POOL_H
#define MR_DISPATCHER_POOL_H

#include "dispatcher/careful.h"
#include "dispatcher/slot.h"
#include "proto/base/random.h"
#include "proto/config.h"

#include <stdbool.h>

struct mr_dispatcher;

struct mr_pool {
    struct mr_dispatcher *dispatcher;
    char *name;
    unsigned wanted;        /* this dispatcher's share */
    struct mr_slot **slots; /* grow and shrink; a slot beyond wanted drains and goes */
    unsigned n_slots;
    uint64_t starts, exits_clean, exits_recycled, exits_crashed, exits_killed, exits_fenced,
        exits_config, exits_failed;
    bool failing;        /* workers die at start again and again: a flag for people */
    bool draining;       /* none is wanted any more, whatever wanted says */
    bool shared;         /* the fleet said how many; before, the configuration does */
    bool removed;        /* it left the configuration: freed when empty */
    unsigned generation; /* of the workers to be; mr_pool_restart begins a new one */
    bool balancing, balance_again;
    struct mr_careful careful;
    struct mr_random random;
};

struct mr_pool *mr_pool_new(struct mr_dispatcher *dispatcher, const char *name,
                            unsigned wanted);
void mr_pool_set_wanted(struct mr_pool *pool, unsigned wanted);
void mr_pool_drain(struct mr_pool *pool); /* every worker is asked to stop; none is started */
void mr_pool_hurry(
    struct mr_pool *pool); /* while draining: who is still there is killed in a second */
void mr_pool_restart(
    struct mr_pool
        *pool); /* rolling: a replacement is serving before the next one is asked to stop */
bool mr_pool_is_empty(const struct mr_pool *pool); /* no process left */
/* Slots by what they do, for people: starting, serving, draining, backing off. */
void mr_pool_count(const struct mr_pool *pool, unsigned out_by_state[MR_SLOT_STATES]);
void mr_pool_free(struct mr_pool *pool); /* only when empty */

/* Slots are added, retired and freed until the pool is as it should be. Each slot calls it when something happened to it. */
void mr_pool_balance(struct mr_pool *pool);
/* Once a second, and when Redis is there again: empty slots are tried again, and standing loops are noticed. late: we ourselves stood still. */
void mr_pool_look(struct mr_pool *pool, uint64_t now_ms, bool late);

#endif
