/* Names that nobody else draws: UUIDv7 for jobs (RFC 9562), 128 random bits for worker incarnations. */
#ifndef MR_PROTO_BASE_UUID_H
#define MR_PROTO_BASE_UUID_H

#include <stddef.h>

#define MR_UUID_LEN 36
#define MR_WORKER_MAX 48 /* "<32 hex>-<K>" with its NUL fits */

/* What a uuid that we make or accept consists of: the keys of a letter's own fields add other characters to it. */
#define MR_UUID_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* A fresh UUIDv7, lower case, NUL-ended; later ones of one process sort behind earlier ones. */
void mr_uuid_make(char out[MR_UUID_LEN + 1]);

/* A worker incarnation "<32 hex>-<K>": K lease names per queue, so that any reaper can name them all. */
void mr_worker_make(char out[MR_WORKER_MAX], unsigned k_names);
/* K out of an incarnation; 0 if the text is none. */
unsigned mr_worker_names(const char *worker);

#endif
