#include "dispatcher/promote.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 250,      /* of the whole fleet */
    RESERVED_EVERY = 8, /* every n-th poll looks at a reserved set: only Laravel fills those */
    FIRST_BATCH = 16,   /* while the payloads' size is not known */
    MAX_BATCH = 1000,
    BATCH_BYTES = 256 * 1024,
    MIN_DOUBT_MS = 10,
    MAX_DOUBT_MS = 1000,
    MAX_WAIT_MS = 60000
};

/* Delayed or reserved jobs of one queue. */
struct source {
    struct mr_promote *promote;
    struct mr_queue *queue;
    bool reserved;
    bool asked;          /* an answer is owed: one call at a time */
    uint64_t wake_at_ms; /* unix; when to ask for what is due next; 0: nothing waits */
    uint64_t
        doubt_ms; /* Redis' clock is behind ours: how long to wait before asking once more */
    unsigned n;   /* moved by one call */
    unsigned n_asked; /* by the call under way: n may have changed since */
    long long bytes;  /* as last measured, of the whole set */
};

struct mr_promote {
    struct mr_store *store;
    struct mr_queues *queues;
    struct source **sources; /* two a queue: delayed, reserved */
    unsigned n_sources;
    unsigned polls, next_delayed, next_reserved; /* whose turn it is */
    unsigned n_dispatchers;
    uint64_t moved;
    uv_timer_t poll, due;
    bool stopped;
    void (*on_stopped)(void *arg);
    void *arg;
    unsigned holders; /* two open timers, answers owed: the last one frees */
};

static void let_go(struct mr_promote *promote)
{
    if (--promote->holders > 0)
        return;
    for (unsigned i = 0; i < promote->n_sources; i++)
        free(promote->sources[i]);
    free(promote->sources);
    free(promote);
}

static struct source *add_source(struct mr_promote *promote, struct mr_queue *queue,
                                 bool reserved)
{
    struct source *source = mr_zalloc(sizeof(*source));

    *source = (struct source){
        .promote = promote, .queue = queue, .reserved = reserved, .n = FIRST_BATCH};
    return source;
}

/* The table of queues only grows, so that source 2i and 2i+1 belong to queue i for ever. */
static void know_queues(struct mr_promote *promote)
{
    unsigned n = 2 * promote->queues->n_items;

    if (n == promote->n_sources)
        return;
    promote->sources = mr_realloc(promote->sources, n * sizeof(*promote->sources));
    for (; promote->n_sources < n; promote->n_sources++)
        promote->sources[promote->n_sources] =
            add_source(promote, promote->queues->items[promote->n_sources / 2],
                       promote->n_sources % 2 == 1);
}

/* ---- how many at a time ---- */

static void on_bytes(void *arg, enum mr_code code, const redisReply *reply)
{
    struct source *source = arg;

    source->bytes = code == MR_OK && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    let_go(source->promote);
}

static void on_count(void *arg, enum mr_code code, const redisReply *reply)
{
    struct source *source = arg;

    if (code == MR_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0 &&
        source->bytes > 0) {
        long long mean = source->bytes / reply->integer + 1;
        long long n = BATCH_BYTES / mean;

        source->n = n < 1 ? 1 : n > MAX_BATCH ? MAX_BATCH : (unsigned)n;
    }
    let_go(source->promote);
}

static void ask(struct source *source, mr_answer_fn *fn, int argc, const char *const *argv)
{
    if (mr_store_command(source->promote->store, fn, source, argc, argv, NULL) == MR_OK)
        source->promote->holders++;
}

/*
 * A storm: how large are the payloads? Redis samples those at the front, which are due next, so the next calls carry
 * about BATCH_BYTES each, and none of them blocks it for long.
 */
static void measure(struct source *source)
{
    const struct mr_queue_keys *keys = &source->queue->keys;
    const char *key = source->reserved ? keys->reserved : keys->delayed;

    ask(source, on_bytes, 5, (const char *const[]){"MEMORY", "USAGE", key, "SAMPLES", "8"});
    ask(source, on_count, 2, (const char *const[]){"ZCARD", key});
}

/* ---- when ---- */

static void promote_due(struct source *source);

static void on_due(uv_timer_t *timer);

/* The wall clock only says how long to wait; Redis' clock says what is due. */
static void set_timer(struct mr_promote *promote)
{
    uint64_t now_ms = mr_clock_wall_ms(), next_ms = UINT64_MAX;

    for (unsigned i = 0; i < promote->n_sources; i++) {
        const struct source *source = promote->sources[i];

        if (source->wake_at_ms > 0 && source->wake_at_ms < next_ms)
            next_ms = source->wake_at_ms;
    }
    if (next_ms == UINT64_MAX) {
        uv_timer_stop(&promote->due);
        return;
    }
    uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    uv_timer_start(&promote->due, on_due, wait_ms < MAX_WAIT_MS ? wait_ms : MAX_WAIT_MS, 0);
}

