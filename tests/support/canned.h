/* A peer that speaks prepared bytes: what no HTTP library would say. One connection after the other, on a thread of its own. */
#ifndef MR_TESTS_CANNED_H
#define MR_TESTS_CANNED_H

#include <pthread.h>

enum { MR_CANNED_MAX = 16 };

/*
 * The n-th request gets the n-th reply, the last one all that follow: sent as it is; "" hangs up without a word. A reply that ends in
 * MR_CANNED_BYE is followed by the end of the connection.
 */
#define MR_CANNED_BYE "\x01"

struct mr_canned {
    int port;
    const char *replies[MR_CANNED_MAX];
    unsigned n_replies;
    int listener;
    unsigned n_requests, n_connections; /* to be read when it has been stopped */
    char requests[MR_CANNED_MAX][2048]; /* their heads and bodies, NUL-ended */
    pthread_t thread;
};

/* replies: NULL-ended. */
void mr_canned_start(struct mr_canned *canned, const char *const *replies);
void mr_canned_stop(struct mr_canned *canned);

/* A socket that listens on a fresh port of 127.0.0.1. */
int mr_canned_listen(int *out_port);

#endif
