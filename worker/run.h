/* The run side of a worker: takes one leased job, finds its handler, runs it under its deadline, says what became of it. */
#ifndef MR_WORKER_RUN_H
#define MR_WORKER_RUN_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/config.h"
#include "worker/delivery.h"
#include "worker/recorder.h"

#include <stdbool.h>
#include <uv.h>

struct mr_host;
struct mr_runner;

/* From the cancel to the moment when a job that does not stop is stuck: the configuration's grace, within these bounds. */
#define MR_CANCEL_GRACE_MIN_MS 500
#define MR_CANCEL_GRACE_MAX_MS 5000

struct mr_runner_events {
    /*
     * A delivery ended, verdict says where the job goes. All borrowed until it returns; only then is the place free, so
     * that the page never shows a job that is neither running nor settled: mark the lease here, start the next job later in
     * this turn of the loop (mr_runner_start from in here is a mistake). Called from the loop, possibly inside mr_runner_start.
     */
    void (*on_finished)(void *arg, struct mr_delivery *delivery,
                        const struct mr_verdict *verdict, const struct mr_outcome *outcome);
    /* A delivery ignores its deadline and grace: stop fetching, tell the parent, let the neighbours finish. Once per process. */
    void (*on_stuck)(void *arg);
    void *arg;
};

/* config, pool, recorder and events are borrowed for the runner's life. Loads the pool's preload modules. */
enum mr_code mr_runner_new(uv_loop_t *loop, const struct mr_config *config,
                           const struct mr_pool_config *pool, struct mr_recorder *recorder,
                           const struct mr_runner_events *events, struct mr_runner **out,
                           struct mr_err *err);

/*
 * Starts one job. payload is borrowed until on_finished. MR_OK: on_finished comes exactly once (also for bytes that cannot be read,
 * unknown jobs, expired ones). MR_EBUSY: not now: no free place, or it must run alone, or something that must is running; ask again after
 * the next on_finished. owner is kept in delivery->owner.
 */
enum mr_code mr_runner_start(struct mr_runner *runner, const struct mr_address *address,
                             struct mr_bytes payload, void *owner);
unsigned mr_runner_free_places(const struct mr_runner *runner);
unsigned mr_runner_running(const struct mr_runner *runner);
/* The monotonic clock as last read in this turn of the loop, which is when the last job ended; 0 before that. */
uint64_t mr_runner_clock_us(const struct mr_runner *runner);

/* What runs is asked to stop and is released without an attempt spent where it does (MR_OUTCOME_RELEASE, after 0: verdict READY). For SIGTERM after grace. */
void mr_runner_release_all(struct mr_runner *runner);
/* Cancels the job of this uuid, if it runs here. True if found. */
bool mr_runner_cancel(struct mr_runner *runner, const char *uuid);

/* Ends threads, closes handlers, frees; on_closed runs when the last handle is gone. Only when
 * nothing runs, or the process is about to _exit: then a thread that still runs a job, and what it may use, is left as it is. */
void mr_runner_close(struct mr_runner *runner, void (*on_closed)(void *arg), void *arg);

/* ---- for host.c, which handlers call ---- */

/* The answer of a start handler; takes the outcome. */
void mr_runner_finish(struct mr_delivery *delivery, struct mr_outcome outcome);
/* The loop's thread works for this delivery; no longer does. */
void mr_runner_enter(struct mr_delivery *delivery);
void mr_runner_leave(struct mr_delivery *delivery);
struct mr_host *mr_runner_host(struct mr_runner *runner);
uint64_t mr_runner_cancel_grace_ms(const struct mr_runner *runner);

#endif