/* What is due by our clock and not by Redis' is asked for at growing intervals. */
static void plan(struct source *source, long long moved, const redisReply *due)
{
    uint64_t now_ms = mr_clock_wall_ms();
    double due_ms = due->type == REDIS_REPLY_STRING ? ceil(strtod(due->str, NULL) * 1000) : 0;

    source->wake_at_ms = 0;
    if (!(due_ms > 0) || due_ms > 1e15)
        return;
    source->wake_at_ms = (uint64_t)due_ms;
    if (moved > 0 || source->wake_at_ms > now_ms)
        source->doubt_ms = 0;
    if (source->wake_at_ms > now_ms)
        return;
    source->doubt_ms = source->doubt_ms == 0 ? MIN_DOUBT_MS : 2 * source->doubt_ms;
    if (source->doubt_ms > MAX_DOUBT_MS)
        source->doubt_ms = MAX_DOUBT_MS;
    source->wake_at_ms = now_ms + source->doubt_ms;
}

static void take(struct source *source, const redisReply *reply)
{
    struct mr_promote *promote = source->promote;
    long long moved = reply->element[0]->integer;

    promote->moved += (uint64_t)moved;
    plan(source, moved, reply->element[1]);
    if (moved > 0)
        mr_log_debug("promote.moved", "queue=%s from=%s jobs=%lld", source->queue->keys.name,
                     source->reserved ? "reserved" : "delayed", moved);
    if (moved < (long long)source->n_asked)
        return;
    /* There may be more. The loop turns between two calls: a storm starves nobody. */
    measure(source);
    promote_due(source);
}

static void on_promoted(void *arg, enum mr_code code, const redisReply *reply)
{
    struct source *source = arg;
    struct mr_promote *promote = source->promote;

    source->asked = false;
    if (!promote->stopped) {
        if (code == MR_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
            take(source, reply);
        else if (code == MR_EFAULT)
            mr_log_warn("promote.failed", "queue=%s code=%s", source->queue->keys.name,
                        mr_code_name(code));
        set_timer(promote);
    }
    let_go(promote);
}

static void promote_due(struct source *source)
{
    struct mr_promote *promote = source->promote;

    if (source->asked)
        return;
    source->wake_at_ms = 0; /* the answer says when to ask again, or the next poll does */
    if (mr_store_promote(promote->store, &source->queue->keys, source->reserved, source->n,
                         on_promoted, source) != MR_OK)
        return;
    source->asked = true;
    source->n_asked = source->n;
    promote->holders++;
}

static void on_due(uv_timer_t *timer)
{
    struct mr_promote *promote = timer->data;
    uint64_t now_ms = mr_clock_wall_ms();

    for (unsigned i = 0; i < promote->n_sources; i++)
        if (promote->sources[i]->wake_at_ms > 0 && promote->sources[i]->wake_at_ms <= now_ms)
            promote_due(promote->sources[i]);
    set_timer(promote);
}

/* One source a poll, in turn: it finds what others have put in front of what we knew. */
static void on_poll(uv_timer_t *timer)
{
    struct mr_promote *promote = timer->data;
    unsigned n_queues = promote->queues->n_items;

    if (n_queues == 0 || !mr_store_is_ready(promote->store))
        return;
    know_queues(promote);
    if (++promote->polls % RESERVED_EVERY == 0)
        promote_due(promote->sources[2 * (promote->next_reserved++ % n_queues) + 1]);
    else
        promote_due(promote->sources[2 * (promote->next_delayed++ % n_queues)]);
}

/* ---- life ---- */

enum mr_code mr_promote_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                            struct mr_promote **out)
{
    struct mr_promote *promote = mr_zalloc(sizeof(*promote));

    *promote =
        (struct mr_promote){.store = store, .queues = queues, .n_dispatchers = 1, .holders = 2};
    uv_timer_init(loop, &promote->poll);
    uv_timer_init(loop, &promote->due);
    promote->poll.data = promote->due.data = promote;
    *out = promote;
    return MR_OK;
}

static void pace(struct mr_promote *promote)
{
    uint64_t every_ms = (uint64_t)POLL_MS * promote->n_dispatchers;

    uv_timer_start(&promote->poll, on_poll, every_ms, every_ms);
}

void mr_promote_start(struct mr_promote *promote)
{
    pace(promote);
}

void mr_promote_set_fleet(struct mr_promote *promote, unsigned n_dispatchers)
{
    if (n_dispatchers == 0)
        n_dispatchers = 1;
    if (promote->n_dispatchers == n_dispatchers)
        return;
    promote->n_dispatchers = n_dispatchers;
    if (uv_is_active((uv_handle_t *)&promote->poll))
        pace(promote);
}

uint64_t mr_promote_moved(const struct mr_promote *promote)
{
    return promote->moved;
}

static void on_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void on_last_closed(uv_handle_t *handle)
{
    struct mr_promote *promote = handle->data;

    if (promote->on_stopped)
        promote->on_stopped(promote->arg);
    let_go(promote);
}

void mr_promote_stop(struct mr_promote *promote, void (*on_stopped)(void *arg), void *arg)
{
    promote->stopped = true;
    promote->on_stopped = on_stopped;
    promote->arg = arg;
    uv_close((uv_handle_t *)&promote->due, on_closed);
    uv_close((uv_handle_t *)&promote->poll, on_last_closed);
}
