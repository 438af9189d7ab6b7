/*
 * The ceiling that a worker is measured beside: a bare pipelined client that leases batches with the worker's own fetch
 * script, reads them, and deletes them, two in flight; no loop, no handler, nothing but the bytes. With --floor it pops the
 * jobs instead, which loses them if it dies. Runs until the queue is empty.
 *
 *     bench-ceiling --socket PATH --queue NAME [--prefix P] [--batch 100] [--depth 2] [--floor]
 */
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "proto/base/uuid.h"
#include "proto/keys.h"
#include "proto/resp.h"
#include "proto/scripts.h"

#include <getopt.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 16, KEEP_BYTES = 1 << 20 };

/* One batch in flight. Its commands are formatted once. */
struct slot {
    struct mr_buf first, next; /* next begins with the DEL of the batch before */
    bool asking;
    bool full; /* holds a batch that is not deleted yet */
};

struct ceiling {
    redisContext *redis;
    struct mr_queue_keys keys;
    char worker[MR_WORKER_MAX];
    unsigned batch, depth;
    bool floor;
    struct slot slots[DEPTH_MAX];
    unsigned long long jobs, bytes;
};

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench-ceiling: %s: %s\n", what, why);
    exit(70);
}

static void *answer(struct ceiling *c)
{
    void *reply = NULL;

    if (redisGetReply(c->redis, &reply) != REDIS_OK)
        give_up("redis", c->redis->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        give_up("redis says", ((redisReply *)reply)->str);
    return reply;
}

static void send_now(struct ceiling *c, const struct mr_buf *bytes)
{
    int done = 0;

    redisAppendFormattedCommand(c->redis, bytes->at, bytes->len);
    while (!done)
        if (redisBufferWrite(c->redis, &done) != REDIS_OK)
            give_up("redis", c->redis->errstr);
}

/* ---- formatting ---- */

static void add_pop(const struct ceiling *c, struct mr_buf *out)
{
    mr_resp_begin(out, 3);
    mr_resp_text(out, "LPOP");
    mr_resp_text(out, c->keys.ready);
    mr_resp_number(out, c->batch);
}

static void add_fetch(const struct ceiling *c, struct mr_buf *out, const char *lease)
{
    mr_resp_begin(out, 3 + 5 + 3);
    mr_resp_text(out, "EVALSHA");
    mr_resp_text(out, mr_script_row(MR_SCRIPT_FETCH)->sha1);
    mr_resp_number(out, 5);
    mr_resp_text(out, c->keys.ready);
    mr_resp_text(out, lease);
    mr_resp_text(out, c->keys.workers);
    mr_resp_text(out, c->keys.paused);
    mr_resp_text(out, c->keys.notify);
    mr_resp_number(out, c->batch);
    mr_resp_text(out, c->worker);
    mr_resp_number(out, 0);
    mr_resp_begin(out, 4);
    mr_resp_text(out, "LRANGE");
    mr_resp_text(out, lease);
    mr_resp_number(out, 0);
    mr_resp_number(out, -1);
}

static void format_slot(struct ceiling *c, unsigned k)
{
    struct slot *slot = &c->slots[k];
    char lease[MR_KEY_MAX];

    if (c->floor) {
        add_pop(c, &slot->first);
        add_pop(c, &slot->next);
        return;
    }
    mr_key_lease(&c->keys, c->worker, k, lease, sizeof(lease));
    add_fetch(c, &slot->first, lease);
    mr_resp_begin(&slot->next, 2);
    mr_resp_text(&slot->next, "DEL");
    mr_resp_text(&slot->next, lease);
    add_fetch(c, &slot->next, lease);
}

/* ---- the run ---- */

static void register_worker(struct ceiling *c)
{
    const char *load = mr_script_row(MR_SCRIPT_FETCH)->source;

    mr_worker_make(c->worker, c->depth);
    freeReplyObject(redisCommand(c->redis, "SCRIPT LOAD %s", load));
    freeReplyObject(
        redisCommand(c->redis, "ZADD %s 9999999999999 %s", c->keys.workers, c->worker));
}

static size_t count_batch(struct ceiling *c)
{
    redisReply *batch = answer(c);
    size_t n = batch->elements;

    for (size_t i = 0; i < n; i++)
        c->bytes += batch->element[i]->len;
    c->jobs += n;
    freeReplyObject(batch);
    return n;
}

/* The answers to what was sent last for the slot; false when the queue was empty. */
static bool take_answers(struct ceiling *c, struct slot *slot)
{
    if (!c->floor && slot->full)
        freeReplyObject(answer(c)); /* of the DEL */
    if (!c->floor)
        freeReplyObject(answer(c)); /* of the fetch: the batch itself says how many */
    slot->full = count_batch(c) > 0;
    return slot->full;
}

/* A slot that found nothing asks no more; the run is over when none does. */
static void drain(struct ceiling *c)
{
    unsigned n_asking = c->depth;

    for (unsigned k = 0; k < c->depth; k++) {
        send_now(c, &c->slots[k].first);
        c->slots[k].asking = true;
    }
    for (unsigned k = 0; n_asking > 0; k = (k + 1) % c->depth) {
        struct slot *slot = &c->slots[k];

        if (!slot->asking)
            continue;
        slot->asking = take_answers(c, slot);
        if (slot->asking)
            send_now(c, &slot->next);
        else
            n_asking--;
    }
}

static void connect_to(struct ceiling *c, const char *socket)
{
    c->redis = redisConnectUnix(socket);
    if (!c->redis || c->redis->err)
        give_up(socket, c->redis ? c->redis->errstr : "no memory");
    c->redis->reader->maxbuf = KEEP_BYTES; /* else hiredis gives its memory back each batch */
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"prefix", required_argument, NULL, 'p'},
        {"queue",  required_argument, NULL, 'q'},
        {"batch",  required_argument, NULL, 'b'},
        {"depth",  required_argument, NULL, 'd'},
        {"floor",  no_argument,       NULL, 'f'},
        {NULL,     0,                 NULL, 0  },
    };
    const char *socket = NULL, *prefix = "", *queue = NULL;
    struct ceiling c = {.batch = 100, .depth = 2};

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 's')
            socket = optarg;
        else if (o == 'p')
            prefix = optarg;
        else if (o == 'q')
            queue = optarg;
        else if (o == 'b')
            c.batch = (unsigned)atoi(optarg);
        else if (o == 'd')
            c.depth = (unsigned)atoi(optarg);
        else if (o == 'f')
            c.floor = true;
        else
            return 64;
    }
    if (!socket || !queue || c.batch == 0 || c.depth == 0 || c.depth > DEPTH_MAX)
        give_up("usage", "--socket PATH --queue NAME, and at most 16 of --depth");
    mr_queue_keys_init(&c.keys, prefix, queue);
    connect_to(&c, socket);
    register_worker(&c);
    for (unsigned k = 0; k < c.depth; k++)
        format_slot(&c, k);
    uint64_t began_us = mr_clock_us();
    drain(&c);
    printf("{\"jobs\":%llu,\"bytes\":%llu,\"seconds\":%.6f}\n", c.jobs, c.bytes,
           (double)(mr_clock_us() - began_us) / 1e6);
    return 0;
}
