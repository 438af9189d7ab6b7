/* The control API as both of its sides know it: the routes, how a path is made and read, how an error is written. */
#ifndef MR_PROTO_API_H
#define MR_PROTO_API_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define MR_API_PARAMS 2 /* of a path, at most */
#define MR_API_PROBLEM "application/problem+json"

enum mr_api_call {
    MR_API_HEALTH,
    MR_API_READY,
    MR_API_METRICS,
    MR_API_STATUS,
    MR_API_POOLS,
    MR_API_QUEUES,
    MR_API_JOBS,
    MR_API_CONFIG,
    MR_API_SCALE,
    MR_API_PAUSE,
    MR_API_RESUME,
    MR_API_PUSH,
    MR_API_DEAD_LIST,
    MR_API_DEAD_SHOW,
    MR_API_DEAD_RETRY,
    MR_API_DEAD_DROP,
    MR_API_CANCEL,
    MR_API_DRAIN,
    MR_API_RESTART,
    MR_API_RELOAD,
    MR_API_CALLS
};

/* One row is all there is to know of a call; server and client read the same table. */
struct mr_api_route {
    const char *method;
    const char *path; /* "/api/v1/queues/{queue}/pause": a segment in braces is a parameter */
    bool open;        /* answers without a token */
    const char *doc;
};

const struct mr_api_route *mr_api_route(enum mr_api_call call);

/* What a request line asks for. params are decoded and owned. */
struct mr_api_match {
    enum mr_api_call call;
    char *params[MR_API_PARAMS];
    char allow
        [64]; /* only with MR_EREFUSED: the methods this path knows, for the Allow header */
};

/*
 * Finds the route of a raw path (no query, still percent-encoded). HEAD is answered as GET. MR_ENOTFOUND: no
 * such path (404); MR_EREFUSED: not with this method (405), allow is filled in; MR_EINVAL: a bad escape (400).
 */
enum mr_code mr_api_match(const char *method, const char *path, struct mr_api_match *out);
void mr_api_match_fini(struct mr_api_match *match);

/* Appends the path of call with its parameters encoded; those that the pattern does not name are not read. */
void mr_api_path(enum mr_api_call call, const char *const params[MR_API_PARAMS],
                 struct mr_buf *out);

/* Appends text with everything but unreserved characters as %XX (RFC 3986). */
void mr_api_escape(const char *text, struct mr_buf *out);
/* Decodes in place what was percent-encoded; false when an escape is broken or hides a NUL. */
bool mr_api_unescape(char *text);

/* "Not Found" of 404. */
const char *mr_api_status_text(int status);
/* Appends an error as RFC 9457 writes it: type, title, status, detail. */
void mr_api_problem(int status, const char *detail, struct mr_buf *out);

#endif
