#include "worker/wake.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "worker/fetch.h"
#include "worker/settle.h"
#include "worker/sync.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 50, CLOSE_AGAIN_MS = 200, UNBLOCK_AGAIN_MS = 20 };

/*
 * A waiter names two lists: a wake list that nothing else ever names, into which BLMOVE moves the job, and a lease, to which the
 * script behind it renames that list. So the wake name is free again with the script's answer. When the connection is lost
 * between the two, the wake name is closed for good: a string under it turns a late BLMOVE away, and
 * then nothing can fill the lease any more either.
 */
struct mr_wait {
    struct mr_source *source;
    struct mr_store *store;  /* its own connection */
    unsigned j;              /* the wake name in use: w<j> */
    struct mr_lease *lease;  /* while armed, or lost and not yet closed */
    bool armed, unblocked;   /* unblocked: asked Redis to let it go */
    bool lost;               /* the wake name is to be closed */
    bool closing;            /* a CLOSE is on its way */
    struct mr_bytes payload; /* in the lease's memory, between the two answers */
    uint64_t not_before_ms;  /* refused: poll instead */
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

bool mr_wait_is_armed(const struct mr_wait *wait)
{
    return wait->armed;
}

bool mr_wait_is_quiet(const struct mr_wait *wait)
{
    return !wait->armed && !wait->lost && !wait->closing;
}

/* Nothing more of it for so long, or up to twice that: many workers may have been refused at once. */
static void hold_off(struct mr_wait *wait, uint64_t ms)
{
    struct mr_worker *worker = wait->source->worker;
    uint64_t span_ms = ms + mr_random_below(&worker->random, ms);

    wait->not_before_ms = uv_now(worker->loop) + span_ms;
    mr_worker_again(worker, span_ms);
}

static bool is_held_off(const struct mr_wait *wait)
{
    return wait->not_before_ms > uv_now(wait->source->worker->loop);
}

/* ---- what came ---- */

/* The job's bytes arrive first; whether it is ours is said by the script behind. */
static void on_job(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_wait *wait = arg;

    if (code == MR_OK && reply->type == REDIS_REPLY_STRING) {
        char *copy = mr_lease_alloc(wait->lease, reply->len);

        memcpy(copy, reply->str, reply->len);
        wait->payload = (struct mr_bytes){copy, reply->len};
    } else if (code != MR_OK && reply) {
        /* A full Redis, an ACL, a closed name: poll with jitter as long as it lasts. */
        hold_off(wait, POLL_MS);
        mr_log_debug("wake.refused", "queue=%s code=%s redis=%s", wait->source->keys.name,
                     mr_code_name(code), reply->str ? reply->str : "");
    }
}

static void start_or_return(struct mr_wait *wait, struct mr_lease *lease)
{
    struct mr_source *source = wait->source;
    struct mr_worker *worker = source->worker;

    worker->page.header->wakes++;
    source->came_short = false; /* where one came from, more may wait */
    source->gave = false;
    mr_lease_hold(lease, 1);
    mr_fetch_take(lease, 0, wait->payload);
    mr_pace_sized(&source->pace, wait->payload.len);
    if (worker->fate != MR_FATE_SERVE || mr_runner_free_places(worker->runner) == 0)
        mr_settle_give_back(lease);
}

static void nothing_came(struct mr_lease *lease)
{
    lease->state = MR_LEASE_LOST;
    mr_settle_check(lease);
}

static void on_woken(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_wait *wait = arg;
    struct mr_source *source = wait->source;
    struct mr_worker *worker = source->worker;
    struct mr_lease *lease = wait->lease;

    wait->armed = false;
    mr_settle_answered(lease, reply);
    if (worker->leaving)
        return;
    if (code != MR_OK || reply->type != REDIS_REPLY_INTEGER) {
        wait->lost =
            true; /* what became of the job is to be found out on the main connection */
        mr_wait_resolve(wait);
        mr_worker_wake(worker);
        return;
    }
    wait->lease = NULL;
    lease->waiting = false;
    if (reply->integer == 1 && wait->payload.at) {
        start_or_return(wait, lease);
    } else if (reply->integer == 1) {
        mr_sync_lease(lease); /* the bytes were not told: the list tells them */
    } else {
        nothing_came(lease);
        if (reply->integer == -2)
            mr_worker_fenced(worker, "wake");
        else if (reply->integer == -3 || reply->integer == -1)
            source->came_short =
                false; /* paused: the fetch asks now and then whether it still is */
        if (wait->unblocked || is_held_off(wait))
            source->came_short = false; /* each arming follows a fetch */
    }
    mr_worker_wake(worker);
}

/* ---- arming ---- */

static bool may_arm(const struct mr_wait *wait)
{
    const struct mr_source *source = wait->source;

    return !wait->armed && !wait->lost && !wait->closing && !is_held_off(wait) &&
           source->not_before_ms <= uv_now(source->worker->loop) && wait->j < MR_WAKES &&
           source->names.n_free > 0 && mr_store_is_ready(wait->store);
}

/* The queue has nobody who waits on it: it is asked now and then, as long as that lasts. */
static void poll_instead(struct mr_wait *wait)
{
    if (is_held_off(wait))
        return;
    wait->source->came_short = false;
    hold_off(wait, POLL_MS);
}

static void arm(struct mr_wait *wait)
{
    struct mr_source *source = wait->source;
    const char *worker = source->worker->incarnation;
    char wake[MR_KEY_MAX], key[MR_KEY_MAX];

    wait->lease = mr_lease_ask(source, 1);
    mr_lease_key(wait->lease, key);
    mr_key_wake(&source->keys, worker, wait->j, wake, sizeof(wake));
    wait->payload = (struct mr_bytes){0};
    if (mr_store_wait(wait->store, &source->keys, worker, wake, key, MR_WAIT_S, on_job,
                      on_woken, wait) != MR_OK) {
        nothing_came(wait->lease);
        wait->lease = NULL;
        return;
    }
    wait->lease->owed++;
    wait->lease->waiting = true;
    wait->armed = true;
    wait->unblocked = false;
}

/* 0: Redis had not read the BLMOVE yet, or the answer is on its way already. */
static void on_unblocked(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_wait *wait = arg;

    if (code != MR_OK || reply->type != REDIS_REPLY_INTEGER || reply->integer != 0)
        return;
    wait->unblocked = false;
    mr_worker_again(wait->source->worker, UNBLOCK_AGAIN_MS);
}

/*
 * No place is free: a job that came now would only go back. The waiter is named by a number that its server gave it; where the
 * main connection has moved to another server, that number may be a stranger's.
 */
static void unblock(struct mr_wait *wait)
{
    struct mr_store *main_store = wait->source->worker->store;
    long long id = mr_link_client_id(mr_store_link(wait->store));

    if (wait->unblocked || id == 0)
        return;
    if (strcmp(mr_store_run(wait->store), mr_store_run(main_store)) != 0)
        mr_link_drop(mr_store_link(wait->store), "the main connection has another server");
    else
        wait->unblocked = mr_store_unblock(main_store, id, on_unblocked, wait) == MR_OK;
}

void mr_wait_update(struct mr_worker *worker)
{
    bool serving = worker->fate == MR_FATE_SERVE && mr_worker_gate_open(worker);

    for (unsigned i = 0; i < worker->n_sources; i++) {
        struct mr_wait *wait = worker->sources[i].wait;
        bool open = serving && mr_worker_room_for(&worker->sources[i]) > 0;

        if (wait->lost && worker->synced && !is_held_off(wait))
            mr_wait_resolve(wait);
        if (!open && wait->armed && worker->synced)
            unblock(wait);
        else if (open && worker->sources[i].came_short && may_arm(wait))
            arm(wait);
        else if (open && worker->sources[i].came_short && !wait->armed)
            poll_instead(wait);
    }
}

/* ---- a lost connection ---- */

/* The wake name is closed: whatever it held is back at the head. Now nothing can fill the lease that was to take it. */
static void closed(struct mr_wait *wait)
{
    struct mr_lease *lease = wait->lease;

    wait->lost = false;
    wait->lease = NULL;
    wait->j++;
    wait->source->came_short = false;
    lease->tainted = false;
    lease->waiting = false;
    lease->state = MR_LEASE_RETURNING;
    mr_lease_touch(lease);
    if (wait->j == MR_WAKES) {
        mr_log_info("wake.names_used_up", "queue=%s", wait->source->keys.name);
        mr_worker_leave(wait->source->worker, MR_FATE_RECYCLE);
    }
}

static void on_closed(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_wait *wait = arg;
    struct mr_worker *worker = wait->source->worker;

    wait->closing = false;
    if (code == MR_OK)
        closed(wait);
    else if (reply) /* repeated until answered; after a lost connection by SYNC */
        hold_off(wait, CLOSE_AGAIN_MS);
    mr_worker_wake(worker);
}

void mr_wait_resolve(struct mr_wait *wait)
{
    struct mr_source *source = wait->source;
    char wake[MR_KEY_MAX];
    const char *wakes[] = {wake};

    if (!wait->lost || wait->closing)
        return;
    mr_key_wake(&source->keys, source->worker->incarnation, wait->j, wake, sizeof(wake));
    wait->closing = mr_store_close(source->worker->store, &source->keys, wakes, 1, on_closed,
                                   wait) == MR_OK;
}

static void on_ready(void *arg)
{
    struct mr_wait *wait = arg;

    mr_worker_wake(wait->source->worker);
}

static void on_lost(void *arg, const struct mr_err *why)
{
    struct mr_wait *wait = arg;

    mr_log_debug("wake.connection_lost", "queue=%s why=%s", wait->source->keys.name, why->text);
    mr_worker_wake(wait->source->worker);
}

/* ---- life ---- */

enum mr_code mr_wait_new(struct mr_source *source, struct mr_wait **out, struct mr_err *err)
{
    const struct mr_config *config = source->worker->config;
    struct mr_wait *wait = mr_zalloc(sizeof(*wait));
    char name[160];

