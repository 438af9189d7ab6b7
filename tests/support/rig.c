#include "tests/support/rig.h"

#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char queue_name[] = "default", pool_name[] = "test";
static char *queues[] = {queue_name};

static void on_finished(void *arg, struct mr_delivery *delivery,
                        const struct mr_verdict *verdict, const struct mr_outcome *outcome)
{
    struct mr_rig *rig = arg;
    struct mr_rig_result *result = &rig->results[rig->n_results];

    ck_assert_uint_lt(rig->n_results, MR_RIG_RESULTS);
    result->job = (uintptr_t)delivery->owner;
    result->verdict = *verdict;
    result->outcome = outcome->kind;
    snprintf(result->reason, sizeof(result->reason), "%s",
             outcome->reason ? outcome->reason : "");
    rig->n_results++;
}

static void on_stuck(void *arg)
{
    struct mr_rig *rig = arg;

    rig->n_stuck++;
}

void mr_rig_init(struct mr_rig *rig, const char *sections)
{
    memset(rig, 0, sizeof(*rig));
    signal(SIGPIPE, SIG_IGN);
    mr_log_open("test", MR_LOG_ERROR, MR_LOG_TEXT);
    rig->config.limits = (struct mr_limits){.payload_bytes = 1 << 20, .depth = 64};
    rig->config.grace_ms = 30000;
    rig->config.debug_jobs = true;
    rig->config.sections = sections ? json_loads(sections, 0, NULL) : json_object();
    ck_assert_ptr_nonnull(rig->config.sections);
    rig->pool.name = pool_name;
    rig->pool.queues = queues;
    rig->pool.n_queues = 1;
    rig->pool.concurrency = 10;
    rig->pool.threads = 4;
    rig->pool.policy = mr_policy_default();
}

void mr_rig_start(struct mr_rig *rig)
{
    const struct mr_runner_events events = {on_finished, on_stuck, rig};
    const struct mr_page_shape shape = {1, 4, rig->pool.concurrency, rig->pool.threads};
    struct mr_err err = {0};

    ck_assert_int_eq(uv_loop_init(&rig->loop), 0);
    if (!rig->page.header)
        ck_assert_int_eq(mr_page_create_private(&shape, "w-4", "test",
                                                (const char *const *)queues, &rig->page, &err),
                         MR_OK);
    mr_recorder_init(&rig->recorder, &rig->page);
    enum mr_code code = mr_runner_new(&rig->loop, &rig->config, &rig->pool, &rig->recorder,
                                      &events, &rig->runner, &err);
    ck_assert_msg(code == MR_OK, "%s", err.text);
}

enum mr_code mr_rig_push(struct mr_rig *rig, const char *format, ...)
{
    const struct mr_address address = {.queue = 0, .k = 1, .index = rig->n_pushed % 100};
    char *payload = NULL;
    va_list args;

    va_start(args, format);
    ck_assert_int_ge(vasprintf(&payload, format, args), 0);
    va_end(args);
    enum mr_code code = mr_runner_start(rig->runner, &address, mr_bytes_of(payload),
                                        (void *)(uintptr_t)rig->n_pushed);
    if (code == MR_OK)
        rig->payloads[rig->n_pushed++] = payload;
    else
        free(payload);
    return code;
}

void mr_rig_wait(struct mr_rig *rig, unsigned n)
{
    while (rig->n_results < n)
        uv_run(&rig->loop, UV_RUN_ONCE);
    ck_assert_uint_eq(rig->n_results, n);
}

void mr_rig_wait_for(struct mr_rig *rig, const unsigned *flag)
{
    while (*flag == 0)
        uv_run(&rig->loop, UV_RUN_ONCE);
}

const struct mr_rig_result *mr_rig_result(const struct mr_rig *rig, uintptr_t job)
{
    for (unsigned i = 0; i < rig->n_results; i++)
        if (rig->results[i].job == job)
            return &rig->results[i];
    ck_abort_msg("job %lu has not ended", (unsigned long)job);
    return NULL;
}

const struct mr_rig_result *mr_rig_run(struct mr_rig *rig, const char *payload)
{
    unsigned before = rig->n_results;

    ck_assert_int_eq(mr_rig_push(rig, "%s", payload), MR_OK);
    ck_assert_uint_eq(rig->n_results, before + 1);
    return &rig->results[before];
}

unsigned mr_rig_places(const struct mr_rig *rig, enum mr_place_state state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rig->page.shape.n_places; i++)
        n += rig->page.places[i].state == (uint32_t)state;
    return n;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

void mr_rig_stop(struct mr_rig *rig)
{
    bool closed = false;

    mr_runner_close(rig->runner, on_closed, &closed);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    ck_assert(closed);
    ck_assert_int_eq(uv_loop_close(&rig->loop), 0);
    for (unsigned i = 0; i < rig->n_pushed; i++)
        free(rig->payloads[i]);
    json_decref(rig->config.sections);
    mr_page_unmap(&rig->page);
}
