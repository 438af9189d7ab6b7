#include "dispatcher/census.h"

#include "proto/base/mem.h"

#include <stdlib.h>

struct census {
    unsigned owed; /* answers */
    void (*done)(void *arg);
    void *arg;
    uv_timer_t finish; /* so that done never runs inside the call */
};

/* What one SIZES answers for; a queue's pointer stays valid for the life of the table. */
struct row {
    struct census *census;
    struct mr_queue *queue;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_finish(uv_timer_t *timer)
{
    struct census *census = timer->data;

    uv_close((uv_handle_t *)timer, on_closed);
    census->done(census->arg);
}

static void finish_if_answered(struct census *census)
{
    if (census->owed == 0)
        uv_timer_start(&census->finish, on_finish, 0, 0);
}

static void take_sizes(struct mr_queue *queue, const redisReply *reply)
{
    queue->ready = reply->element[0]->integer;
    queue->delayed = reply->element[1]->integer;
    queue->reserved = reply->element[2]->integer;
    queue->dead = reply->element[4]->integer;
    queue->paused = reply->element[5]->integer > 0;
    queue->workers = reply->element[6]->integer;
}

static void on_sizes(void *arg, enum mr_code code, const redisReply *reply)
{
    struct row *row = arg;
    struct census *census = row->census;

    if (code == MR_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 7)
        take_sizes(row->queue, reply);
    free(row);
    census->owed--;
    finish_if_answered(census);
}

static void ask(struct census *census, struct mr_store *store, struct mr_queue *queue)
{
    struct row *row = mr_zalloc(sizeof(*row));

    *row = (struct row){.census = census, .queue = queue};
    if (mr_store_sizes(store, &queue->keys, on_sizes, row) == MR_OK)
        census->owed++;
    else
        free(row);
}

void mr_census_take(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                    void (*done)(void *arg), void *arg)
{
    struct census *census = mr_zalloc(sizeof(*census));

    *census = (struct census){.done = done, .arg = arg};
    uv_timer_init(loop, &census->finish);
    census->finish.data = census;
    for (unsigned i = 0; i < queues->n_items; i++)
        ask(census, store, queues->items[i]);
    finish_if_answered(census);
}
