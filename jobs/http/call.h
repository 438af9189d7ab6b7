/* The request an http.call asks for, checked; and what its answer means for the job. Pure: sends nothing. */
#ifndef MR_JOBS_HTTP_CALL_H
#define MR_JOBS_HTTP_CALL_H

#include "jobs/services/http_client.h"
#include "proto/outcome.h"

#include <jansson.h>

enum { MR_CALL_STATUSES = 32 };

/* Owned, but for url, which is data's. */
struct mr_call {
    const char *url;
    char method[8];
    char **headers; /* "Name: value", NULL-ended */
    unsigned n_headers;
    struct mr_bytes body; /* at NULL: none */
    long expect[MR_CALL_STATUSES];
    unsigned n_expect; /* 0: any 2xx */
    uint64_t timeout_ms;
};

/*
 * Reads data {url, method?, headers?, json?, expect?, timeout_s?}; raw is the same as it was pushed, so that json leaves byte for byte as
 * it came. What the framing and the connection need, and X-Service-Token, which is the configuration's, no job may set; Authorization is a job's own. uuid ("" for none)
 * goes along as Idempotency-Key unless data has such a header. MR_EINVAL: what is wrong, with the member's name.
 */
enum mr_code mr_call_read(json_t *data, struct mr_bytes raw, const char *uuid,
                          uint64_t default_timeout_ms, struct mr_call *out, struct mr_err *err);
void mr_call_fini(struct mr_call *call);

/* roll: a uniform number, for the jitter of coming back. */
struct mr_outcome mr_call_outcome(const struct mr_call *call,
                                  const struct mr_http_answer *answer, uint32_t roll);
/* The counter that such an answer adds to: "http_success", "http_unknown", ... */
const char *mr_call_counter(const struct mr_http_answer *answer);

#endif
