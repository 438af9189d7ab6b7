/* A place in a pool for one worker process: a table of state x event; the only caller of spawn. */
#ifndef MR_DISPATCHER_SLOT_H
#define MR_DISPATCHER_SLOT_H

#include "dispatcher/child.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_pool;
struct mr_slot;

enum mr_slot_state {
    MR_SLOT_EMPTY,       /* no process, none wanted */
    MR_SLOT_REGISTERING, /* the incarnation is being registered */
    MR_SLOT_STARTING,    /* spawned, has not said ready */
    MR_SLOT_SERVING,
    MR_SLOT_DRAINING,    /* asked to stop, or leaving by itself */
    MR_SLOT_BACKING_OFF, /* died; starts again when the timer fires */
    MR_SLOT_STATES
};

#define MR_SLOT_FAILING 5 /* deaths in a row without having served: a person should look */

const char *mr_slot_state_name(enum mr_slot_state state); /* "serving" */
enum mr_slot_state mr_slot_state(const struct mr_slot *slot);
const struct mr_child *mr_slot_child(const struct mr_slot *slot); /* NULL when there is none */
uint64_t mr_slot_since_ms(const struct mr_slot *slot); /* monotonic: in this state since */
unsigned
mr_slot_failures(const struct mr_slot *slot);        /* deaths in a row without having served */
unsigned mr_slot_number(const struct mr_slot *slot); /* unique in its pool while it lives */

/* ---- for its pool; each may end in mr_pool_balance ---- */

struct mr_slot *mr_slot_new(struct mr_pool *pool, unsigned number);
void mr_slot_start(struct mr_slot *slot); /* an empty slot gets a worker; others: nothing */
/* Its worker is asked to stop, and none follows. A slot that is retiring and empty may be freed. */
void mr_slot_retire(struct mr_slot *slot);
bool mr_slot_is_retiring(const struct mr_slot *slot);
/* Its worker is told to cancel the job of this uuid; false when that could not be said. */
bool mr_slot_cancel(struct mr_slot *slot, const char *uuid);
/* Somebody pressed twice: what still runs is killed in a second. */
void mr_slot_hurry(struct mr_slot *slot);
/* Once a second: a worker whose loop has stood still for a lease, as seen by us without a gap (late: there was one), is killed. */
void mr_slot_look(struct mr_slot *slot, uint64_t now_ms, bool late);
/* Which generation of its pool the worker belongs to; mr_pool_restart begins a new one. */
unsigned mr_slot_generation(const struct mr_slot *slot);
void mr_slot_free(struct mr_slot *slot); /* only when empty */

#endif
