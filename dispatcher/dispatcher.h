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
#include "proto/store.h"

#include <stdbool.h>
#include <uv.h>

struct mr_http;
struct mr_totals;

enum mr_durability {
    MR_DURABILITY_UNKNOWN,
    MR_DURABILITY_ALWAYS,
    MR_DURABILITY_EVERYSEC,
    MR_DURABILITY_OS,
    MR_DURABILITY_NONE
};

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
    struct mr_renew *renew;
    struct mr_reaper *reaper;
    struct mr_audit *audit;
    struct mr_promote *promote;
    struct mr_fleet *fleet;
    struct mr_totals *totals; /* counters of workers that are gone */
    struct mr_http *http;
    uint64_t started_at_ms; /* unix */
    bool redis_up, draining;
    uint64_t redis_reconnects;
    enum mr_durability durability;
    char redis_version[32], maxmemory_policy[32];
    char promise[256];       /* the line that says which promise holds */
    char reload_error[1024]; /* the last refused reload, "" when none */
    char host[256];
    int lock_fd; /* of the runtime directory */
};

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

#endif
