/* The replies that a connection owes, first in, first out, without an allocation per command. */
#ifndef MR_PROTO_OWED_H
#define MR_PROTO_OWED_H

#include "proto/link.h"

#include <stddef.h>

/* A reply that has not come yet. */
struct mr_owed {
    mr_reply_fn *fn; /* NULL: nobody reads it */
    void *arg;
};

/* One array whose room is a power of two; it only grows. Zero-initialised is empty and valid. */
struct mr_owed_ring {
    struct mr_owed *at;
    size_t first, n, room;
};

void mr_owed_add(struct mr_owed_ring *ring, mr_reply_fn *fn, void *arg);
struct mr_owed mr_owed_steal(struct mr_owed_ring *ring); /* the oldest; there must be one */
void mr_owed_fini(struct mr_owed_ring *ring);

#endif
