#include "proto/owed.h"

#include "proto/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

static void grow(struct mr_owed_ring *ring)
{
    size_t room = ring->room ? ring->room * 2 : FIRST_ROOM;
    struct mr_owed *at = mr_zalloc_array(room, sizeof(*at));

    for (size_t i = 0; i < ring->n; i++)
        at[i] = ring->at[(ring->first + i) & (ring->room - 1)];
    free(ring->at);
    *ring = (struct mr_owed_ring){.at = at, .n = ring->n, .room = room};
}

void mr_owed_add(struct mr_owed_ring *ring, mr_reply_fn *fn, void *arg)
{
    if (ring->n == ring->room)
        grow(ring);
    ring->at[(ring->first + ring->n++) & (ring->room - 1)] = (struct mr_owed){fn, arg};
}

struct mr_owed mr_owed_steal(struct mr_owed_ring *ring)
{
    assert(ring->n);
    struct mr_owed owed = ring->at[ring->first];

    ring->first = (ring->first + 1) & (ring->room - 1);
    ring->n--;
    return owed;
}

void mr_owed_fini(struct mr_owed_ring *ring)
{
    free(ring->at);
    *ring = (struct mr_owed_ring){0};
}
