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
    MR_SLOT_DRAINING,    /* asked to stop */
    MR_SLOT_BACKING_OFF, /* died; starts again when the timer fires */
    MR_SLOT_STATES
};

const char *mr_slot_state_name(enum mr_slot_state state); /* "serving" */
enum mr_slot_state mr_slot_state(const struct mr_slot *slot);
const struct mr_child *mr_slot_child(const struct mr_slot *slot); /* NULL when there is none */
uint64_t mr_slot_since_ms(const struct mr_slot *slot); /* monotonic: in this state since */
unsigned
mr_slot_failures(const struct mr_slot *slot); /* deaths in a row without having served */

#endif
