/*
 * HTTP for handlers: libcurl's multi interface on the worker's loop. Connections are reused; how many requests one peer gets at
 * once and in a second is bounded before a request enters curl, whose own queue lets time-outs run; and a peer that fails again
 * and again is left alone for a while.
 */
#ifndef MR_JOBS_SERVICES_HTTP_CLIENT_H
#define MR_JOBS_SERVICES_HTTP_CLIENT_H

#include "jobs/services/http_limits.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_host;
struct mr_job;
struct mr_http_client; /* one per process, shared by all modules */
struct mr_http_call;   /* one exchange under way */

/* What is known of an exchange when it is over. Whether a status is good or bad is the caller's to say. */
enum mr_http_end {
    MR_HTTP_ANSWERED, /* a whole answer came: status, headers, body */
    MR_HTTP_NOT_SENT, /* nothing left: no address, no connection, no trusted TLS, time ran out before: trying again is harmless */
    MR_HTTP_HELD, /* held back here, so nothing left: the peer's circuit is open, or its turn would come too late; retry_after_ms says when to come back */
    MR_HTTP_REFUSED, /* refused here, and always will be, and nothing was done: bad url, an address that jobs may not call, a redirect out of https */
    MR_HTTP_UNKNOWN /* it left, at least in part, and no whole answer came: the peer may have done it */
};

struct mr_http_request {
    const char *method; /* NULL: GET, or POST with a body */
    const char *url;    /* http:// or https://, nothing else */
    const char *const *
        headers; /* "Name: value", NULL-ended, or NULL; a line end in one refuses the request */
    struct mr_bytes body;            /* at NULL: none */
    const char *username, *password; /* basic authentication; NULL: none */
    const char *bearer;              /* token of an Authorization header; NULL: none */
    const char *ca_file;             /* NULL: the system's authorities */
    unsigned
        peer_max; /* exchanges with this scheme, host and port at once; 0: 20. The rest wait here, in order */
    struct mr_http_limits limits;
    uint64_t timeout_ms; /* from its turn to the last byte of the answer, redirects included */
    size_t body_max;     /* the answer is read so far, then given as it is with truncated set */
    /* 0: a redirect is an answer like any other. One that may not be followed is REFUSED, or UNKNOWN where the method was no safe one. */
    unsigned redirects_max;
    bool
        from_payload; /* the url came with a job: only public addresses and those of allow are called */
    const char *const *allow; /* with from_payload: "10.1.0.0/16", "::1", NULL-ended, or NULL */
};

struct mr_http_answer {
    enum mr_http_end end;
    long status; /* ANSWERED: 100..599; else 0 */
    struct mr_bytes body;
    bool truncated;
    /* ANSWERED: of Retry-After, seconds or date, at most a day; HELD: at most an hour; -1 when there is none. */
    int64_t retry_after_ms;
    struct mr_buf headers; /* of the last answer: "Name: value" lines, each with its \r\n */
    char trouble[300];     /* unless ANSWERED: for a person; no secret, no query string */
};

/* Borrowed until it returns. On the loop's thread, never inside mr_http_send. */
typedef void mr_http_done_fn(void *arg, const struct mr_http_answer *answer);

/* The process' client, opened by the first who asks. Only in a handler's open. It closes itself with the process. */
enum mr_code mr_http_client_get(struct mr_host *host, struct mr_http_client **out,
                                struct mr_err *err);

/*
 * Begins an exchange; everything of request is copied. done comes exactly once, later, from the loop, whatever happens. The
 * call is a borrow that ends with done. On the loop's thread.
 */
struct mr_http_call *mr_http_send(struct mr_http_client *client,
                                  const struct mr_http_request *request, mr_http_done_fn *done,
                                  void *arg);
/* Gives up: done comes soon, with NOT_SENT or UNKNOWN. */
void mr_http_cancel(struct mr_http_call *call);

/*
 * The same for a run handler: blocks the calling thread, which must not be the loop's, until the exchange is over or job (may be NULL) is
 * cancelled. out is the caller's: mr_http_answer_fini.
 */
void mr_http_exchange(struct mr_http_client *client, const struct mr_http_request *request,
                      struct mr_job *job, struct mr_http_answer *out);
void mr_http_answer_fini(struct mr_http_answer *answer);

/*
 * The host and the port that url names, as the client would call them: a host that is a number as an address, IPv6 without its brackets. The
 * caller frees out_host. MR_EINVAL when the client would refuse it: err says why, without a piece of it.
 */
enum mr_code mr_http_url_host(const char *url, char **out_host, unsigned *out_port,
                              struct mr_err *err);

/* The value of the answer's first header of that name, without blanks around it; at NULL when there is none. */
struct mr_bytes mr_http_header(const struct mr_http_answer *answer, const char *name);

#endif
