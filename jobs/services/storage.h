/*
 * Files that jobs make, by key, on a local disk or in a bucket of S3, as the configuration says: a file is there whole, or not at all.
 * Any thread but the loop's: whatever reaches a disk or a server may block.
 */
#ifndef MR_JOBS_SERVICES_STORAGE_H
#define MR_JOBS_SERVICES_STORAGE_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_host;
struct mr_job;
struct mr_storage;
struct
    mr_storage_file; /* one that is being written: owned by who made it, until kept or dropped */

enum { MR_STORAGE_LINK_MAX_S = 7 * 24 * 3600 };

/* What is known of a file that was kept. */
struct mr_storage_kept {
    uint64_t bytes;
    char sha256[65]; /* of all its bytes, in hexadecimal digits */
};

/*
 * The process' storage, opened by the first who asks, closed with the process. Only in a handler's open. MR_EINVAL: the section storage
 * is not complete; MR_EIO: its folder cannot be used. No server is asked.
 */
enum mr_code mr_storage_get(struct mr_host *host, struct mr_storage **out, struct mr_err *err);
/* One of the caller's own, of such a section, which must outlive it; NULL is an empty one. Fails as mr_storage_get. */
enum mr_code mr_storage_open(const json_t *section, struct mr_storage **out,
                             struct mr_err *err);
void mr_storage_close(struct mr_storage *storage);
/* "storage.path /data" or "storage.s3 https://host/bucket", for messages. A borrow. */
const char *mr_storage_name(const struct mr_storage *storage);

/*
 * Codes of all that follow, besides MR_OK:
 * MR_EINVAL     the key, or what else was given, is wrong
 * MR_ENOTFOUND  there is no such file (find, read)
 * MR_EDOWN      the server cannot be reached or asks to come later; it was tried some times
 * MR_EFAULT     the server will not serve us as configured: a bad key or secret, no such bucket
 * MR_EIO        the disk is full or broken, or the quota is reached
 * MR_ETIMEDOUT  job was cancelled meanwhile; job may be NULL everywhere
 * MR_EUNKNOWN   (keep) the server may have the file: make it again
 * Where one fails nothing is seen under the key but what stood there before, MR_EUNKNOWN excepted.
 */

/*
 * Begins the file of key ("invoices/INV/000001.pdf"): names of [A-Za-z0-9_.-], none of them beginning with a dot, parted by slashes, at most 200 bytes in all; else
 * MR_EINVAL. On a disk folders are made, and no symbolic link is followed below storage.path. Nothing is seen under key before mr_storage_keep.
 * The first file also sweeps what killed processes left an hour ago. job is borrowed until the file is kept or dropped.
 */
enum mr_code mr_storage_create(struct mr_storage *storage, const char *key, struct mr_job *job,
                               struct mr_storage_file **out, struct mr_err *err);
/* Buffered, in a bounded piece of memory. After a failure the file can only be dropped. */
enum mr_code mr_storage_write(struct mr_storage_file *file, const void *bytes, size_t len,
                              struct mr_err *err);
uint64_t mr_storage_written(const struct mr_storage_file *file); /* bytes so far */
/*
 * On the disk (fsync) or in the bucket, then under its name, replacing an older one; takes file, also when it fails. out may be NULL.
 */
enum mr_code mr_storage_keep(struct mr_storage_file *file, struct mr_storage_kept *out,
                             struct mr_err *err);
/* Away with it; takes file. NULL is accepted. */
void mr_storage_drop(struct mr_storage_file *file);

/* Whether there is a file of that key, and how large; out_bytes may be NULL. */
enum mr_code mr_storage_find(struct mr_storage *storage, const char *key, struct mr_job *job,
                             uint64_t *out_bytes, struct mr_err *err);

/* Gets the bytes in order, in pieces of its giver's choice. Another code than MR_OK ends the reading with that code. */
typedef enum mr_code mr_storage_bytes_fn(void *arg, const void *bytes, size_t len,
                                         struct mr_err *err);

/*
 * Gives the file's bytes to on_bytes, on this thread. MR_EINVAL before the first byte when it is larger than max_bytes. When it fails later, on_bytes
 * may have had a part.
 */
enum mr_code mr_storage_read(struct mr_storage *storage, const char *key, struct mr_job *job,
                             uint64_t max_bytes, mr_storage_bytes_fn *on_bytes, void *arg,
                             struct mr_err *err);
/* MR_OK also when there is none. */
enum mr_code mr_storage_remove(struct mr_storage *storage, const char *key, struct mr_job *job,
                               struct mr_err *err);

/*
 * A link by which anybody gets the file for this many seconds, at most a week; the caller frees it. It does not look whether the file is there. Files on a
 * disk have one below storage.url, which does not end; MR_EFAULT where that is not configured.
 */
enum mr_code mr_storage_link(struct mr_storage *storage, const char *key, unsigned seconds,
                             char **out, struct mr_err *err);

/* Puts a small file, looks for it, reads and removes it: whether all that works. */
enum mr_code mr_storage_probe(struct mr_storage *storage, struct mr_err *err);

/* Removes from a disk what earlier processes left half-written, if older than min_age_ms. Returns how many. */
unsigned mr_storage_sweep(struct mr_storage *storage, uint64_t min_age_ms);

#endif
