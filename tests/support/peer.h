/* A real HTTP server of a test's own (tests/peers/web.py): messages, payments, plain paths and faults; and what it received. */
#ifndef MR_TESTS_PEER_H
#define MR_TESTS_PEER_H

#include "tests/support/proc.h"

#include <jansson.h>

struct mr_peer {
    struct mr_proc proc;
    int in; /* its standard input: it serves until that ends */
    int port;
    char out[128]; /* the requests, one JSON object a line */
};

/*
 * Starts it in dir with further arguments ("--bearer", "key", ...; NULL-ended, may be NULL) and waits until it listens. A second one in the
 * same folder adds to what the first has received, but remembers none of it.
 */
void mr_peer_start(struct mr_peer *peer, const char *dir, const char *const *args);
/* The same at the port of one that was stopped. */
void mr_peer_restart(struct mr_peer *peer, const char *const *args);
void mr_peer_stop(struct mr_peer *peer);

/*
 * The requests so far, in order, of one kind ("message", "charge", "lookup", "plain"; NULL: all): an array, the caller's. What a line holds
 * is written at the head of tests/peers/web.py.
 */
json_t *mr_peer_requests(const struct mr_peer *peer, const char *kind);
size_t mr_peer_count(const struct mr_peer *peer, const char *kind);
/*
 * How often something was really done for this key (an Idempotency-Key or metadata[uuid]; NULL: for any): replays and refusals do not
 * count. More than one for a key is a message sent twice, a card charged twice.
 */
size_t mr_peer_effects(const struct mr_peer *peer, const char *kind, const char *key);
/* How many connections carried these requests, and how many were under way at once. */
size_t mr_peer_connections(const struct mr_peer *peer, const char *kind);
size_t mr_peer_most_open(const struct mr_peer *peer, const char *kind);

#endif
