/* What the files of the runner share, and nobody else includes: the run side of a worker from the inside. */
#ifndef MR_WORKER_RUN_OWN_H
#define MR_WORKER_RUN_OWN_H

#include "proto/base/random.h"
#include "worker/deadline.h"
#include "worker/host.h"
#include "worker/registry.h"
#include "worker/run.h"
#include "worker/threads.h"

struct mr_runner {
    uv_loop_t *loop;
    const struct mr_config *config;
    const struct mr_pool_config *pool;
    struct mr_recorder *recorder;
    struct mr_runner_events events;
    struct mr_host host;
    struct mr_registry *registry;
    struct mr_threads *threads;
    struct mr_deadlines deadlines;
    struct mr_random dice;
    struct mr_delivery *places;
    unsigned n_places;
    unsigned *free; /* places that are free: a stack */
    unsigned n_free;
    bool alone;     /* the one that runs wants nothing beside it */
    bool reporting; /* inside on_finished */
    bool stuck;
    /*
     * The clocks, as last read in this turn of the loop; 0: not yet. Where one job ends the next begins, so a
     * burst of jobs costs one reading each. A turn begins before the loop waits: what was read before is old then.
     */
    uint64_t now_us;
    uint64_t wall_ahead_ms; /* of the monotonic clock */
    uv_prepare_t new_turn;
    unsigned open_handles;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* ---- run.c: places and clocks ---- */

/* Reads them anew, for what ends or begins now. */
void mr_run_read_clocks(struct mr_runner *runner);
/* Unix time in ms, as of this turn. */
uint64_t mr_run_wall_ms(struct mr_runner *runner);
/* The delivery is no more: page, memory, place. */
void mr_run_free_place(struct mr_delivery *delivery);

/* ---- run_end.c: what became of a delivery ---- */

/* The one way out: tells the data side, counts, logs, frees the place. Takes outcome. */
void mr_run_conclude(struct mr_delivery *delivery, const struct mr_verdict *verdict,
                     struct mr_outcome *outcome, uint64_t run_us);
/* The same, with the verdict that the policy gives. */
void mr_run_decide(struct mr_delivery *delivery, struct mr_outcome *outcome, uint64_t run_us);
/* The same, of one that has run: its answer is seen in the light of why it was asked to stop. */
void mr_run_end(struct mr_delivery *delivery, struct mr_outcome *outcome);

/* ---- run_stop.c: a delivery's deadline ---- */

/* Begins to count; its deadline is known from here on. */
void mr_run_start_clock(struct mr_delivery *delivery);
/* Has it looked at when the deadline passes. */
void mr_run_watch(struct mr_delivery *delivery);
/* What the deadlines call. */
void mr_run_on_due(void *runner, struct mr_delivery *delivery);

#endif
