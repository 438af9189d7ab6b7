/* The run side of a worker without Redis: a loop, a page, a runner, and what became of the jobs it was given. */
#ifndef MR_TESTS_RIG_H
#define MR_TESTS_RIG_H

#include "worker/run.h"

#include <uv.h>

#define MR_RIG_RESULTS 2000

struct mr_rig_result {
    uintptr_t job; /* as mr_rig_push counted, from 0 */
    struct mr_verdict verdict;
    enum mr_outcome_kind outcome;
    char reason[1100];
};

struct mr_rig {
    uv_loop_t loop;
    struct mr_config config;    /* to be changed before mr_rig_start */
    struct mr_pool_config pool; /* likewise: one queue, 10 places, 4 threads, debug jobs on */
    struct mr_page page;        /* a private one, unless the test has mapped its own before */
    struct mr_recorder recorder;
    struct mr_runner *runner;
    char *payloads[MR_RIG_RESULTS];
    unsigned n_pushed, n_results, n_stuck;
    struct mr_rig_result results[MR_RIG_RESULTS]; /* in the order in which they ended */
};

/* sections is the configuration as modules see it, JSON, or NULL. */
void mr_rig_init(struct mr_rig *rig, const char *sections);
void mr_rig_start(struct mr_rig *rig);
/* Starts a job; format makes its envelope. */
enum mr_code mr_rig_push(struct mr_rig *rig, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Turns the loop until n jobs have ended, in all; the test's own time limit bounds it. */
void mr_rig_wait(struct mr_rig *rig, unsigned n);
/* Turns it until *flag is not 0. */
void mr_rig_wait_for(struct mr_rig *rig, const unsigned *flag);
/* The result of the job that was pushed as the n-th, from 0; fails the test when it has none. */
const struct mr_rig_result *mr_rig_result(const struct mr_rig *rig, uintptr_t job);
/* The one push that ends at once, and its result. */
const struct mr_rig_result *mr_rig_run(struct mr_rig *rig, const char *payload);
/* Places that the page shows in this state. */
unsigned mr_rig_places(const struct mr_rig *rig, enum mr_place_state state);
/* Closes all, and fails the test when something stays open. */
void mr_rig_stop(struct mr_rig *rig);

#endif
