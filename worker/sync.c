#include "worker/sync.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "worker/fetch.h"
#include "worker/follow.h"
#include "worker/settle.h"
#include "worker/standing.h"
#include "worker/wake.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_A_CALL = 1024, AGAIN_MS = 100 };

/* ---- one question of a round ---- */

/* Questions of a round that was cut off by a further loss must not end the next one. */
struct question {
    struct mr_worker *worker;
    struct mr_source *source; /* of an EXISTS */
    unsigned round;           /* 0: an audit, outside of any round */
};

static struct question *ask(struct mr_worker *worker, struct mr_source *source, bool in_round)
{
    struct question *q = mr_zalloc(sizeof(*q));

    q->worker = worker;
    q->source = source;
    q->round = in_round ? worker->sync_round : 0;
    return q;
}

static void answered(struct mr_worker *worker, unsigned round)
{
    if (round == 0 || round != worker->sync_round || --worker->sync_owed > 0)
        return;
    worker->synced = true;
    snprintf(worker->page.header->redis_run, MR_PAGE_RUN, "%s", mr_store_run(worker->store));
    mr_log_debug("sync.done", "round=%u", round);
    mr_standing_renew_if_needed(worker);
    mr_worker_wake(worker);
}

/* ---- comparing a list with what memory says of it ---- */

static bool same_bytes(const struct mr_item *item, const redisReply *reply)
{
    return item->payload.len == reply->len &&
           memcmp(item->payload.at, reply->str, reply->len) == 0;
}

/* An older batch stands under this name: our claim falls, and all of the list goes back. */
static void drop_claim(struct mr_lease *lease)
{
    struct mr_source *source = lease->source;

    mr_settle_lost(lease);
    /* What the page says to be finished here is not what Redis holds here. */
    mr_recorder_lease_gone(&source->worker->recorder, source->index, lease->k);
    lease->tainted = lease->foreign = true;
    lease->back_sent = false;
}

/* Whether the list can be the batch that memory holds: no longer than it, missing no more than a suffix on its way back, equal bytes. */
static bool is_ours(const struct mr_lease *lease, const redisReply *list)
{
    if (list->elements > lease->n)
        return false;
    for (unsigned i = 0; i < lease->n; i++) {
        const struct mr_item *item = &lease->items[i];

        if (i >= list->elements) {
            if (item->state != MR_ITEM_BACK)
                return false;
        } else if (list->element[i]->len > 0 && item->payload.at &&
                   !same_bytes(item, list->element[i])) {
            return false;
        }
    }
    return true;
}

/* Redis has settled a place that we have not: somebody gave it away. It is not ours to run or settle. */
static void place_is_gone(struct mr_item *item)
{
    if (item->state == MR_ITEM_DONE || item->state == MR_ITEM_SCRIPT)
        mr_item_settled(item, true);
    else if (item->state == MR_ITEM_FETCHED || item->state == MR_ITEM_UNREAD) {
        mr_item_set(item, MR_ITEM_DROPPED); /* never "done": it may show itself again */
        item->lease->source->worker->page.header->lease_lost++;
    }
}

/* The place is as it was before our verdict, perhaps because Redis went back in time: what may be missing is said again. */
static void say_again(struct mr_item *item)
{
    if (item->settled && item->payload.len > 0)
        mr_item_settled(item, false);
    mr_follow_again(item);
}

static void compare_places(struct mr_lease *lease, const redisReply *list)
{
    for (unsigned i = 0; i < list->elements; i++) {
        struct mr_item *item = &lease->items[i];

        item->sent = false;
        if (list->element[i]->len == 0)
            place_is_gone(item);
        else
            say_again(item);
    }
    mr_lease_pass_over(lease);
    lease->back_sent = false;
    lease->back_done =
        list->elements < lease->n; /* only places on their way back may be missing */
    lease->reading = false;
    mr_lease_touch(lease);
}

static void compare(struct mr_lease *lease, const redisReply *list)
{
    bool ending = lease->state == MR_LEASE_ENDING;

    if (list->elements == 0 && (ending || lease->count[MR_ITEM_BACK] == lease->n)) {
        lease->state = MR_LEASE_LOST; /* our last command did arrive */
        return;
    }
    if (list->elements == 0) {
        mr_settle_lost(lease);
        return;
    }
    if (!is_ours(lease, list)) {
        drop_claim(lease);
        return;
    }
    lease->state = MR_LEASE_HELD;
    compare_places(lease, list);
}

/* Asked for and never told how many came: the list itself says. */
static void learn(struct mr_lease *lease, const redisReply *list)
{
    if (list->elements == 0 || list->elements > lease->room) {
        lease->state = list->elements ? MR_LEASE_RETURNING : MR_LEASE_LOST;
        lease->tainted = lease->tainted || list->elements > 0;
        mr_lease_touch(lease);
        return;
    }
    mr_lease_hold(lease, (unsigned)list->elements);
    for (unsigned i = 0; i < list->elements; i++) {
        char *copy = mr_lease_alloc(lease, list->element[i]->len);

        memcpy(copy, list->element[i]->str, list->element[i]->len);
        mr_fetch_take(lease, i, (struct mr_bytes){copy, list->element[i]->len});
    }
    mr_lease_pass_over(lease);
}

