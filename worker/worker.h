/* One worker process: fetch -> run -> settle, until told to stop. */
#ifndef MR_WORKER_WORKER_H
#define MR_WORKER_WORKER_H

#include "proto/base/list.h"
#include "proto/base/random.h"
#include "proto/base/uuid.h"
#include "proto/config.h"
#include "proto/keys.h"
#include "proto/page.h"
#include "proto/store.h"
#include "worker/choose.h"
#include "worker/lease.h"
#include "worker/pace.h"
#include "worker/parent.h"
#include "worker/recorder.h"
#include "worker/run.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Lease names beyond one per place: prefetched batches, waiters, and those whose answer was lost. */
#define MR_SPARE_NAMES 8

struct mr_wait;

/* One of the pool's queues as this worker sees it. */
struct mr_source {
    struct mr_worker *worker;
    unsigned index; /* in the pool's queues: its priority, and its row in the page */
    struct mr_queue_keys keys;
    struct mr_names names;
    struct mr_list leases; /* all, oldest first */
    struct mr_list ready;  /* those with jobs not started, oldest first */
    unsigned n_fetched;    /* jobs leased and not started */
    struct mr_pace pace;
    uint64_t asked_at_ms;   /* a fetch last had room left for it */
    uint64_t not_before_ms; /* paused, or its keys are of a wrong type: not asked before */
    bool came_short;        /* the last fetch that reached it got less than it wanted */
    bool gave;              /* and got something */
    struct mr_wait *wait;
};

/* Two at once, where jobs are quick: while one batch runs, Redis prepares the next. */
#define MR_FETCHES 2

/* A fetch under way. */
struct mr_fetch {
    struct mr_worker *worker;
    bool asked;
    unsigned n_asked, n_queues;
    struct mr_lease *leases[MR_CHOOSE_MAX]; /* in the order asked */
};

/* What an operator, a parent or a limit made of it. */
enum mr_worker_fate {
    MR_FATE_SERVE,
    MR_FATE_TOLD,
    MR_FATE_RECYCLE,
    MR_FATE_FENCED,
    MR_FATE_STUCK
};

struct mr_worker {
    uv_loop_t *loop;
    const struct mr_config *config;
    const struct mr_pool_config *pool;
    char incarnation[MR_WORKER_MAX];
    bool standalone; /* nobody renews it but itself */
    bool parent_gone;
    bool one_by_one; /* until the first delivery has ended */
    struct mr_page page;
    struct mr_recorder recorder;
    struct mr_store *store;
    struct mr_runner *runner;
    struct mr_parent parent;
    struct mr_source *sources;
    unsigned n_sources;
    struct mr_list dirty; /* leases with something to settle */
    struct mr_fetch fetches[MR_FETCHES];
    uint64_t fetch_not_before_ms;
    uint64_t fault_reported_at_ms; /* so that a log is not flooded */
    struct mr_random random;

    unsigned sync_owed; /* questions of the SYNC that are not answered */
    unsigned sync_round;
    bool synced; /* since the last connection: nothing but SYNC leaves before */
    bool ready_said, turn_due;
    bool gate_fresh;       /* this turn: the last renewal is younger than 0.8 lease */
    unsigned n_registered; /* standalone: queues that know it */
    unsigned renew_owed;
    bool renew_failed;
    uint64_t renew_sent_at_ms;

    enum mr_worker_fate fate;
    uint64_t fate_at_ms, started_at_ms;
    bool told; /* by a signal or its parent */
    bool released, leaving;
    bool full;        /* Redis refused a plain write for want of memory */
    unsigned closing; /* parts that are not closed yet */

    uv_prepare_t turn_end;
    uv_idle_t more;   /* active while a turn left jobs unstarted: the loop must not sleep */
    uv_timer_t tick;  /* every lease / 5 */
    uv_timer_t again; /* what Redis refused is tried again */
    uv_signal_t sigterm, sigint, sigusr1;
};

struct mr_worker_options {
    const char *pool;      /* NULL: the first */
    const char *worker;    /* incarnation; NULL: standalone, one is drawn */
    int pulse_fd, page_fd; /* 3 and 4; -1: standalone */
    bool one_by_one;       /* until one delivery has ended, one job is fetched at a time */
};

/* Takes the page; config is borrowed for the worker's life. */
enum mr_code mr_worker_init(struct mr_worker *worker, uv_loop_t *loop,
                            const struct mr_config *config,
                            const struct mr_worker_options *options, struct mr_err *err);
/* Serves until it has left; returns the exit status: 0, 70, 75, 76. */
int mr_worker_run(struct mr_worker *worker);
void mr_worker_fini(struct mr_worker *worker);

/* ---- for the other parts of the worker ---- */

/* Something changed: decide again at the end of this turn. */
void mr_worker_wake(struct mr_worker *worker);
/* What was refused is sent again in delay_ms, or sooner if asked sooner. */
void mr_worker_again(struct mr_worker *worker, uint64_t delay_ms);
/* Stops fetching and leaves when nothing is left to do. The first reason stays, but fenced wins. */
void mr_worker_leave(struct mr_worker *worker, enum mr_worker_fate fate);
/* Whether a job may be started, fetched or waited for: synced, not fenced, and the last renewal is younger than 0.8 lease. */
bool mr_worker_gate_open(const struct mr_worker *worker);
/* Free places that no leased job is waiting for. */
unsigned mr_worker_room(const struct mr_worker *worker);
/* The same as a queue sees it that may go before others: only its own jobs and those of queues before it count as waiting. */
unsigned mr_worker_room_for(const struct mr_source *source);
unsigned mr_worker_waiting(const struct mr_worker *worker); /* leased and not started */
/* Redis says that this incarnation is not registered: start nothing, fetch nothing, leave. */
void mr_worker_fenced(struct mr_worker *worker, const char *how);

#endif
