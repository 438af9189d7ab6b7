#include "dispatcher/judge.h"

#include "proto/base/log.h"
#include "proto/base/uuid.h"
#include "proto/envelope.h"
#include "proto/policy.h"
#include "proto/verdict.h"

static void write_letter(const struct mr_case *its, const struct mr_envelope *envelope,
                         const struct mr_verdict *verdict, const struct mr_outcome *outcome,
                         struct mr_move *out)
{
    out->kind = MR_MOVE_DEAD;
    out->big = envelope->raw.len > its->config->limits.payload_bytes;
    mr_letter_id(envelope, out->id);
    const struct mr_letter letter = {.envelope = envelope,
                                     .id = out->id,
                                     .queue = its->queue,
                                     .dead = verdict->dead,
                                     .outcome = mr_outcome_name(outcome->kind),
                                     .reason = outcome->reason,
                                     .attempts = verdict->attempts,
                                     .crashes = verdict->crashes,
                                     .died_at_ms = its->now_ms,
                                     .worker = its->worker,
                                     .host = its->host,
                                     .big = out->big};
    mr_letter_meta(&out->bytes, &letter);
}

/* -1 leaves a member's bytes alone. */
static int64_t if_changed(int64_t before, int64_t after)
{
    return after == before ? -1 : after;
}

static void rewrite(const struct mr_case *its, const struct mr_envelope *envelope,
                    const struct mr_verdict *verdict, const struct mr_outcome *outcome,
                    struct mr_move *out)
{
    char uuid[MR_UUID_LEN + 1];

    mr_uuid_make(uuid);
    const struct mr_envelope_edit edit = {
        .attempts = if_changed(envelope->attempts, verdict->attempts),
        .crashes = if_changed(envelope->crashes, verdict->crashes),
        .suspect = if_changed(envelope->suspect, verdict->suspect),
        .in_doubt =
            its->in_doubt && envelope->in_doubt < INT64_MAX ? envelope->in_doubt + 1 : -1,
        .uuid = uuid,
        .error = outcome->reason,
        .error_at_ms = its->now_ms};
    out->kind = MR_MOVE_DELAY;
    out->due_s = (double)(its->now_ms + verdict->delay_ms) / 1000.0;
    mr_envelope_rewrite(envelope, &edit, &out->bytes);
}

static void log_blame(const struct mr_case *its, struct mr_bytes uuid,
                      const struct mr_verdict *verdict, const struct mr_outcome *outcome)
{
    mr_log_info("reaper.blamed", "worker=%s queue=%s uuid=%.*s outcome=%s verdict=%s why=%s",
                its->worker, its->queue, (int)uuid.len, uuid.at ? uuid.at : "",
                mr_outcome_name(outcome->kind), mr_verdict_label(verdict), outcome->reason);
}

/* Nothing was learned from running bytes that nobody can read: what the worker would have said is said here. */
static void refuse(const struct mr_case *its, struct mr_bytes raw, const char *why,
                   struct mr_move *out)
{
    const struct mr_envelope envelope = {.raw = raw};
    const struct mr_verdict verdict = {.kind = MR_VERDICT_DEAD, .dead = MR_DEAD_REFUSED};
    struct mr_outcome outcome = mr_outcome_of(MR_OUTCOME_REFUSED, "%s", why);

    write_letter(its, &envelope, &verdict, &outcome, out);
    log_blame(its, envelope.uuid, &verdict, &outcome);
    mr_outcome_fini(&outcome);
}

static void decide(const struct mr_case *its, const struct mr_envelope *envelope,
                   const struct mr_outcome *outcome, struct mr_move *out)
{
    const struct mr_policy fallback = mr_policy_default();
    const struct mr_policy policy =
        mr_policy_for(its->pool ? &its->pool->policy : &fallback, envelope);
    const struct mr_attempt attempt = {.attempts = envelope->attempts,
                                       .crashes = envelope->crashes,
                                       .suspect = envelope->suspect,
                                       .now_ms = its->now_ms,
                                       .roll = its->roll};
    const struct mr_verdict verdict = mr_verdict_decide(&policy, &attempt, outcome);

    if (verdict.kind == MR_VERDICT_DEAD)
        write_letter(its, envelope, &verdict, outcome, out);
    else if (verdict.kind == MR_VERDICT_DELAY)
        rewrite(its, envelope, &verdict, outcome, out);
    log_blame(its, envelope->uuid, &verdict, outcome);
}

void mr_judge(const struct mr_case *its, struct mr_bytes raw, const struct mr_outcome *outcome,
              struct mr_move *out)
{
    struct mr_envelope envelope;
    struct mr_err err;

    mr_buf_clear(&out->bytes);
    out->kind = MR_MOVE_NONE;
    out->now_ms = its->now_ms;
    if (mr_envelope_scan(raw.at, raw.len, &its->config->limits, &envelope, &err) != MR_OK) {
        refuse(its, raw, err.text, out);
        return;
    }
    decide(its, &envelope, outcome, out);
    mr_envelope_fini(&envelope);
}

void mr_move_fini(struct mr_move *move)
{
    mr_buf_fini(&move->bytes);
    *move = (struct mr_move){0};
}
