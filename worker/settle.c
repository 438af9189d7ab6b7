#include "worker/settle.h"

#include "proto/base/log.h"
#include "proto/replies.h"
#include "worker/fetch.h"
#include "worker/follow.h"
#include "worker/settlement.h"
#include "worker/worker.h"

enum { AGAIN_MS = 100 };

static void too_late(struct mr_lease *lease)
{
    lease->source->worker->page.header->late_settles++;
}

void mr_settle_verdict(struct mr_worker *worker, struct mr_item *item,
                       struct mr_delivery *delivery, const struct mr_verdict *verdict,
                       const struct mr_outcome *outcome)
{
    struct mr_lease *lease = item->lease;
    struct mr_source *source = lease->source;

    mr_pace_ran(&source->pace, delivery->run_us * 1000u);
    source->pace.on_loop = delivery->starting;
    if (verdict->kind == MR_VERDICT_DONE && !delivery->follows) {
        mr_item_set(item, MR_ITEM_DONE);
        mr_recorder_lease_done(&worker->recorder, source->index, lease->k, mr_item_index(item));
    } else {
        item->settlement = mr_settlement_of(worker, source, delivery, verdict, outcome);
        mr_item_set(item, MR_ITEM_SCRIPT);
        mr_recorder_lease_settling(&worker->recorder, source->index, lease->k,
                                   mr_item_index(item));
    }
    if (lease->state == MR_LEASE_LOST) {
        too_late(lease);
        mr_item_settled(item, true);
    }
    mr_lease_touch(lease);
    mr_worker_wake(worker);
}

/* ---- answers ---- */

void mr_settle_answered(struct mr_lease *lease, const redisReply *reply)
{
    lease->owed--;
    if (!reply)
        lease->tainted = true;
}

/* The batch that stands under its name instead of ours waits for the end of what ours still runs. */
static bool return_foreign(struct mr_lease *lease)
{
    if (!lease->foreign || lease->count[MR_ITEM_RUNNING] > 0)
        return false;
    lease->foreign = false;
    lease->state = MR_LEASE_RETURNING;
    mr_lease_touch(lease);
    return true;
}

void mr_settle_check(struct mr_lease *lease)
{
    if (lease->state == MR_LEASE_LOST && !return_foreign(lease))
        mr_lease_try_free(lease);
}

void mr_settle_lost(struct mr_lease *lease)
{
    struct mr_worker *worker = lease->source->worker;

    if (lease->state == MR_LEASE_LOST)
        return;
    worker->page.header->lease_lost++;
    mr_log_warn("lease.lost", "queue=%s name=%u jobs=%u running=%u", lease->source->keys.name,
                lease->k, lease->n, lease->count[MR_ITEM_RUNNING]);
    mr_lease_lose(lease);
    for (unsigned i = 0; i < lease->n; i++) {
        struct mr_item *item = &lease->items[i];

        if ((item->state == MR_ITEM_DONE || item->state == MR_ITEM_SCRIPT) && !item->settled) {
            too_late(lease);
            mr_item_settled(item, true);
        }
    }
}

/* Refused or unknown with the connection still there: it stays queued. What was lost with its connection is SYNC's. */
void mr_settle_later(struct mr_lease *lease)
{
    struct mr_worker *worker = lease->source->worker;

    lease->not_before_ms = uv_now(worker->loop) + AGAIN_MS;
    mr_lease_touch(lease);
    mr_worker_again(worker, AGAIN_MS);
}

static void on_script(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_item *item = arg;
    struct mr_lease *lease = item->lease;
    struct mr_worker *worker = lease->source->worker;

    mr_settle_answered(lease, reply);
    item->sent = false;
    if (code == MR_OK || code == MR_EFENCED) {
        long long answer = code == MR_OK ? reply->integer : -1;
        bool ours = item->settlement->kind == MR_SETTLE_DEAD ? answer >= 0 : answer == 1;

        if (!ours)
            too_late(lease);
        mr_item_settled(item, true);
        mr_lease_touch(lease);
    } else if (reply) {
        mr_settle_later(lease);
    }
    mr_settle_check(lease);
    mr_worker_wake(worker);
}

/* The script that does the same as LSET works all the same; now and then the plain command is tried again. */
static void be_full(struct mr_worker *worker)
{
    worker->full = true;
    mr_worker_again(worker, AGAIN_MS);
}

