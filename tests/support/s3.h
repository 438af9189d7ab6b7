/* A bucket of a test's own: the server of tests/peers/s3.js, which holds every signature against Amazon's own signer. */
#ifndef MR_TESTS_S3_H
#define MR_TESTS_S3_H

#include "tests/support/peer.h"

#define MR_S3_BUCKET "shop"
#define MR_S3_SECRET "s3cret/CANARY+w9" /* in no log, no error and no letter */

struct mr_s3_peer {
    struct mr_peer peer;
    char store[128];   /* its objects */
    char spool[128];   /* for who uploads */
    char options[640]; /* the configuration's storage.s3, a flow mapping */
};

/* args: further arguments of the server, as faults ("--fault", "put=slowdown:2"); NULL-ended, may be NULL. */
void mr_s3_start(struct mr_s3_peer *s3, const char *dir, const char *const *args);
void mr_s3_stop(struct mr_s3_peer *s3);

/* How many requests of this operation came (NULL: any); and how many of them did something. */
size_t mr_s3_count(const struct mr_s3_peer *s3, const char *op);
size_t mr_s3_effects(const struct mr_s3_peer *s3, const char *op);
/* How many of them were answered with this error. */
size_t mr_s3_refusals(const struct mr_s3_peer *s3, const char *op, const char *error);
/* The last request of this operation: a reference of the caller's; fails the test when there is none. */
json_t *mr_s3_last(const struct mr_s3_peer *s3, const char *op);
/* Objects in the bucket, and parts of uploads that nobody ended. */
size_t mr_s3_objects(const struct mr_s3_peer *s3);
size_t mr_s3_parts(const struct mr_s3_peer *s3);
/* The file that holds the object of this name. */
void mr_s3_object(const struct mr_s3_peer *s3, const char *name, char *out, size_t room);

#endif
