/* A real server of a test's own, of those in tests/peers, and what it received; above all the one that speaks HTTP. */
#ifndef MR_TESTS_PEER_H
#define MR_TESTS_PEER_H

#include "tests/support/proc.h"

#include <jansson.h>

/* Any program of tests/peers while it runs. */
struct mr_peer {
    struct mr_proc proc;
    int in; /* its standard input: it serves until that ends */
    int port;
    char out[128]; /* what it received, one JSON object a line */
};

/*
 * Starts a program of tests/peers, in Python or JavaScript by its name's end, that writes to dir/name, with further arguments ("--tls", ...; NULL-ended, may be NULL), and waits
 * until it listens: on a fresh port, or on the bound socket fd unless that is -1. A second one that writes to the same file adds to it.
 */
void mr_peer_run(struct mr_peer *peer, const char *program, const char *dir, const char *name,
                 int fd, const char *const *args);
void mr_peer_stop(struct mr_peer *peer);
/* What it received so far, in order: an array, the caller's. */
json_t *mr_peer_lines(const struct mr_peer *peer);

/* ---- web.py: messages, payments, plain paths and faults ---- */

void mr_peer_start(struct mr_peer *peer, const char *dir, const char *const *args);
/* A new one at the port of one that was stopped; it remembers nothing of what that did. */
void mr_peer_restart(struct mr_peer *peer, const char *const *args);
/*
 * The requests so far, in order, of one kind ("message", "charge", "lookup", "refund", "refund-lookup", "plain"; NULL: all): an array, the caller's. What a line holds
 * is written at the head of tests/peers/web.py.
 */
json_t *mr_peer_requests(const struct mr_peer *peer, const char *kind);
/* A member of what the peer saw of the n-th of these requests, or one of its headers; "(none)" when there is none. */
const char *mr_peer_seen(json_t *requests, size_t n, const char *name);
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
