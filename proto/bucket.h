/* How a bucket of S3 may be called, and where its server may stand: for the configuration's check and for who asks that server. Pure. */
#ifndef MR_PROTO_BUCKET_H
#define MR_PROTO_BUCKET_H

#include "proto/base/err.h"

#include <stddef.h>

enum { MR_BUCKET_PREFIX_MAX = 200 };

/* The parts of an endpoint. host is a borrow of it. */
struct mr_bucket_endpoint {
    size_t scheme_len; /* "https" */
    const char *host;  /* "host" or "host:port" */
    size_t host_len;
};

/* MR_EINVAL and what is allowed, in words that go behind the option's name. out may be NULL. */
enum mr_code mr_bucket_check_name(const char *name, struct mr_err *err);
enum mr_code mr_bucket_check_prefix(const char *prefix, struct mr_err *err);
enum mr_code mr_bucket_read_endpoint(const char *endpoint, struct mr_bucket_endpoint *out,
                                     struct mr_err *err);

#endif
