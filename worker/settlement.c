#include "worker/settlement.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/letter.h"
#include "worker/follow.h"
#include "worker/worker.h"

#include <stdlib.h>
#include <unistd.h>

/* The envelope with the verdict's counts; a job without a name gets one at its first rewrite. */
static void rewrite(const struct mr_delivery *delivery, const struct mr_verdict *verdict,
                    const struct mr_outcome *outcome, uint64_t now_ms, struct mr_buf *out)
{
    const struct mr_attempt *was = &delivery->attempt;
    char uuid[MR_UUID_LEN + 1];
    struct mr_envelope_edit edit = {
        .attempts = verdict->attempts != was->attempts ? verdict->attempts : -1,
        .crashes = verdict->crashes != was->crashes ? verdict->crashes : -1,
        .suspect = verdict->suspect != was->suspect ? verdict->suspect : -1,
        .in_doubt = -1,
        .error = verdict->retried ? outcome->reason : NULL,
        .error_at_ms = now_ms,
    };

    if (!delivery->envelope.uuid.at) {
        mr_uuid_make(uuid);
        edit.uuid = uuid;
    }
    mr_envelope_rewrite(&delivery->envelope, &edit, out);
}

static void write_letter(struct mr_worker *worker, const struct mr_source *source,
                         const struct mr_delivery *delivery, const struct mr_verdict *verdict,
                         const struct mr_outcome *outcome, uint64_t now_ms,
                         struct mr_settlement *out)
{
    char host[256] = "", id[MR_LETTER_ID_MAX];

    gethostname(host, sizeof(host) - 1);
    mr_letter_id(&delivery->envelope, id);
    out->big = delivery->envelope.raw.len > worker->config->limits.payload_bytes;
    struct mr_letter letter = {
        .envelope = &delivery->envelope,
        .id = id,
        .queue = source->keys.name,
        .dead = verdict->dead,
        .outcome = mr_outcome_name(outcome->kind),
        .reason = outcome->reason,
        .attempts = verdict->attempts,
        .crashes = verdict->crashes,
        .died_at_ms = now_ms,
        .worker = worker->incarnation,
        .host = host,
        .big = out->big,
    };
    mr_letter_meta(&out->bytes, &letter);
    out->id = mr_strdup(id);
    out->died_at_ms = now_ms;
}

struct mr_settlement *mr_settlement_of(struct mr_worker *worker, const struct mr_source *source,
                                       struct mr_delivery *delivery,
                                       const struct mr_verdict *verdict,
                                       const struct mr_outcome *outcome)
{
    struct mr_settlement *settlement = mr_zalloc(sizeof(*settlement));
    uint64_t now_ms = mr_clock_wall_ms();

    switch (verdict->kind) {
    case MR_VERDICT_DEAD:
        settlement->kind = MR_SETTLE_DEAD;
        write_letter(worker, source, delivery, verdict, outcome, now_ms, settlement);
        break;
    case MR_VERDICT_READY:
        settlement->kind = MR_SETTLE_RELEASE;
        mr_buf_add(&settlement->bytes, delivery->envelope.raw.at, delivery->envelope.raw.len);
        break;
    case MR_VERDICT_DONE:
        settlement->kind = MR_SETTLE_PUSH;
        settlement->follows = mr_follow_take(delivery);
        break;
    case MR_VERDICT_DELAY:
        settlement->kind = MR_SETTLE_RETRY;
        settlement->due_s = (double)(now_ms + verdict->delay_ms) / 1000.0;
        rewrite(delivery, verdict, outcome, now_ms, &settlement->bytes);
        break;
    }
    return settlement;
}

void mr_settlement_free(struct mr_settlement *settlement)
{
    if (!settlement)
        return;
    mr_buf_fini(&settlement->bytes);
    mr_follow_free(settlement->follows);
    free(settlement->id);
    free(settlement);
}
