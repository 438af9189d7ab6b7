/*
 * One object on its way into a bucket. What was written waits in a file on the local disk until it is a part; a small object goes in one
 * request, a larger one part by part, each of which can be sent again. Nothing is seen in the bucket before it is kept.
 */
#ifndef MR_JOBS_SERVICES_S3_UPLOAD_H
#define MR_JOBS_SERVICES_S3_UPLOAD_H

#include "jobs/services/s3_bucket.h"

struct mr_s3_upload;

/* spool: the folder of the file that waits, which has no name there and ends with the process. place is a borrow. */
enum mr_code mr_s3_upload_begin(struct mr_s3_bucket *bucket, const char *place,
                                const char *spool, uint64_t part_bytes, struct mr_job *job,
                                struct mr_s3_upload **out, struct mr_err *err);
enum mr_code mr_s3_upload_write(struct mr_s3_upload *upload, const char *bytes, size_t len,
                                struct mr_err *err);
enum mr_code mr_s3_upload_keep(struct mr_s3_upload *upload, struct mr_err *err);
/* Also after keep: what was not kept is taken back. NULL is accepted. */
void mr_s3_upload_end(struct mr_s3_upload *upload);

#endif
