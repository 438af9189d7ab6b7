/* One HTTP request of a test, over a unix socket or loopback TCP, and what came back. */
#ifndef MR_TESTS_HTTP_H
#define MR_TESTS_HTTP_H

#include "proto/base/str.h"

#include <jansson.h>

struct mr_http {
    const char *socket; /* path of a unix socket; NULL: TCP, and url names host and port */
    const char *url;    /* "http://localhost/health", "http://127.0.0.1:9090/metrics" */
    const char *method; /* NULL: GET, or POST with a body */
    const char *body;   /* NULL: none; sent as application/json */
    const char *token;  /* bearer; NULL: none */
};

struct mr_http_reply {
    long status; /* 0: no connection, or none within 10 s */
    char content_type[96];
    struct mr_buf body; /* NUL-ended */
};

/* Never fails the test: a server that is not there is status 0. out must be given to mr_http_reply_fini. */
void mr_http_ask(const struct mr_http *request, struct mr_http_reply *out);
void mr_http_reply_fini(struct mr_http_reply *answer);

/* GET path over a unix socket; the status alone, 0 when nobody answers. */
long mr_http_status(const char *socket, const char *path);
/*
 * One request over a unix socket whose answer must have this status (the test fails otherwise, showing the body) and be
 * JSON, or empty (NULL); a new reference.
 */
json_t *mr_http_json(const char *socket, const char *method, const char *path, const char *body,
                     long status);

#endif