    wait->source = source;
    snprintf(name, sizeof(name), "millrace-wait-%s", source->keys.name);
    struct mr_store_options options = {
        .link = {.url = config->redis.url,
                 .username = config->redis.username,
                 .password = config->redis.password,
                 .name = name,
                 .connect_timeout_ms = config->redis.connect_timeout_ms,
                 .reply_timeout_ms = config->redis.reply_timeout_ms + MR_WAIT_S * 1000,
                 .want_client_id = true},
        .prefix = config->redis.prefix,
    };
    struct mr_store_events events = {on_ready, on_lost, wait};
    enum mr_code code =
        mr_store_new(source->worker->loop, &options, &events, &wait->store, err);

    if (code != MR_OK) {
        free(wait);
        return code;
    }
    mr_store_start(wait->store);
    *out = wait;
    return MR_OK;
}

static void on_store_stopped(void *arg)
{
    struct mr_wait *wait = arg;
    void (*on_stopped)(void *) = wait->on_stopped;
    void *stopped_arg = wait->stopped_arg;

    free(wait);
    on_stopped(stopped_arg);
}

void mr_wait_stop(struct mr_wait *wait, void (*on_stopped)(void *arg), void *arg)
{
    wait->on_stopped = on_stopped;
    wait->stopped_arg = arg;
    mr_store_stop(wait->store, on_store_stopped, wait);
}