static void on_cleared(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_item *item = arg;
    struct mr_lease *lease = item->lease;
    struct mr_worker *worker = lease->source->worker;

    mr_settle_answered(lease, reply);
    item->sent = false;
    if (code == MR_OK && !(reply->type == REDIS_REPLY_INTEGER && reply->integer == 0))
        mr_item_settled(item, true);
    else if (code == MR_EFENCED || code == MR_OK)
        mr_settle_lost(lease);
    else if (reply && mr_replies_classify(reply).oom)
        be_full(worker);
    else if (reply)
        mr_settle_later(lease);
    if (lease->state == MR_LEASE_HELD)
        mr_lease_touch(lease);
    mr_settle_check(lease);
    mr_worker_wake(worker);
}

static void on_ended(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_lease *lease = arg;
    struct mr_worker *worker = lease->source->worker;

    mr_settle_answered(lease, reply);
    if (code == MR_OK) {
        if (reply->integer == 0)
            mr_settle_lost(lease);
        lease->state = MR_LEASE_LOST; /* it ended: nothing of it is in Redis */
    } else if (reply) {
        lease->state = MR_LEASE_HELD;
        mr_settle_later(lease);
    }
    mr_settle_check(lease);
    mr_worker_wake(worker);
}

static void on_back(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_lease *lease = arg;
    struct mr_worker *worker = lease->source->worker;

    mr_settle_answered(lease, reply);
    lease->back_sent = false;
    if (code == MR_OK || code == MR_EFENCED) {
        lease->back_done = true;
        if (lease->state == MR_LEASE_RETURNING || mr_lease_listed(lease) == 0)
            lease->state = MR_LEASE_LOST; /* the list is gone with its last job */
        else if (lease->state == MR_LEASE_HELD)
            mr_lease_touch(lease);
    } else if (reply) {
        mr_settle_later(lease);
    }
    mr_settle_check(lease);
    mr_worker_wake(worker);
}

/* ---- sending ---- */

/* True when it left; else the connection is gone and SYNC will look. */
static bool left(struct mr_lease *lease, enum mr_code code)
{
    if (code == MR_OK)
        lease->owed++;
    return code == MR_OK;
}

static void send_script(struct mr_item *item, const char *key)
{
    struct mr_lease *lease = item->lease;
    const struct mr_source *source = lease->source;
    struct mr_store *store = source->worker->store;
    const struct mr_settlement *s = item->settlement;
    struct mr_bytes bytes = {s->bytes.at, s->bytes.len};
    unsigned i = mr_item_index(item);
    enum mr_code code = MR_EDOWN;

    if (s->kind == MR_SETTLE_RETRY)
        code = mr_store_retry(store, &source->keys, key, i, s->due_s, bytes, on_script, item);
    else if (s->kind == MR_SETTLE_RELEASE)
        code = mr_store_release(store, &source->keys, key, i, bytes, on_script, item);
    else
        code = mr_store_dead(store, &source->keys, key, i,
                             &(struct mr_dead_letter){.id = s->id,
                                                      .meta = bytes,
                                                      .now_ms = s->died_at_ms,
                                                      .max = source->worker->config->dead.max,
                                                      .big = s->big},
                             on_script, item);
    item->sent = left(lease, code);
}

/* A full Redis refuses a plain LSET, but not the script that does the same. */
static void send_clear(struct mr_item *item, const char *key)
{
    struct mr_worker *worker = item->lease->source->worker;
    unsigned i = mr_item_index(item);

    if (worker->full)
        item->sent =
            left(item->lease, mr_store_done(worker->store, key, &i, 1, on_cleared, item));
    else
        item->sent = left(item->lease, mr_store_clear(worker->store, key, i, on_cleared, item));
}

static bool wants_back(const struct mr_lease *lease)
{
    if (lease->back_sent)
        return false;
    return lease->state == MR_LEASE_RETURNING ||
           (lease->count[MR_ITEM_BACK] > 0 && !lease->back_done);
}

static void send_back(struct mr_lease *lease, const char *key)
{
    unsigned from =
        lease->state == MR_LEASE_RETURNING ? 0 : lease->n - lease->count[MR_ITEM_BACK];

    lease->back_sent =
        left(lease, mr_store_back(lease->source->worker->store, &lease->source->keys, key, from,
                                  on_back, lease));
}

