/* Files that jobs make, on a local disk: a file is there whole, or not at all. Any thread. */
#ifndef MR_JOBS_SERVICES_STORAGE_H
#define MR_JOBS_SERVICES_STORAGE_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_storage;
struct
    mr_storage_file; /* one that is being written: owned by who made it, until kept or dropped */

/* path is made when missing (0750). MR_EINVAL when it is NULL, MR_EIO when it cannot be used: err names it. */
enum mr_code mr_storage_open(const char *path, struct mr_storage **out, struct mr_err *err);
void mr_storage_close(struct mr_storage *storage);

/*
 * Begins the file of key ("invoices/INV/000001.pdf"): names of [A-Za-z0-9_.-], none of them beginning with a dot, parted by slashes, at most 200 bytes in all; else
 * MR_EINVAL. Folders are made; no symbolic link is followed below path. Nothing is seen under key before mr_storage_keep.
 * The first file also sweeps what killed processes left an hour ago: so begin it on a thread.
 */
enum mr_code mr_storage_create(struct mr_storage *storage, const char *key,
                               struct mr_storage_file **out, struct mr_err *err);
/* Buffered. MR_EIO: a full disk or the like; the file can only be dropped then. */
enum mr_code mr_storage_write(struct mr_storage_file *file, const void *bytes, size_t len,
                              struct mr_err *err);
uint64_t mr_storage_written(const struct mr_storage_file *file); /* bytes so far */
/* On the disk (fsync), then under its name, replacing an older one; takes file, also when it fails. */
enum mr_code mr_storage_keep(struct mr_storage_file *file, struct mr_err *err);
/* Away with it; takes file. NULL is accepted. */
void mr_storage_drop(struct mr_storage_file *file);

/* Whether there is a file of that key, and how large; out_bytes may be NULL. */
bool mr_storage_has(struct mr_storage *storage, const char *key, uint64_t *out_bytes);
/* Removes what earlier processes left half-written, if older than min_age_ms. Returns how many. */
unsigned mr_storage_sweep(struct mr_storage *storage, uint64_t min_age_ms);

#endif
