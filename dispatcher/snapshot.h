/* One read-only picture of the dispatcher at one moment: API, metrics and dashboard read nothing else. */
#ifndef MR_DISPATCHER_SNAPSHOT_H
#define MR_DISPATCHER_SNAPSHOT_H

#include "dispatcher/audit.h"
#include "dispatcher/reaper.h"
#include "dispatcher/slot.h"
#include "dispatcher/totals.h"
#include "proto/base/uuid.h"
#include "proto/page.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mr_dispatcher;

/* More running jobs of one worker are counted, not listed. */
#define MR_SNAPSHOT_JOBS 256

/* A job that runs now, copied out of a page and checked. */
struct mr_snapshot_job {
    char uuid[MR_PAGE_UUID], job[MR_PAGE_NAME + 1], queue[105];
    enum mr_place_state state;
    uint32_t attempt, progress_pct;
    uint64_t running_ms, progress_count;
    bool timed_out; /* its deadline has passed */
};

struct mr_snapshot_worker {
    char worker[MR_WORKER_MAX];
    const char *pool;  /* borrowed from the dispatcher */
    const char *state; /* of its slot; "orphan" without one */
    pid_t pid;
    bool page;        /* false: no page to read, all below is 0 */
    uint64_t up_ms;   /* in its slot's state, or since its page is seen */
    uint64_t beat_ms; /* since its loop turned */
    unsigned places_busy, places;
    bool fenced, stuck, redis_up;
    uint64_t fetched, started, finished, lease_lost;
    struct mr_snapshot_job *jobs;
    unsigned n_jobs;
};

struct mr_snapshot_pool {
    const char *name; /* borrowed */
    char **queues;    /* borrowed; NULL when it left the configuration */
    unsigned n_queues;
    unsigned wanted, fleet_wanted, concurrency;
    unsigned by_state[MR_SLOT_STATES];
    unsigned places_busy, places;
    uint64_t starts, exits_clean, exits_recycled, exits_crashed, exits_killed, exits_fenced,
        exits_config, exits_failed;
    bool failing, draining;
};

struct mr_snapshot_queue {
    const char *name; /* borrowed */
    bool ours, paused;
    long long ready, delayed, reserved, dead, workers; /* -1: not known */
};

/* Names are borrowed from the dispatcher: use it in the turn it was taken in. */
struct mr_snapshot {
    const char *version, *host, *name, *redis_version, *durability, *maxmemory_policy, *promise,
        *reload_error, *redis_address;
    uint64_t now_ms, started_at_ms; /* unix */
    bool ready, draining, redis_up;
    char not_ready[256];
    uint64_t redis_reconnects, promoted;
    unsigned dispatchers;
    struct mr_snapshot_pool *pools;
    struct mr_snapshot_worker *workers;
    struct mr_snapshot_queue *queues;
    unsigned n_pools, n_workers, n_queues;
    struct mr_totals *totals; /* of the gone and the living together: never falls */
    struct mr_reaper_stats reaper;
    struct mr_audit_stats audit;
};

void mr_snapshot_take(const struct mr_dispatcher *dispatcher, struct mr_snapshot *out);
void mr_snapshot_fini(struct mr_snapshot *snapshot);

/* Reads one worker's page into out (whose names and state are the caller's to fill): what is out of bounds is left out. now_ms is monotonic. */
void mr_snapshot_read_page(const struct mr_page *page, uint64_t now_ms,
                           struct mr_snapshot_worker *out);

#endif
