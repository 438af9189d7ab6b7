/* What s3_bucket.c, which decides, and s3_transfer.c, which moves bytes, know of each other. */
#ifndef MR_JOBS_SERVICES_S3_OWN_H
#define MR_JOBS_SERVICES_S3_OWN_H

#include "jobs/services/curl_pool.h"
#include "jobs/services/s3_bucket.h"

struct mr_s3_bucket {
    const struct mr_storage *storage;
    struct mr_curl_pool *curls;
    struct mr_s3_identity who;
    char *name;   /* for messages */
    char *origin; /* "https://bucket.host:port" */
    char *host;   /* as in the header */
    char *folder; /* of the bucket in a path: "/bucket", or "" where it is in the host */
    const char *prefix, *ca_file;
    uint64_t timeout_ms;
};

/* How one attempt ended, before anybody judges what was answered. */
enum mr_s3_end {
    MR_S3_ANSWERED,
    MR_S3_NOT_SENT, /* nothing of it left */
    MR_S3_LOST,     /* it left, at least in part, and no whole answer came */
    MR_S3_BROKEN    /* here: err says why, and no other attempt would do better */
};

/* One attempt. given: bytes that earlier attempts gave to on_bytes, and this one adds to. err is filled unless ANSWERED. */
enum mr_s3_end mr_s3_transfer(struct mr_s3_bucket *bucket, const struct mr_s3_request *request,
                              uint64_t *given, struct mr_s3_answer *answer, struct mr_err *err);
/* What of request is signed; path and headers are the caller's, of which there may be 4. */
struct mr_s3_ask mr_s3_ask_of(const struct mr_s3_bucket *bucket,
                              const struct mr_s3_request *request, const char *path);
/* The path of a place, the caller's. */
char *mr_s3_path(const struct mr_s3_bucket *bucket, const char *place);

#endif
