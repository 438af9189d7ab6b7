#include "dispatcher/watch.h"

#include "proto/base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_worker(const void *a, const void *b)
{
    return strcmp(((const struct mr_sighting *)a)->worker,
                  ((const struct mr_sighting *)b)->worker);
}

static bool fits(const redisReply *text, size_t room)
{
    return text->type == REDIS_REPLY_STRING && (size_t)text->len < room &&
           strlen(text->str) == (size_t)text->len;
}

static uint64_t first_seen(const struct mr_watch *before, const struct mr_sighting *now,
                           uint64_t now_ms)
{
    const struct mr_sighting *same =
        before->n_items > 0
            ? bsearch(now, before->items, before->n_items, sizeof(*before->items), by_worker)
            : NULL;

    return same && strcmp(same->score, now->score) == 0 ? same->since_ms : now_ms;
}

void mr_watch_update(struct mr_watch *watch, const redisReply *reply, uint64_t now_ms)
{
    struct mr_watch now = {.items =
                               mr_zalloc_array(reply->elements / 2 + 1, sizeof(*now.items))};

    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *worker = reply->element[i], *score = reply->element[i + 1];
        struct mr_sighting *sighting = &now.items[now.n_items];

        if (!fits(worker, MR_WORKER_MAX) || !fits(score, MR_SCORE_MAX) ||
            mr_worker_names(worker->str) == 0)
            continue;
        snprintf(sighting->worker, sizeof(sighting->worker), "%s", worker->str);
        snprintf(sighting->score, sizeof(sighting->score), "%s", score->str);
        sighting->since_ms = first_seen(watch, sighting, now_ms);
        now.n_items++;
    }
    qsort(now.items, now.n_items, sizeof(*now.items), by_worker);
    mr_watch_fini(watch);
    *watch = now;
}

uint64_t mr_watch_still_ms(const struct mr_sighting *sighting, uint64_t asked_at_ms,
                           uint64_t trusted_since_ms)
{
    uint64_t since_ms =
        sighting->since_ms > trusted_since_ms ? sighting->since_ms : trusted_since_ms;

    return trusted_since_ms > 0 && asked_at_ms > since_ms ? asked_at_ms - since_ms : 0;
}

void mr_watch_fini(struct mr_watch *watch)
{
    free(watch->items);
    *watch = (struct mr_watch){0};
}