/* Everything is done, or its script was answered: the list itself may go. Never with a place dropped or on its way back. */
static bool may_end(const struct mr_lease *lease)
{
    return lease->count[MR_ITEM_DONE] + lease->count[MR_ITEM_SCRIPT] ==
               mr_lease_listed(lease) &&
           lease->n_unsettled_scripts == 0;
}

/* Places given up while this worker still has its lease: all others are answered for, so the list may go back. */
static bool only_dropped_left(const struct mr_lease *lease)
{
    unsigned n_settled = 0;

    if (lease->count[MR_ITEM_DROPPED] == 0 || lease->source->worker->page.header->fenced)
        return false;
    for (unsigned i = 0; i < lease->n; i++)
        n_settled += lease->items[i].settled && lease->items[i].state != MR_ITEM_BACK;
    return n_settled + lease->count[MR_ITEM_DROPPED] == mr_lease_listed(lease);
}

/*
 * A finished job waits for its neighbours while they are about to run: then one DEL settles all. The page knows it as done
 * meanwhile, so that a crash repeats nothing.
 */
static bool worth_holding(const struct mr_lease *lease)
{
    const struct mr_worker *worker = lease->source->worker;

    return lease->next < lease->n && mr_runner_free_places(worker->runner) > 0 &&
           mr_worker_gate_open(worker);
}

static void settle_places(struct mr_lease *lease, const char *key)
{
    bool hold = worth_holding(lease);

    for (unsigned i = 0; i < lease->n; i++) {
        struct mr_item *item = &lease->items[i];

        if (item->sent || item->settled)
            continue;
        if (item->state == MR_ITEM_SCRIPT && item->settlement->kind == MR_SETTLE_PUSH)
            mr_follow_send(item);
        else if (item->state == MR_ITEM_SCRIPT)
            send_script(item, key);
        else if (item->state == MR_ITEM_DONE && !hold)
            send_clear(item, key);
    }
    if (hold)
        mr_lease_touch(lease);
}

static void settle(struct mr_lease *lease)
{
    struct mr_worker *worker = lease->source->worker;
    char key[MR_KEY_MAX];

    if (lease->state == MR_LEASE_ASKED || lease->state == MR_LEASE_ENDING)
        return;
    if (lease->state == MR_LEASE_LOST && !return_foreign(lease)) {
        mr_lease_try_free(lease);
        return;
    }
    if (lease->not_before_ms > uv_now(worker->loop)) {
        mr_lease_touch(lease);
        return;
    }
    mr_lease_key(lease, key);
    if (wants_back(lease))
        send_back(lease, key);
    if (lease->state == MR_LEASE_RETURNING)
        return;
    if (only_dropped_left(lease)) {
        lease->state = MR_LEASE_RETURNING;
        send_back(lease, key);
        return;
    }
    if (may_end(lease)) {
        if (left(lease, mr_store_end(worker->store, key, on_ended, lease)))
            lease->state = MR_LEASE_ENDING;
        return;
    }
    if (lease->read < lease->n && !lease->reading && lease->owed == 0)
        mr_fetch_read(lease); /* a step of it was refused */
    settle_places(lease, key);
}

void mr_settle_flush(struct mr_worker *worker)
{
    struct mr_list round;

    if (!worker->synced || mr_list_empty(&worker->dirty))
        return;
    /* The round is cut off first: a lease that stays dirty is looked at again next turn, not now. */
    mr_list_init(&round);
    mr_list_push_back(&worker->dirty, &round);
    mr_list_remove(&worker->dirty);
    while (!mr_list_empty(&round)) {
        struct mr_lease *lease = mr_list_entry(round.next, struct mr_lease, dirty);

        mr_list_remove(&lease->dirty);
        settle(lease);
    }
}

/* ---- giving back ---- */

void mr_settle_give_back(struct mr_lease *lease)
{
    if (lease->state != MR_LEASE_HELD || lease->next == lease->n)
        return;
    for (unsigned i = lease->next; i < lease->n; i++)
        mr_item_set(&lease->items[i], MR_ITEM_BACK);
    lease->next = lease->read = lease->n; /* what was not read need not be */
    mr_list_remove(&lease->ready);
    mr_lease_touch(lease);
}

void mr_settle_give_back_all(struct mr_worker *worker)
{
    for (unsigned i = 0; i < worker->n_sources; i++)
        mr_list_each_safe (node, &worker->sources[i].leases)
            mr_settle_give_back(mr_list_entry(node, struct mr_lease, node));
}
