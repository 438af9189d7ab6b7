#include "worker/run.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"
#include "worker/run_own.h"

#include <assert.h>
#include <stdlib.h>

enum { THREAD_IDLE_MS = 60000 };

static void on_new_turn(uv_prepare_t *prepare)
{
    struct mr_runner *r = prepare->data;

    r->now_us = r->wall_ahead_ms = 0;
}

void mr_run_read_clocks(struct mr_runner *r)
{
    r->now_us = mr_clock_us();
    if (r->wall_ahead_ms == 0)
        r->wall_ahead_ms = mr_clock_wall_ms() - r->now_us / 1000;
}

uint64_t mr_run_wall_ms(struct mr_runner *r)
{
    if (r->now_us == 0)
        mr_run_read_clocks(r);
    return r->now_us / 1000 + r->wall_ahead_ms;
}

void mr_runner_enter(struct mr_delivery *delivery)
{
    mr_recorder_enter(delivery->runner->recorder, 0, delivery->place);
}

void mr_runner_leave(struct mr_delivery *delivery)
{
    mr_recorder_enter(delivery->runner->recorder, 0, MR_PAGE_NOBODY);
}

struct mr_host *mr_runner_host(struct mr_runner *runner)
{
    return &runner->host;
}

uint64_t mr_runner_cancel_grace_ms(const struct mr_runner *runner)
{
    uint64_t grace_ms = runner->config->grace_ms;

    if (grace_ms < MR_CANCEL_GRACE_MIN_MS)
        return MR_CANCEL_GRACE_MIN_MS;
    return grace_ms < MR_CANCEL_GRACE_MAX_MS ? grace_ms : MR_CANCEL_GRACE_MAX_MS;
}

/* ---- a place is taken and given back ---- */

static struct mr_delivery *take_place(struct mr_runner *r, const struct mr_address *address,
                                      void *owner)
{
    struct mr_delivery *d = &r->places[r->free[--r->n_free]];

    mr_delivery_begin(d, address, owner);
    mr_recorder_place_parsing(r->recorder, d->place, address->queue, address->k,
                              address->index);
    mr_runner_enter(d);
    return d;
}

void mr_run_free_place(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    mr_recorder_place_state(r->recorder, d->place, MR_PLACE_FREE);
    mr_runner_leave(d);
    if (d->alone)
        r->alone = false;
    mr_delivery_end(d);
    r->free[r->n_free++] = d->place;
}

/* ---- the start of a delivery ---- */

static void on_thread_started(void *arg, struct mr_delivery *d)
{
    struct mr_runner *r = arg;

    mr_run_read_clocks(r); /* it may have waited: its time begins now */
    mr_run_start_clock(d);
    mr_recorder_place_running(r->recorder, d->place, d);
    mr_run_watch(d);
}

static void on_thread_done(void *arg, struct mr_delivery *d)
{
    (void)arg;
    mr_run_end(d, &d->outcome);
}

static void run_on_loop(struct mr_delivery *d)
{
    mr_run_start_clock(d);
    mr_recorder_place_running(d->runner->recorder, d->place, d);
    d->starting = true;
    d->handler->start(d->handler_state, mr_delivery_job(d));
    d->starting = false;
    /* It may be over already; nobody else has got the place meanwhile, see on_finished. */
    if (!d->finished) {
        mr_runner_leave(d);
        mr_run_watch(d);
    }
}

static void run_on_thread(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    d->on_thread = true;
    /* Until a thread has it, it is leased and nothing more: no death is its doing. */
    mr_recorder_place_waiting(r->recorder, d->place, d);
    mr_runner_leave(d);
    mr_threads_submit(r->threads, d);
}

/* Reads the bytes; false: they cannot be read, and out says why. */
static bool read_envelope(struct mr_delivery *d, struct mr_bytes payload,
                          struct mr_outcome *out)
{
    struct mr_runner *r = d->runner;
    struct mr_err err;

    d->policy = r->pool->policy;
    if (mr_envelope_scan(payload.at, payload.len, &r->config->limits, &d->envelope, &err) !=
        MR_OK) {
        d->envelope = (struct mr_envelope){.raw = payload};
        *out = mr_outcome_of(MR_OUTCOME_REFUSED, "%s", err.text);
        return false;
    }
    d->attempt.attempts = d->envelope.attempts;
    d->attempt.crashes = d->envelope.crashes;
    d->attempt.suspect = d->envelope.suspect;
    d->attempt.now_ms = mr_run_wall_ms(r);
    return true;
}

/* Finds who runs it; false: nobody can now, and out says why. */
static bool find_handler(struct mr_delivery *d, struct mr_outcome *out)
{
    struct mr_runner *r = d->runner;
    const struct mr_kind *kind;
    struct mr_err err;
    enum mr_code code =
        mr_registry_find(r->registry, d->envelope.job, uv_now(r->loop), &kind, &err);

    d->policy = mr_policy_for(&kind->policy, &d->envelope);
    d->job_name = kind->name;
    d->job_row = kind->job_row;
    d->handler = kind->handler;
    d->handler_state = kind->state;
    if (code == MR_OK)
        return true;
    *out = code == MR_ENOTFOUND ? mr_outcome_of(MR_OUTCOME_NO_HANDLER, "%s", err.text)
                                : mr_outcome_retry("%s", err.text);
    return false;
}

/* Too old, or tried too often before it came here: dies unrun. */
static bool is_over(struct mr_delivery *d)
{
    struct mr_verdict dead;

    if (mr_verdict_may_start(&d->policy, &d->attempt, &dead))
        return false;
    struct mr_outcome outcome =
        mr_outcome_fail("%s before this attempt could start", mr_dead_class_name(dead.dead));
    mr_run_conclude(d, &dead, &outcome, MR_NEVER_RAN);
    return true;
}

