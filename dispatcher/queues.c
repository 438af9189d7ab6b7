#include "dispatcher/queues.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdlib.h>
#include <string.h>

void mr_queues_init(struct mr_queues *queues, const char *prefix)
{
    *queues = (struct mr_queues){.prefix = mr_strdup(prefix ? prefix : "")};
}

void mr_queues_fini(struct mr_queues *queues)
{
    for (unsigned i = 0; i < queues->n_items; i++) {
        mr_queue_keys_fini(&queues->items[i]->keys);
        free(queues->items[i]);
    }
    free(queues->items);
    free(queues->prefix);
    *queues = (struct mr_queues){0};
}

struct mr_queue *mr_queues_find(const struct mr_queues *queues, const char *name)
{
    for (unsigned i = 0; i < queues->n_items; i++)
        if (strcmp(queues->items[i]->keys.name, name) == 0)
            return queues->items[i];
    return NULL;
}

static struct mr_queue *append(struct mr_queues *queues, const char *name)
{
    struct mr_queue *queue = mr_zalloc(sizeof(*queue));

    mr_queue_keys_init(&queue->keys, queues->prefix, name);
    queue->ready = queue->delayed = queue->reserved = queue->dead = queue->workers = -1;
    queues->items = mr_realloc(queues->items, (queues->n_items + 1) * sizeof(*queues->items));
    queues->items[queues->n_items++] = queue;
    return queue;
}

struct mr_queue *mr_queues_add(struct mr_queues *queues, const char *name, bool ours)
{
    struct mr_queue *queue = mr_queues_find(queues, name);

    if (!queue) {
        if (!mr_str_is_queue_name(mr_bytes_of(name)))
            return NULL;
        queue = append(queues, name);
    }
    queue->ours = queue->ours || ours;
    return queue;
}
