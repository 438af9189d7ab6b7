/*
 * AWS Signature Version 4 as S3 wants it, by its documentation ("Authenticating Requests"). Pure: no clock, no socket. What is sent must be
 * spelled as it is signed, so the target of a request is made here too.
 */
#ifndef MR_JOBS_SERVICES_S3_SIGN_H
#define MR_JOBS_SERVICES_S3_SIGN_H

#include "proto/base/str.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    MR_S3_DATE_ROOM = sizeof("20130524T000000Z"),
    MR_S3_HEX_ROOM = 65,
    MR_S3_HEADERS_MAX = 12
};

#define MR_S3_UNSIGNED "UNSIGNED-PAYLOAD"
/* SHA-256 of no bytes. */
#define MR_S3_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Who asks. All are borrows; token is NULL where there is none. */
struct mr_s3_identity {
    const char *key, *secret, *token, *region;
};

/* A member of a query, or a header with its name in lower case. As it is meant, not as it is spelled. */
struct mr_s3_pair {
    const char *name, *value;
};

/* What is asked, as far as it is signed. All are borrows. */
struct mr_s3_ask {
    const char *method;
    const char *host; /* as in the header: with the port where that is not the scheme's own */
    const char *path; /* "/key" or "/bucket/key", not encoded */
    const struct mr_s3_pair *query;
    size_t n_query;
    const struct mr_s3_pair
        *headers; /* beside host and x-amz-date, -content-sha256, -security-token; at most 8 */
    size_t n_headers;
    const char *sha256; /* of the body, in hexadecimal digits, or MR_S3_UNSIGNED */
};

/* "20130524T000000Z" */
void mr_s3_date(time_t at, char out[MR_S3_DATE_ROOM]);
void mr_s3_sha256(const void *bytes, size_t len, char out[MR_S3_HEX_ROOM]);

/* Path and query, encoded: what stands behind the host in a url. Adds to out. */
void mr_s3_target(const struct mr_s3_ask *ask, struct mr_buf *out);
/*
 * The value of the header Authorization. Signed besides ask->headers, and so to be sent: host, x-amz-content-sha256, x-amz-date (date) and, where there is
 * a token, x-amz-security-token. Adds to out.
 */
void mr_s3_sign(const struct mr_s3_identity *who, const struct mr_s3_ask *ask, const char *date,
                struct mr_buf *out);
/* Path and query of a link that is good for so many seconds from date on; nothing but host is signed besides. Adds to out. */
void mr_s3_presign(const struct mr_s3_identity *who, const struct mr_s3_ask *ask,
                   const char *date, unsigned seconds, struct mr_buf *out);

#endif
