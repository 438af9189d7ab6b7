/* A real SMTP server of a test's own (tests/peers/smtp.py), and what it received. */
#ifndef MR_TESTS_SINK_H
#define MR_TESTS_SINK_H

#include "tests/support/peer.h"

/* Starts it as mr_peer_run does; mr_peer_stop ends it. */
void mr_sink_start(struct mr_peer *sink, const char *dir, const char *const *args);
/* How many mails it has taken; mr_peer_lines gives them. */
size_t mr_sink_count(const struct mr_peer *sink);
/* Over how many connections they came. */
size_t mr_sink_connections(const struct mr_peer *sink);
/* Makes a key and a certificate for 127.0.0.1 that vouches for itself: dir/name.key, dir/name.crt. */
void mr_sink_certify(const char *dir, const char *name);

#endif
