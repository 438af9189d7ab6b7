/* The supervisor as a whole: its parts, started in order and stopped in reverse, and what an operator may tell it. */
#ifndef MR_DISPATCHER_DISPATCHER_H
#define MR_DISPATCHER_DISPATCHER_H

#include "dispatcher/audit.h"
#include "dispatcher/fleet.h"
#include "dispatcher/pool.h"
#include "dispatcher/promote.h"
#include "dispatcher/queues.h"
#include "dispatcher/reaper.h"
#include "dispatcher/renew.h"
#include "proto/base/err.h"
#include "proto/base/list.h"
#include "proto/config.h"
#include "proto/promise.h"
#include "proto/store.h"

#include <stdbool.h>
#include <uv.h>

struct mr_http;
struct mr_orphans;
struct mr_totals;

/* Read by snapshot, metrics and routes; written only by dispatcher.c and the part it belongs to. */
struct mr_dispatcher {
    uv_loop_t *loop;
    const char *config_path; /* NULL: environment only */
    struct mr_config *config;
    struct mr_store *store;
    struct mr_queues queues;
    struct mr_list children; /* mr_child.node: living, orphans, and being reaped */
    struct mr_pool **pools;
    unsigned n_pools;
    struct mr_orphans *orphans;
    struct mr_renew *renew;
    struct mr_reaper *reaper;
    struct mr_audit *audit;
    struct mr_promote *promote;
    struct mr_fleet *fleet;
    struct mr_totals *totals; /* counters of workers that are gone */
    struct mr_http *http;
    uint64_t started_at_ms; /* unix */
    bool redis_up, draining;
    bool cleared; /* no other version's data stands in this Redis: workers may be started */
    uint64_t redis_reconnects;
    enum mr_durability durability;
    char redis_version[32], maxmemory_policy[32];
    char promise[256];       /* the line that says which promise holds */
    char reload_error[1024]; /* the last refused reload, "" when none */
    char host[256];
    int lock_fd;          /* of the runtime directory */
    char *runtime_dir;    /* as at the start: a reload does not move pages */
    char *worker_program; /* what slots spawn */

    /* dispatcher.c alone. */
    struct {
        uint64_t since_ms, say_at_ms, wait_ms;
        char reason[1024];
    } outage; /* of Redis */
    uv_signal_t signals[3];
    uv_timer_t tick, soon;
    uint64_t ticked_at_ms, stop_by_ms;
    unsigned n_started; /* parts, in the order of their table */
    bool stopping;
    int status; /* of the process, when it ends */
};

/* Starts every part. Takes config; path (may be NULL) is where a reload reads. On failure what had been started is stopped: run the loop dry, then fini. */
enum mr_code mr_dispatcher_init(struct mr_dispatcher *dispatcher, uv_loop_t *loop,
                                const char *config_path, struct mr_config *config,
                                struct mr_err *err);
/* Returns the process' exit status when drained. */
int mr_dispatcher_run(struct mr_dispatcher *dispatcher);
/* Frees what is left once the loop has run dry. */
void mr_dispatcher_fini(struct mr_dispatcher *dispatcher);

/* What an operator may tell it; all return at once. */
void mr_dispatcher_drain(
    struct mr_dispatcher *dispatcher); /* every worker stops, then the dispatcher ends with 0 */
void mr_dispatcher_restart(struct mr_dispatcher *dispatcher); /* rolling, pool by pool */
/* Reads the file again; a bad one is refused, kept out, logged and put into err with all its lines. changed (may be NULL) names what changed. */
enum mr_code mr_dispatcher_reload(struct mr_dispatcher *dispatcher, struct mr_buf *changed,
                                  struct mr_err *err);
bool mr_dispatcher_is_ready(
    const struct mr_dispatcher *dispatcher,
    struct mr_err *why_not); /* Redis up, every pool has a serving worker (if it wants one) */
struct mr_pool *mr_dispatcher_pool(const struct mr_dispatcher *dispatcher, const char *name);

/* ---- for its parts, slots, pools and orphans ---- */

/* The store's events. */
void mr_dispatcher_on_redis_up(void *arg);
void mr_dispatcher_on_redis_lost(void *arg, const struct mr_err *why);

/* Takes a child that has ended: its counters are added up, its leases reaped, its page removed, then it is freed. */
void mr_dispatcher_reap(struct mr_dispatcher *dispatcher, struct mr_child *child);
/* Takes a child that Redis never heard of: only its page goes. */
void mr_dispatcher_forget(struct mr_dispatcher *dispatcher, struct mr_child *child);
/* Something about a pool's slots changed. */
void mr_dispatcher_on_pool(struct mr_dispatcher *dispatcher);
/* A pool of the configuration, with as many workers as it says there until the fleet knows better. */
void mr_dispatcher_add_pool(struct mr_dispatcher *dispatcher,
                            const struct mr_pool_config *pool);

#endif
