/* A real SMTP server of a test's own (tests/peers/smtp.py), and what it received. */
#ifndef MR_TESTS_SINK_H
#define MR_TESTS_SINK_H

#include "tests/support/proc.h"

#include <jansson.h>

struct mr_sink {
    struct mr_proc proc;
    int in; /* its standard input: it serves until that ends */
    int port;
    char out[128]; /* the mails, one JSON object a line */
};

/*
 * Starts it in dir with further arguments ("--tls", ...; NULL-ended, may be NULL) and waits until it listens. A second one in the same
 * folder adds to what the first has received.
 */
void mr_sink_start(struct mr_sink *sink, const char *dir, const char *const *args);
void mr_sink_stop(struct mr_sink *sink);
/* The mails so far, in order: an array, the caller's. */
json_t *mr_sink_mails(const struct mr_sink *sink);
size_t mr_sink_count(const struct mr_sink *sink);
/* Makes a key and a certificate for 127.0.0.1 that vouches for itself: dir/name.key, dir/name.crt. */
void mr_sink_certify(const char *dir, const char *name);

#endif
