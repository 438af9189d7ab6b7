/* The envelope of a new job, in the form Laravel gives it: one writer for libmillrace, workerctl and the API. */
#ifndef MR_PROTO_COMPOSE_H
#define MR_PROTO_COMPOSE_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/envelope.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define MR_COMPOSE_UUID_MAX 101 /* with its NUL */

/* What a producer wants; everything is borrowed for the call. Begin with mr_compose_of, which sets all to "not said". */
struct mr_compose {
    const char *job;
    json_t *data;              /* NULL: see data_json */
    struct mr_bytes data_json; /* any JSON value as text, taken as it is; absent: null */
    const char *uuid;          /* [A-Za-z0-9_.-]{1,100}; NULL: a UUIDv7 is made */
    int64_t tries;             /* negative: not said, here and below; tries 0: unlimited */
    int64_t max_exceptions;
    int64_t timeout_s;         /* 0: none */
    int64_t retry_until_s;     /* unix */
    double expires_at_s;       /* unix; not started any more after it */
    const uint32_t *backoff_s; /* the n-th wait, then the last for ever */
    unsigned n_backoff;
    const char *const *tags;
    unsigned n_tags;
    const char *traceparent; /* W3C; NULL: none */
    bool fail_on_timeout;
    struct mr_limits limits; /* what the workers accept */
};

struct mr_compose mr_compose_of(const char *job, json_t *data);
/* Whether a new job may be called so. */
bool mr_compose_is_uuid(const char *uuid);

/*
 * Appends the envelope to out; out_uuid (NULL is allowed) gets its uuid. MR_EINVAL when a worker would refuse it
 * (bad job name, data that is no JSON, over the limits): err says why, and out and out_uuid are as they were.
 */
enum mr_code mr_compose_envelope(const struct mr_compose *compose, struct mr_buf *out,
                                 char out_uuid[MR_COMPOSE_UUID_MAX], struct mr_err *err);

#endif
