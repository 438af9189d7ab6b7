/* Every queue this dispatcher keeps house for: its pools' own, and all that anybody of the fleet used. */
#ifndef MR_DISPATCHER_QUEUES_H
#define MR_DISPATCHER_QUEUES_H

#include "proto/keys.h"

#include <stdbool.h>

struct mr_queue {
    struct mr_queue_keys keys;
    bool ours; /* a pool of this configuration serves it */
    /* As last asked of Redis (SIZES), for the API and the metrics; -1 before. */
    long long ready, delayed, reserved, dead, workers;
    bool paused;
};

struct mr_queues {
    char *prefix;
    /* Only ever grows: an item keeps its pointer and its index for the life of the table. */
    struct mr_queue **items;
    unsigned n_items;
};

void mr_queues_init(struct mr_queues *queues, const char *prefix);
void mr_queues_fini(struct mr_queues *queues);
/* Finds or adds; a name with odd characters gives NULL. Once ours, a queue stays ours until somebody clears the flag. */
struct mr_queue *mr_queues_add(struct mr_queues *queues, const char *name, bool ours);
struct mr_queue *mr_queues_find(const struct mr_queues *queues, const char *name);

#endif
