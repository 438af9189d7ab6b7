/* The other dispatchers on this Redis, and how many workers of each pool are wanted in all. */
#ifndef MR_DISPATCHER_FLEET_H
#define MR_DISPATCHER_FLEET_H

#include "dispatcher/queues.h"
#include "proto/base/err.h"
#include "proto/config.h"
#include "proto/store.h"

#include <uv.h>

struct mr_fleet;

struct mr_fleet_events {
    /* This dispatcher's share of the pool changed (also once after the first answer). Shares follow from the sorted list of the living: no leader. */
    void (*on_share)(void *arg, const char *pool, unsigned processes);
    /* What stands in this Redis is of our version, or nobody's: workers may be started. Again after every outage. */
    void (*on_cleared)(void *arg);
    void (*on_schema_mismatch)(
        void *arg, const struct mr_err *why); /* another version's data stands in this Redis */
    void *arg;
};

/* The wanted total lives in Redis (prefix millrace:wanted); without an entry each dispatcher runs what its configuration says. */
enum mr_code mr_fleet_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          const struct mr_config *config, const struct mr_fleet_events *events,
                          struct mr_fleet **out);
void mr_fleet_start(
    struct mr_fleet *
        fleet); /* heartbeat every 2 s on Redis' clock; a dispatcher silent for 10 s is not counted */
/* The store is ready again: beats now rather than at the next tick. Before on_cleared nothing may be started. */
void mr_fleet_resume(struct mr_fleet *fleet);
void mr_fleet_set_config(struct mr_fleet *fleet, const struct mr_config *config);
/* Writes a new wanted total (absolute, or a change when relative), answers with the total and our share. */
enum mr_code
mr_fleet_scale(struct mr_fleet *fleet, const char *pool, long processes, bool relative,
               void (*done)(void *arg, enum mr_code code, unsigned total, unsigned share),
               void *arg);
unsigned mr_fleet_size(const struct mr_fleet *fleet); /* dispatchers alive, at least 1 */
unsigned mr_fleet_wanted(const struct mr_fleet *fleet, const char *pool); /* the total */
const char *mr_fleet_name(const struct mr_fleet *fleet); /* our incarnation: host-<random> */
/* Leaves the list, then stops. */
void mr_fleet_stop(struct mr_fleet *fleet, void (*on_stopped)(void *arg), void *arg);

#endif