static bool wants_alone(const struct mr_delivery *d)
{
    return d->handler->flags & MR_CRASH_PRONE || mr_verdict_runs_alone(&d->attempt);
}

enum mr_code mr_runner_start(struct mr_runner *runner, const struct mr_address *address,
                             struct mr_bytes payload, void *owner)
{
    struct mr_outcome outcome;

    assert(!runner->reporting);
    if (runner->n_free == 0 || runner->alone)
        return MR_EBUSY;
    struct mr_delivery *d = take_place(runner, address, owner);

    bool known = read_envelope(d, payload, &outcome) && find_handler(d, &outcome);
    if (!known) {
        mr_run_decide(d, &outcome, MR_NEVER_RAN);
        return MR_OK;
    }
    if (is_over(d))
        return MR_OK;
    if (wants_alone(d)) {
        if (mr_runner_running(runner) > 1) {
            mr_run_free_place(d);
            return MR_EBUSY;
        }
        d->alone = runner->alone = true;
    }
    if (d->handler->start)
        run_on_loop(d);
    else
        run_on_thread(d);
    return MR_OK;
}

unsigned mr_runner_free_places(const struct mr_runner *runner)
{
    return runner->alone ? 0 : runner->n_free;
}

unsigned mr_runner_running(const struct mr_runner *runner)
{
    return runner->n_places - runner->n_free;
}

uint64_t mr_runner_clock_us(const struct mr_runner *runner)
{
    return runner->now_us;
}

/* ---- life ---- */

static void make_places(struct mr_runner *r, unsigned n)
{
    r->n_places = r->n_free = n;
    r->places = mr_zalloc_array(n, sizeof(*r->places));
    r->free = mr_zalloc_array(n, sizeof(*r->free));
    for (unsigned i = 0; i < n; i++) {
        r->places[i].runner = r;
        r->places[i].place = i;
        r->places[i].finished = true;
        r->free[i] = n - 1 - i;
    }
}

static void free_runner(struct mr_runner *r)
{
    mr_registry_free(r->registry);
    mr_host_fini(&r->host);
    free(r->places);
    free(r->free);
    free(r);
}

static enum mr_code preload(struct mr_runner *r, struct mr_err *err)
{
    enum mr_code code = MR_OK;

    for (unsigned i = 0; code == MR_OK && i < r->pool->n_preload; i++)
        code = mr_registry_preload(r->registry, r->pool->preload[i], err);
    return code;
}

static void open_handles(struct mr_runner *r)
{
    mr_deadlines_init(&r->deadlines, r->loop, r->n_places, mr_run_on_due, r);
    uv_prepare_init(r->loop, &r->new_turn);
    uv_prepare_start(&r->new_turn, on_new_turn);
    uv_unref((uv_handle_t *)&r->new_turn);
    r->new_turn.data = r;
}

enum mr_code mr_runner_new(uv_loop_t *loop, const struct mr_config *config,
                           const struct mr_pool_config *pool, struct mr_recorder *recorder,
                           const struct mr_runner_events *events, struct mr_runner **out,
                           struct mr_err *err)
{
    const struct mr_page_shape *shape = &recorder->page->shape;
    unsigned n_threads = pool->threads < shape->n_threads ? pool->threads : shape->n_threads;
    struct mr_runner *r = mr_zalloc(sizeof(*r));
    const struct mr_threads_events on_threads = {on_thread_started, on_thread_done, r};

    r->loop = loop;
    r->config = config;
    r->pool = pool;
    r->recorder = recorder;
    r->events = *events;
    mr_random_seed(&r->dice);
    mr_host_init(&r->host, loop, config, pool, recorder->page);
    r->registry = mr_registry_new(config, pool, &r->host);
    make_places(r, pool->concurrency < shape->n_places ? pool->concurrency : shape->n_places);
    enum mr_code code = preload(r, err);
    if (code == MR_OK && n_threads == 0)
        code = mr_fail(err, MR_EINVAL, "pool %s: threads must be at least 1", pool->name);
    if (code == MR_OK)
        code = mr_threads_new(loop, recorder, n_threads, THREAD_IDLE_MS, &on_threads,
                              &r->threads, err);
    if (code != MR_OK) {
        free_runner(r);
        return code;
    }
    open_handles(r);
    *out = r;
    return MR_OK;
}

static void let_go(struct mr_runner *r)
{
    if (--r->open_handles > 0)
        return;
    void (*on_closed)(void *arg) = r->on_closed;
    void *arg = r->closed_arg;

    if (mr_runner_running(r) == 0)
        free_runner(r);
    on_closed(arg);
}

static void on_threads_closed(void *arg)
{
    let_go(arg);
}

static void on_deadlines_closed(uv_handle_t *timer)
{
    let_go(MR_CONTAINER(timer, struct mr_runner, deadlines.timer));
}

static void on_prepare_closed(uv_handle_t *prepare)
{
    let_go(prepare->data);
}

void mr_runner_close(struct mr_runner *runner, void (*on_closed)(void *arg), void *arg)
{
    runner->on_closed = on_closed;
    runner->closed_arg = arg;
    runner->open_handles = 3;
    mr_threads_close(runner->threads, on_threads_closed, runner);
    mr_deadlines_close(&runner->deadlines, on_deadlines_closed);
    uv_close((uv_handle_t *)&runner->new_turn, on_prepare_closed);
}
