/*
 * debug.*: jobs that do nothing, sleep, fail, crash, hang and burn, for tests, benches and demonstrations. The worker
 * serves them only where the configuration says debug_jobs: true.
 */
#include "worker/handler.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

/* An integer of `data`, or what it is by default. */
static int64_t number(struct mr_job *job, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(mr_job_data(job, NULL), name);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static bool is_set(struct mr_job *job, const char *name)
{
    return json_is_true(json_object_get(mr_job_data(job, NULL), name));
}

/* ---- debug.noop ---- */

static void start_noop(void *state, struct mr_job *job)
{
    (void)state;
    mr_job_finish(job, mr_outcome_done());
}

/* ---- debug.sleep {ms}: waits on the loop ---- */

static void free_timer(uv_handle_t *timer)
{
    free(timer);
}

static void wake(struct mr_job *job, struct mr_outcome outcome)
{
    uv_close(mr_job_get(job), free_timer);
    mr_job_finish(job, outcome);
}

static void on_rested(uv_timer_t *timer)
{
    struct mr_job *job = timer->data;

    mr_job_enter(job);
    wake(job, mr_outcome_done());
}

static void start_sleep(void *state, struct mr_job *job)
{
    int64_t ms = number(job, "ms", 1000);
    uv_timer_t *timer = malloc(sizeof(*timer));

    (void)state;
    if (!timer) {
        mr_job_finish(job, mr_outcome_retry("no memory for a timer"));
        return;
    }
    uv_timer_init(mr_host_loop(mr_job_host(job)), timer);
    timer->data = job;
    mr_job_set(job, timer);
    uv_timer_start(timer, on_rested, ms > 0 ? (uint64_t)ms : 0, 0);
}

static void cancel_sleep(void *state, struct mr_job *job)
{
    (void)state;
    wake(job, mr_outcome_retry("woken"));
}

/* ---- debug.fail {reason, times, for_good}: fails always, or the first so many times ---- */

static void start_fail(void *state, struct mr_job *job)
{
    int64_t times = number(job, "times", INT64_MAX);
    const char *reason = json_string_value(json_object_get(mr_job_data(job, NULL), "reason"));

    (void)state;
    if (!reason)
        reason = "told to fail";
    if (mr_job_attempt(job) > times)
        mr_job_finish(job, mr_outcome_done());
    else if (is_set(job, "for_good"))
        mr_job_finish(job, mr_outcome_fail("%s", reason));
    else
        mr_job_finish(job, mr_outcome_retry("%s", reason));
}

/* ---- debug.crash {signal, times}: takes its process down, always or the first so many times ---- */

static void start_crash(void *state, struct mr_job *job)
{
    (void)state;
    if (mr_job_attempt(job) <= number(job, "times", INT64_MAX))
        raise((int)number(job, "signal", SIGSEGV));
    mr_job_finish(job, mr_outcome_done());
}

/* ---- debug.hang: never ends, and hears nothing ---- */

static void start_hang(void *state, struct mr_job *job)
{
    (void)state;
    (void)job;
}

/* ---- debug.burn {ms, us, deaf} on a thread, debug.block {ms, us} on the loop: nothing but work ---- */

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* True when it burnt to the end. */
static bool burn(struct mr_job *job, bool deaf)
{
    int64_t us = number(job, "us", 1000 * number(job, "ms", 1000)), from_us = now_us();

    while (now_us() - from_us < us)
        if (!deaf && mr_job_cancelled(job))
            return false;
    return true;
}

static struct mr_outcome run_burn(void *state, struct mr_job *job)
{
    (void)state;
    return burn(job, is_set(job, "deaf")) ? mr_outcome_done() : mr_outcome_retry("put out");
}

static void start_block(void *state, struct mr_job *job)
{
    (void)state;
    burn(job, true);
    mr_job_finish(job, mr_outcome_done());
}

/* ---- debug.push {count, queue (one, or several in turn), job, data, name, delay_ms, reason}: pushes jobs; with a reason it fails after all ---- */

static const char *queue_in_turn(const json_t *data, int64_t i)
{
    const json_t *queue = json_object_get(data, "queue");
    size_t n = json_array_size(queue);

    return json_string_value(n > 0 ? json_array_get(queue, (size_t)i % n) : queue);
}

static enum mr_code push_one(struct mr_job *job, int64_t i, struct mr_err *err)
{
    const json_t *data = mr_job_data(job, NULL);
    const char *name = json_string_value(json_object_get(data, "name"));
    int64_t delay_ms = number(job, "delay_ms", 0);
    char numbered[64];

    snprintf(numbered, sizeof(numbered), "%.40s%lld", name ? name : "", (long long)i);
    struct mr_push push = {
        .queue = queue_in_turn(data, i),
        .job = json_string_value(json_object_get(data, "job")),
        .data = json_object_get(data, "data"),
        .name = name ? numbered : NULL,
        .delay_ms = delay_ms > 0 ? (uint64_t)delay_ms : 0,
    };
    return mr_job_push(job, &push, err);
}

static void start_push(void *state, struct mr_job *job)
{
    const char *reason = json_string_value(json_object_get(mr_job_data(job, NULL), "reason"));
    enum mr_code code = MR_OK;
    struct mr_err err;

    (void)state;
    for (int64_t i = 0; code == MR_OK && i < number(job, "count", 1); i++)
        code = push_one(job, i, &err);
    if (code != MR_OK)
        mr_job_finish(job, mr_outcome_fail("%s", err.text));
    else if (reason)
        mr_job_finish(job, mr_outcome_fail("%s", reason));
    else
        mr_job_finish(job, mr_outcome_done());
}

#define DEBUG_JOB .abi = MR_HANDLER_ABI, .size = sizeof(struct mr_handler)

static const struct mr_handler noop = {DEBUG_JOB, .name = "debug.noop", .start = start_noop};
static const struct mr_handler sleeps = {DEBUG_JOB, .name = "debug.sleep", .start = start_sleep,
                                         .cancel = cancel_sleep};
static const struct mr_handler fail = {DEBUG_JOB, .name = "debug.fail", .start = start_fail};
static const struct mr_handler crash = {DEBUG_JOB, .name = "debug.crash", .start = start_crash};
static const struct mr_handler hang = {DEBUG_JOB, .name = "debug.hang", .start = start_hang};
static const struct mr_handler burns = {DEBUG_JOB, .name = "debug.burn", .run = run_burn};
static const struct mr_handler blocks = {DEBUG_JOB, .name = "debug.block",
                                         .start = start_block};
static const struct mr_handler pushes = {DEBUG_JOB, .name = "debug.push", .start = start_push};

const struct mr_handler *const mr_handlers[] = {&noop,  &sleeps, &fail,   &crash, &hang,
                                                &burns, &blocks, &pushes, NULL};
