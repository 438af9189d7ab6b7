#include "proto/base/duration.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "worker/handler.h"
#include "worker/run_own.h"

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
void mr_run_conclude(struct mr_delivery *d, const struct mr_verdict *verdict,
                     struct mr_outcome *outcome, uint64_t run_us)
{
    struct mr_runner *r = d->runner;

    d->finished = true;
    d->run_us = run_us == MR_NEVER_RAN ? 0 : run_us;
    mr_recorder_finished(r->recorder, d, page_verdict(verdict), run_us, mr_run_wall_ms(r));
    r->reporting = true;
    r->events.on_finished(r->events.arg, d, verdict, outcome);
    r->reporting = false;
    log_end(d, verdict, outcome);
    mr_run_free_place(d);
    mr_outcome_fini(outcome);
}

void mr_run_decide(struct mr_delivery *d, struct mr_outcome *outcome, uint64_t run_us)
{
    struct mr_runner *r = d->runner;

    d->attempt.now_ms = mr_run_wall_ms(r);
    d->attempt.roll = mr_random_u32(&r->dice);
    struct mr_verdict verdict = mr_verdict_decide(&d->policy, &d->attempt, outcome);
    mr_run_conclude(d, &verdict, outcome, run_us);
}

static void replace(struct mr_outcome *outcome, struct mr_outcome by)
{
    mr_outcome_fini(outcome);
    *outcome = by;
}

/*
 * A job that was asked to stop and did not say "done" has failed for the reason it was asked, whatever it
 * calls it. Done is done, however late: to run it again would do its work twice. So it might where it is held.
 */
static void heed_stop(const struct mr_delivery *d, struct mr_outcome *outcome)
{
    const char *said = outcome->reason ? outcome->reason : "nothing";
    char span[32];

    if (outcome->kind == MR_OUTCOME_DONE || outcome->kind == MR_OUTCOME_HOLD)
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

void mr_run_end(struct mr_delivery *d, struct mr_outcome *outcome)
{
    struct mr_runner *r = d->runner;

    mr_deadlines_remove(&r->deadlines, d);
    mr_run_read_clocks(r);
    heed_stop(d, outcome);
    mr_run_decide(d, outcome, r->now_us - d->started_us);
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
    mr_run_end(delivery, &outcome);
}
