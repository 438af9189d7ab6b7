#include "proto/base/log.h"
#include "worker/handler.h"
#include "worker/run_own.h"

void mr_run_start_clock(struct mr_delivery *d)
{
    struct mr_runner *r = d->runner;

    if (r->now_us == 0)
        mr_run_read_clocks(r);
    d->started_us = r->now_us;
    uint64_t now_ms = d->started_us / 1000;
    if (d->policy.timeout_ms > 0 && d->policy.timeout_ms < UINT64_MAX - now_ms)
        d->deadline_at_ms = now_ms + d->policy.timeout_ms;
}

void mr_run_watch(struct mr_delivery *d)
{
    if (d->deadline_at_ms != UINT64_MAX)
        mr_deadlines_add(&d->runner->deadlines, d, d->deadline_at_ms);
}

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
void mr_run_on_due(void *arg, struct mr_delivery *d)
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

        mr_run_decide(d, &outcome, MR_NEVER_RAN);
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

            mr_run_decide(d, &outcome, MR_NEVER_RAN);
        } else {
            stop(d, MR_STOP_OPERATOR);
        }
        return true;
    }
    return false;
}
