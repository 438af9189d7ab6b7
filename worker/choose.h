/* Which queue is asked first: strict, weighted, and nobody starves. Pure. */
#ifndef MR_WORKER_CHOOSE_H
#define MR_WORKER_CHOOSE_H

#include "proto/base/random.h"
#include "proto/config.h"

#include <stdint.h>

#define MR_CHOOSE_MAX 64 /* queues of one pool */

/* One queue as the choice sees it, in the order of the configuration. */
struct mr_choice {
    uint32_t weight;
    uint64_t asked_at_ms; /* when a fetch last had room left for it */
};

/*
 * Writes the order in which to ask into order[n]: as configured (strict) or drawn by weight; then whatever was
 * not asked for longer than max_wait_ms (0: never) moves to the front, the longest waiting first. random is
 * used by the weighted choice alone.
 */
void mr_choose(enum mr_balance balance, uint64_t max_wait_ms, const struct mr_choice *queues,
               unsigned n, uint64_t now_ms, struct mr_random *random, unsigned *order);

#endif
