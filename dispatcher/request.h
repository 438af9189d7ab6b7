/* One HTTP request, from its first header to its answer, which comes at once or later. */
#ifndef MR_DISPATCHER_REQUEST_H
#define MR_DISPATCHER_REQUEST_H

#include "dispatcher/auth.h"
#include "proto/api.h"
#include "proto/base/list.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>

struct mr_dispatcher;
struct mr_request;
struct mr_sizes;

/* What all requests that come by one socket have in common; borrowed by them. */
struct mr_request_source {
    struct mr_dispatcher *dispatcher;
    struct mr_sizes *sizes;
    const struct mr_access *access;
    struct mr_list *held; /* requests whose answer is still to come */
    bool local;           /* the unix socket */
    /* Called when head and body are in: answers, or holds the request. */
    void (*run)(struct mr_request *request, enum mr_api_call call);
    void (*resumed)(void *arg); /* a held request has its answer: turn the server soon */
    void *arg;
};

/* ---- for the routes ---- */

struct mr_dispatcher *mr_request_dispatcher(const struct mr_request *request);
struct mr_sizes *mr_request_sizes(const struct mr_request *request);
const char *mr_request_param(const struct mr_request *request, unsigned i); /* decoded */
struct mr_bytes mr_request_body(const struct mr_request *request);
/* A query parameter, decoded, owned by the caller; NULL when it is missing or its escapes are broken. */
char *mr_request_query(const struct mr_request *request, const char *name);

/* The answer comes later: exactly one of the answers below must follow. */
void mr_request_hold(struct mr_request *request);
/* True when nobody waits for the answer any more (the server stops): give up early, but still answer. */
bool mr_request_is_gone(const struct mr_request *request);

/* Answers. After one of these a held request may be gone. */
void mr_request_json(struct mr_request *request, int status, json_t *taken);
void mr_request_text(struct mr_request *request, int status, const char *type,
                     struct mr_buf *taken);
void mr_request_problem(struct mr_request *request, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The problem that a failed step at Redis makes; what names it ("the push"). */
void mr_request_redis_problem(struct mr_request *request, enum mr_code code, const char *what);

/* ---- for the server: callbacks of libmicrohttpd, cls is the source ---- */

enum MHD_Result mr_request_on_access(void *cls, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *upload, size_t *upload_size, void **state);
void mr_request_on_completed(void *cls, struct MHD_Connection *connection, void **state,
                             enum MHD_RequestTerminationCode how);
/* The server stops: every held request hears it, 503 or, where it would have changed something, 504. */
void mr_request_abandon_all(struct mr_list *held);

#endif
