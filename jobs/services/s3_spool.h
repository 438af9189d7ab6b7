/* What of an upload is not in the bucket yet: a file on the local disk that has no name and ends with the process, and the sum of what is in it. */
#ifndef MR_JOBS_SERVICES_S3_SPOOL_H
#define MR_JOBS_SERVICES_S3_SPOOL_H

#include "jobs/services/s3_sign.h"
#include "proto/base/err.h"

#include <openssl/evp.h>

/* place, a borrow, is for messages. Failures are MR_EIO. */
struct mr_s3_spool {
    const char *place;
    int fd; /* -1: none */
    uint64_t bytes;
    EVP_MD_CTX *sha256;
};

/* fini it also when this fails. */
enum mr_code mr_s3_spool_init(struct mr_s3_spool *spool, const char *folder, const char *place,
                              struct mr_err *err);
void mr_s3_spool_fini(struct mr_s3_spool *spool);
enum mr_code mr_s3_spool_write(struct mr_s3_spool *spool, const char *bytes, size_t len,
                               struct mr_err *err);
/* Of all bytes since it was empty; once. */
void mr_s3_spool_sum(struct mr_s3_spool *spool, char out[MR_S3_HEX_ROOM]);
/* The room that they had is given back at once. */
enum mr_code mr_s3_spool_empty(struct mr_s3_spool *spool, struct mr_err *err);

#endif
