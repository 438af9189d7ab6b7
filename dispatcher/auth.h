/* Who may ask what: the checks that a request passes before its body is read. Pure. */
#ifndef MR_DISPATCHER_AUTH_H
#define MR_DISPATCHER_AUTH_H

#include "proto/base/err.h"

#include <stdbool.h>

/* What the server was told at its start; all owned. */
struct mr_access {
    char *token;       /* NULL: TCP serves the open routes alone */
    char *listen_host; /* of control.listen */
    char *own_host;    /* this machine's name */
};

/* What a request says of itself; all borrowed, NULL where a header is missing. */
struct mr_claim {
    bool local; /* came by the unix socket, whose peer has been checked */
    bool open;  /* the route answers without a token */
    const char *method, *host, *origin, *fetch_site, *authorization;
    unsigned n_content_lengths, n_hosts;
    bool has_transfer_encoding;
};

/*
 * 0: go on. Else the HTTP status to refuse with, and why in a sentence:
 * 400 two readings of where the body ends, or two hosts; 421 a host name that is not ours (a page that rebinds
 * its DNS name to us); 403 a browser's request from another site; 401 no or a wrong token.
 */
int mr_access_check(const struct mr_access *access, const struct mr_claim *claim,
                    struct mr_err *why);

/* Whether the process at the other end may ask: root or our own user. */
bool mr_access_peer_allowed(int fd);

/* Equal or not in a time that depends on the length of given alone. */
bool mr_access_same_token(const char *token, const char *given);

void mr_access_fini(struct mr_access *access);

#endif
