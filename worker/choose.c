#include "worker/choose.h"

#include <string.h>

static void draw_by_weight(const struct mr_choice *queues, unsigned n, struct mr_random *random,
                           unsigned *order)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < n; i++) {
        order[i] = i;
        total += queues[i].weight;
    }
    for (unsigned i = 0; i + 1 < n && total > 0; i++) {
        uint64_t roll = mr_random_below(random, total);
        unsigned at = i;

        while (at + 1 < n && roll >= queues[order[at]].weight)
            roll -= queues[order[at++]].weight;
        unsigned drawn = order[at];
        memmove(&order[i + 1], &order[i], (at - i) * sizeof(*order));
        order[i] = drawn;
        total -= queues[drawn].weight;
    }
}

/* Moves the starving to the front by insertion: pools have a handful of queues. */
static void feed_the_starving(uint64_t max_wait_ms, const struct mr_choice *queues, unsigned n,
                              uint64_t now_ms, unsigned *order)
{
    unsigned fed = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned queue = order[i];
        unsigned at = fed;

        if (now_ms - queues[queue].asked_at_ms <= max_wait_ms)
            continue;
        while (at > 0 && queues[order[at - 1]].asked_at_ms > queues[queue].asked_at_ms)
            at--;
        memmove(&order[at + 1], &order[at], (i - at) * sizeof(*order));
        order[at] = queue;
        fed++;
    }
}

void mr_choose(enum mr_balance balance, uint64_t max_wait_ms, const struct mr_choice *queues,
               unsigned n, uint64_t now_ms, struct mr_random *random, unsigned *order)
{
    for (unsigned i = 0; i < n; i++)
        order[i] = i;
    if (balance == MR_BALANCE_WEIGHTED)
        draw_by_weight(queues, n, random, order);
    if (max_wait_ms > 0)
        feed_the_starving(max_wait_ms, queues, n, now_ms, order);
}