static void on_list(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_lease *lease = arg;
    struct mr_worker *worker = lease->source->worker;
    unsigned round = lease->sync_round;

    mr_settle_answered(lease, reply);
    lease->syncing = false;
    if (code == MR_OK && reply->type == REDIS_REPLY_ARRAY) {
        if (lease->state == MR_LEASE_ASKED)
            learn(lease, reply);
        else if (lease->state == MR_LEASE_HELD || lease->state == MR_LEASE_ENDING)
            compare(lease, reply);
        else if (lease->state == MR_LEASE_RETURNING)
            mr_lease_touch(lease);
    } else if (code == MR_EFENCED) {
        drop_claim(lease); /* the name holds something that is no list */
    } else if (reply) {
        mr_link_drop(mr_store_link(worker->store),
                     "SYNC was refused"); /* from the start, on a new connection */
    }
    mr_settle_check(lease);
    answered(worker, round);
    mr_worker_wake(worker);
}

void mr_sync_lease(struct mr_lease *lease)
{
    struct mr_worker *worker = lease->source->worker;
    char key[MR_KEY_MAX];

    if (lease->syncing || lease->waiting)
        return;
    mr_lease_key(lease, key);
    lease->sync_round = worker->synced ? 0 : worker->sync_round;
    if (mr_store_read(worker->store, key, 0, -1, on_list, lease) != MR_OK)
        return;
    lease->owed++;
    lease->syncing = true;
    if (lease->sync_round)
        worker->sync_owed++;
}

/* ---- names that nobody uses ---- */

void mr_sync_return_name(struct mr_source *source, unsigned k)
{
    if (source->names.states[k] != MR_NAME_USED)
        mr_lease_touch(mr_lease_claim(source, k));
}

static void return_unused_names(struct mr_source *source)
{
    for (unsigned k = 0; k < source->names.n_names; k++)
        mr_sync_return_name(source, k);
}

static void on_strangers(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *q = arg;

    if (code == MR_OK && reply->integer > 0) {
        mr_log_warn("sync.strangers", "queue=%s lists=%lld", q->source->keys.name,
                    reply->integer);
        return_unused_names(q->source);
    } else if (code != MR_OK && reply && q->round) {
        mr_link_drop(mr_store_link(q->worker->store), "SYNC was refused");
    }
    answered(q->worker, q->round);
    free(q);
}

static void ask_names(struct mr_source *source, const char *const *keys, unsigned n,
                      bool in_round)
{
    struct mr_worker *worker = source->worker;
    struct question *q = ask(worker, source, in_round);

    if (mr_store_exists(worker->store, keys, n, on_strangers, q) != MR_OK) {
        free(q);
        return;
    }
    if (in_round)
        worker->sync_owed++;
}

/* One variadic EXISTS over the names that are free or retired (1,100 of them take Redis a millisecond). */
static void look_for_strangers(struct mr_source *source, bool all, bool in_round)
{
    char(*keys)[MR_KEY_MAX] = mr_zalloc_array(NAMES_A_CALL, sizeof(*keys));
    const char *words[NAMES_A_CALL];
    unsigned n = 0;

    for (unsigned k = 0; k < source->names.n_names; k++) {
        unsigned state = source->names.states[k];

        if (state == MR_NAME_RETIRED || (all && state == MR_NAME_FREE)) {
            mr_key_lease(&source->keys, source->worker->incarnation, k, keys[n],
                         sizeof(keys[n]));
            words[n] = keys[n];
            n++;
        }
        if (n > 0 && (n == NAMES_A_CALL || k + 1 == source->names.n_names)) {
            ask_names(source, words, n, in_round);
            n = 0;
        }
    }
    free(keys);
}

void mr_sync_audit(struct mr_worker *worker, bool all)
{
    if (!worker->synced)
        return;
    for (unsigned i = 0; i < worker->n_sources; i++)
        if (all || worker->sources[i].names.n_retired > 0)
            look_for_strangers(&worker->sources[i], all, false);
}

/* ---- the whole round ---- */

static void on_registered(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *q = arg;

    if (code == MR_OK && reply->type == REDIS_REPLY_NIL)
        mr_worker_fenced(q->worker, "sync");
    else if (code != MR_OK && reply)
        mr_link_drop(mr_store_link(q->worker->store), "SYNC was refused");
    answered(q->worker, q->round);
    free(q);
}

static void ask_registered(struct mr_source *source)
{
    struct mr_worker *worker = source->worker;
    struct question *q = ask(worker, source, true);

    if (mr_store_registered(worker->store, &source->keys, worker->incarnation, on_registered,
                            q) == MR_OK)
        worker->sync_owed++;
    else
        free(q);
}

void mr_sync_start(struct mr_worker *worker)
{
    worker->synced = false;
    if (++worker->sync_round == 0)
        worker->sync_round = 1;
    worker->sync_owed =
        1; /* ours, so that the round cannot end while questions are still being asked */
    for (unsigned i = 0; i < worker->n_sources; i++) {
        struct mr_source *source = &worker->sources[i];

        ask_registered(source);
        mr_wait_resolve(source->wait);
        mr_list_each_safe (node, &source->leases)
            mr_sync_lease(mr_list_entry(node, struct mr_lease, node));
        look_for_strangers(source, true, true);
    }
    answered(worker, worker->sync_round);
}
