/*
 * One bucket's API: signed requests, each repeated where that is harmless and may help. They run on libcurl's easy handles on the thread that asks: the process'
 * HTTP client copies each body and keeps each answer whole in memory, and files must not be there whole.
 */
#ifndef MR_JOBS_SERVICES_S3_BUCKET_H
#define MR_JOBS_SERVICES_S3_BUCKET_H

#include "jobs/services/s3_sign.h"
#include "jobs/services/storage_own.h"

struct mr_s3_bucket;

/* Of the section storage.s3, which must outlive it; storage is who asks whether a job is cancelled. MR_EINVAL: something is missing or wrong. */
enum mr_code mr_s3_bucket_open(const json_t *section, const struct mr_storage *storage,
                               struct mr_s3_bucket **out, struct mr_err *err);
void mr_s3_bucket_close(struct mr_s3_bucket *bucket);
/* "storage.s3 https://host/bucket" */
const char *mr_s3_bucket_name(const struct mr_s3_bucket *bucket);
/* key below storage.s3.prefix; the caller frees it. */
char *mr_s3_bucket_place(const struct mr_s3_bucket *bucket, const char *key);

/* One request. All are borrows. */
struct mr_s3_request {
    const char *method;
    const char *place; /* of the object; NULL: the bucket itself */
    const struct mr_s3_pair *query;
    size_t n_query;
    const char *content_type; /* NULL: none */
    struct mr_bytes text;     /* the body; at NULL: what is in fd */
    int fd;                   /* from its beginning; -1: no body */
    uint64_t fd_bytes;
    const char *sha256; /* of the body in fd */
    struct mr_job *job; /* may be NULL: nobody cancels it */
    bool once;          /* a single attempt, and a short one: nothing depends on it */
    /* For the bytes of a good answer. NULL: they are kept in the answer. Where the connection breaks it goes on behind what was given. */
    mr_storage_bytes_fn *on_bytes;
    void *arg;
    uint64_t max_bytes;
};

/* Zero-initialised before, mr_s3_answer_fini after. */
struct mr_s3_answer {
    long status;         /* of the last attempt; 0: none came */
    struct mr_buf body;  /* its first bytes, where they were not given to on_bytes */
    uint64_t bytes;      /* Content-Length of the whole object, as far as it was told */
    char etag[130];      /* with its quotes */
    char error[64];      /* "NoSuchKey"; "" for none */
    bool may_have_acted; /* an earlier attempt went out and its answer was lost */
};

/*
 * MR_OK on 2xx, else a code as in storage.h and one line that names S3's own. MR_EUNKNOWN: the request went out, at least in part, and no answer came. Blocks.
 */
enum mr_code mr_s3_do(struct mr_s3_bucket *bucket, const struct mr_s3_request *request,
                      struct mr_s3_answer *answer, struct mr_err *err);
void mr_s3_answer_fini(struct mr_s3_answer *answer);

/* A url by which anybody gets the object; the caller frees it. */
char *mr_s3_bucket_link(const struct mr_s3_bucket *bucket, const char *place, unsigned seconds);

#endif
