/*
 * The jobs that millrace does beside others: "tally.noop" records its start, "tally.sleep" then waits 50 ms on the loop.
 * Both write what every contender's job writes, so that all are checked in the same way.
 */
#include "tests/bench/record.h"
#include "worker/handler.h"

#include <uv.h>

enum { SLEEP_MS = 50 };

static enum mr_code open_tally(struct mr_host *host, void **out, struct mr_err *err)
{
    FILE *file = record_open();

    (void)host;
    if (!file)
        return mr_fail(err, MR_EIO, "MILLRACE_BENCH_RECORDS names no folder to write to");
    *out = file;
    return MR_OK;
}

static void close_tally(void *state)
{
    fclose(state);
}

static void start_noop(void *state, struct mr_job *job)
{
    record_start(state, mr_job_data_raw(job, &(size_t){0}));
    mr_job_finish(job, mr_outcome_done());
}

static void free_timer(uv_handle_t *timer)
{
    free(timer);
}

static void on_rested(uv_timer_t *timer)
{
    struct mr_job *job = timer->data;

    mr_job_enter(job);
    uv_close((uv_handle_t *)timer, free_timer);
    mr_job_finish(job, mr_outcome_done());
}

static void start_sleep(void *state, struct mr_job *job)
{
    uv_timer_t *timer = malloc(sizeof(*timer));

    if (!timer)
        abort();
    record_start(state, mr_job_data_raw(job, &(size_t){0}));
    uv_timer_init(mr_host_loop(mr_job_host(job)), timer);
    timer->data = job;
    uv_timer_start(timer, on_rested, SLEEP_MS, 0);
}

#define TALLY_JOB                                                                              \
    .abi = MR_HANDLER_ABI, .size = sizeof(struct mr_handler), .open = open_tally,              \
    .close = close_tally

static const struct mr_handler noop = {TALLY_JOB, .name = "tally.noop", .start = start_noop};
static const struct mr_handler sleeps = {TALLY_JOB, .name = "tally.sleep",
                                         .start = start_sleep};

const struct mr_handler *const mr_handlers[] = {&noop, &sleeps, NULL};
