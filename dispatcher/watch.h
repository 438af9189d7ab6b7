/* How long the score of each worker of a queue has stood still, on our own clock. Pure: the caller brings clock and answer. */
#ifndef MR_DISPATCHER_WATCH_H
#define MR_DISPATCHER_WATCH_H

#include "proto/base/uuid.h"

#include <hiredis/hiredis.h>
#include <stdint.h>

#define MR_SCORE_MAX 32

struct mr_sighting {
    char worker[MR_WORKER_MAX];
    char score[MR_SCORE_MAX]; /* the very bytes Redis answered: FENCE compares them */
    uint64_t since_ms;        /* monotonic; when this score was first seen */
};

/* Zero-initialised is empty and valid. Sorted by worker. */
struct mr_watch {
    struct mr_sighting *items;
    unsigned n_items;
};

/* Takes in a ZRANGE WITHSCORES that arrived at now_ms; names that are no incarnation are left out. */
void mr_watch_update(struct mr_watch *watch, const redisReply *reply, uint64_t now_ms);
/*
 * How long, at the moment the last answer was asked for, the score had stood still within the time we can vouch for
 * (trusted_since_ms; 0: none).
 */
uint64_t mr_watch_still_ms(const struct mr_sighting *sighting, uint64_t asked_at_ms,
                           uint64_t trusted_since_ms);
void mr_watch_fini(struct mr_watch *watch);

#endif
