#include "worker/run.h"

#include "proto/base/clock.h"
#include "proto/base/duration.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "worker/deadline.h"
#include "worker/handler.h"
#include "worker/host.h"
#include "worker/registry.h"
#include "worker/threads.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

enum { THREAD_IDLE_MS = 60000 };

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

static void on_new_turn(uv_prepare_t *prepare)
{
    struct mr_runner *r = prepare->data;

    r->now_us = r->wall_ahead_ms = 0;
}

static void read_clocks(struct mr_runner *r)
{
    r->now_us = mr_clock_us();
    if (r->wall_ahead_ms == 0)
        r->wall_ahead_ms = mr_clock_wall_ms() - r->now_us / 1000;
}

static uint64_t wall_ms(struct mr_runner *r)
{
    if (r->now_us == 0)
        read_clocks(r);
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

    return grace_ms < MR_CANCEL_GRACE_MS ? grace_ms : MR_CANCEL_GRACE_MS;
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

static void free_place(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    mr_recorder_place_state(r->recorder, d->place, MR_PLACE_FREE);
    mr_runner_leave(d);
    if (d->alone)
        r->alone = false;
    mr_delivery_end(d);
    r->free[r->n_free++] = d->place;
}

/* ---- the end of a delivery ---- */

static enum mr_page_verdict page_verdict(const struct mr_verdict *verdict)
{
    switch (verdict->kind) {
    case MR_VERDICT_DONE:
        return MR_PAGE_DONE;
    case MR_VERDICT_DELAY:
        return verdict->retried ? MR_PAGE_RETRY : MR_PAGE_RELEASE;
    case MR_VERDICT_DEAD:
        return MR_PAGE_DEAD;
    default:
        return MR_PAGE_RELEASE;
    }
}

static void log_end(const struct mr_delivery *d, const struct mr_verdict *verdict,
                    const struct mr_outcome *outcome)
{
    enum mr_log_level level = verdict->kind == MR_VERDICT_DEAD   ? MR_LOG_WARN
                              : verdict->kind == MR_VERDICT_DONE ? MR_LOG_DEBUG
                                                                 : MR_LOG_INFO;
    const struct mr_envelope *e = &d->envelope;

    if (level > mr_log_level())
        return;
    mr_log(level, "job.ended",
           "verdict=%s outcome=%s job=%.*s uuid=%.*s queue=%s attempt=%u ms=%llu "
           "delay_ms=%llu reason=%s",
           mr_verdict_label(verdict), mr_outcome_name(outcome->kind), (int)e->job.len,
           e->job.at ? e->job.at : "", (int)(e->uuid.len < 100 ? e->uuid.len : 100),
           e->uuid.at ? e->uuid.at : "", d->runner->pool->queues[d->address.queue],
           mr_delivery_attempt(d), (unsigned long long)(d->run_us / 1000),
           (unsigned long long)verdict->delay_ms, outcome->reason);
}

/*
 * The one way out. The page shows the job as running until the data side has marked its lease, so that
 * a reader finds it in one of the two at every instant. Takes outcome.
 */
static void conclude(struct mr_delivery *d, const struct mr_verdict *verdict,
                     struct mr_outcome *outcome, uint64_t run_us)
{
    struct mr_runner *r = d->runner;

    d->finished = true;
    d->run_us = run_us == MR_NEVER_RAN ? 0 : run_us;
    mr_recorder_finished(r->recorder, d, page_verdict(verdict), run_us, wall_ms(r));
    r->reporting = true;
    r->events.on_finished(r->events.arg, d, verdict, outcome);
    r->reporting = false;
    log_end(d, verdict, outcome);
    free_place(d);
    mr_outcome_fini(outcome);
}

static void decide(struct mr_delivery *d, struct mr_outcome *outcome, uint64_t run_us)
{
    struct mr_runner *r = d->runner;

    d->attempt.now_ms = wall_ms(r);
    d->attempt.roll = mr_random_u32(&r->dice);
    struct mr_verdict verdict = mr_verdict_decide(&d->policy, &d->attempt, outcome);
    conclude(d, &verdict, outcome, run_us);
}

static void replace(struct mr_outcome *outcome, struct mr_outcome by)
{
    mr_outcome_fini(outcome);
    *outcome = by;
}

/*
 * A job that was asked to stop and did not say "done" has failed for the reason it was asked, whatever it
 * calls it. Done is done, however late: to run it again would do its work twice.
 */
static void heed_stop(const struct mr_delivery *d, struct mr_outcome *outcome)
{
    const char *said = outcome->reason ? outcome->reason : "nothing";
    char span[32];

    if (outcome->kind == MR_OUTCOME_DONE)
        return;
    switch (d->stop) {
    case MR_STOP_DEADLINE:
        mr_duration_print(d->policy.timeout_ms, span);
        replace(outcome, mr_outcome_of(MR_OUTCOME_TIMED_OUT,
                                       "ran longer than its %s; it said: %s", span, said));
        break;
    case MR_STOP_RELEASE:
        replace(outcome, mr_outcome_release(0, "its worker is leaving"));
        break;
    case MR_STOP_OPERATOR:
        replace(outcome, mr_outcome_fail("cancelled by an operator"));
        break;
    default:
        break;
    }
}

static void end_run(struct mr_delivery *d, struct mr_outcome *outcome)
{
    struct mr_runner *r = d->runner;

    mr_deadlines_remove(&r->deadlines, d);
    read_clocks(r);
    heed_stop(d, outcome);
    decide(d, outcome, r->now_us - d->started_us);
}

void mr_runner_finish(struct mr_delivery *delivery, struct mr_outcome outcome)
{
    if (delivery->finished || delivery->on_thread) {
        mr_log_error("handler.wrong_finish", "handler=%s what=%s",
                     delivery->handler ? delivery->handler->name : NULL,
                     delivery->finished ? "finished a job twice"
                                        : "finished a job that its run answers");
        mr_outcome_fini(&outcome);
        return;
    }
    mr_runner_enter(delivery);
    end_run(delivery, &outcome);
}

/* ---- the deadline ---- */

/* Tells the job to stop; it may end in here. The first reason counts. */
static void stop(struct mr_delivery *d, enum mr_stop reason)
{
    if (d->stop == MR_STOP_NONE)
        d->stop = reason;
    atomic_store_explicit(&d->cancelled, true, memory_order_relaxed);
    if (d->on_thread || d->cancel_called || !d->handler->cancel)
        return;
    d->cancel_called = true;
    mr_runner_enter(d);
    d->handler->cancel(d->handler_state, mr_delivery_job(d));
    mr_runner_leave(d);
}

static void be_stuck(struct mr_runner *r, const struct mr_delivery *d)
{
    mr_log_error("job.stuck", "job=%s uuid=%.*s what=%s", d->job_name,
                 (int)d->envelope.uuid.len, d->envelope.uuid.at ? d->envelope.uuid.at : "",
                 "ignores its deadline: this worker is to be replaced");
    if (r->stuck)
        return;
    r->stuck = true;
    atomic_store(&r->recorder->page->header->stuck, 1);
    r->events.on_stuck(r->events.arg);
}

/* First its deadline passes, then the time it had to heed that. */
static void on_due(void *arg, struct mr_delivery *d)
{
    struct mr_runner *r = arg;

    if (d->stop == MR_STOP_RELEASE)
        return; /* the worker leaves anyway, and this job is not to blame */
    if (d->timed_out) {
        be_stuck(r, d);
        return;
    }
    d->timed_out = true;
    mr_recorder_place_timed_out(r->recorder, d->place);
    stop(d, MR_STOP_DEADLINE);
    if (!d->finished)
        mr_deadlines_add(&r->deadlines, d, uv_now(r->loop) + mr_runner_cancel_grace_ms(r));
}

static void start_clock(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    if (r->now_us == 0)
        read_clocks(r);
    d->started_us = r->now_us;
    uint64_t now_ms = d->started_us / 1000;
    if (d->policy.timeout_ms > 0 && d->policy.timeout_ms < UINT64_MAX - now_ms)
        d->deadline_at_ms = now_ms + d->policy.timeout_ms;
}

static void watch(struct mr_delivery *d)
{
    if (d->deadline_at_ms != UINT64_MAX)
        mr_deadlines_add(&d->runner->deadlines, d, d->deadline_at_ms);
}

/* ---- the start of a delivery ---- */

static void on_thread_started(void *arg, struct mr_delivery *d)
{
    struct mr_runner *r = arg;

    read_clocks(r); /* it may have waited: its time begins now */
    start_clock(d);
    mr_recorder_place_running(r->recorder, d->place, d);
    watch(d);
}

static void on_thread_done(void *arg, struct mr_delivery *d)
{
    (void)arg;
    end_run(d, &d->outcome);
}

static void run_on_loop(struct mr_delivery *d)
{
    start_clock(d);
    mr_recorder_place_running(d->runner->recorder, d->place, d);
    d->handler->start(d->handler_state, mr_delivery_job(d));
    /* It may be over already; nobody else has got the place meanwhile, see on_finished. */
    if (!d->finished) {
        mr_runner_leave(d);
        watch(d);
    }
}

static void run_on_thread(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    d->on_thread = true;
    /* Until a thread has it, it is leased and nothing more: no death is its doing. */
    mr_recorder_place_state(r->recorder, d->place, MR_PLACE_FREE);
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
    d->attempt.now_ms = wall_ms(r);
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
    conclude(d, &dead, &outcome, MR_NEVER_RAN);
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
        decide(d, &outcome, MR_NEVER_RAN);
        return MR_OK;
    }
    if (is_over(d))
        return MR_OK;
    if (wants_alone(d)) {
        if (mr_runner_running(runner) > 1) {
            free_place(d);
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

/* ---- told to stop ---- */

static bool is_taken(const struct mr_delivery *d)
{
    return !d->finished;
}

static void release(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    if (d->on_thread && mr_threads_withdraw(r->threads, d)) {
        struct mr_outcome outcome = mr_outcome_release(0, "its worker is leaving");

        decide(d, &outcome, MR_NEVER_RAN);
        return;
    }
    /* Should the process be killed before it heeds this, it goes back without blame; unless its deadline came first. */
    if (!d->timed_out)
        mr_recorder_place_state(r->recorder, d->place, MR_PLACE_CANCELLED);
    stop(d, MR_STOP_RELEASE);
}

void mr_runner_release_all(struct mr_runner *runner)
{
    for (unsigned i = 0; i < runner->n_places; i++)
        if (is_taken(&runner->places[i]))
            release(&runner->places[i]);
}

bool mr_runner_cancel(struct mr_runner *runner, const char *uuid)
{
    for (unsigned i = 0; i < runner->n_places; i++) {
        struct mr_delivery *d = &runner->places[i];

        if (!is_taken(d) || !mr_bytes_is(d->envelope.uuid, uuid))
            continue;
        if (d->on_thread && mr_threads_withdraw(runner->threads, d)) {
            struct mr_outcome outcome = mr_outcome_fail("cancelled by an operator");

            decide(d, &outcome, MR_NEVER_RAN);
        } else {
            stop(d, MR_STOP_OPERATOR);
        }
        return true;
    }
    return false;
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
    mr_deadlines_init(&r->deadlines, r->loop, r->n_places, on_due, r);
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
