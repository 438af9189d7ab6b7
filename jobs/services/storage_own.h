/* What the kinds of storage share: the front in storage.c, which checks keys, buffers and sums, and a kind behind it. */
#ifndef MR_JOBS_SERVICES_STORAGE_OWN_H
#define MR_JOBS_SERVICES_STORAGE_OWN_H

#include "jobs/services/storage.h"

#include <openssl/evp.h>

enum {
    MR_STORAGE_KEY_MAX = 200, /* so that a half-written file's name stays below NAME_MAX */
    MR_STORAGE_BUFFER_BYTES = 65536
};

/* One kind of storage; keys have been checked. Codes as in storage.h. */
struct mr_storage_kind {
    enum mr_code (*open)(const json_t *section, struct mr_storage **out, struct mr_err *err);
    void (*close)(struct mr_storage *storage);
    /* Calls mr_storage_file_init. */
    enum mr_code (*create)(struct mr_storage *storage, const char *key, struct mr_job *job,
                           struct mr_storage_file **out, struct mr_err *err);
    enum mr_code (*write)(struct mr_storage_file *file, const char *bytes, size_t len,
                          struct mr_err *err);
    enum mr_code (*keep)(struct mr_storage_file *file, struct mr_err *err);
    /* After keep too, and after a failure: frees what the kind holds, and undoes what was not kept. */
    void (*drop)(struct mr_storage_file *file);
    enum mr_code (*find)(struct mr_storage *storage, const char *key, struct mr_job *job,
                         uint64_t *out_bytes, struct mr_err *err);
    enum mr_code (*read)(struct mr_storage *storage, const char *key, struct mr_job *job,
                         uint64_t max_bytes, mr_storage_bytes_fn *on_bytes, void *arg,
                         struct mr_err *err);
    enum mr_code (*remove)(struct mr_storage *storage, const char *key, struct mr_job *job,
                           struct mr_err *err);
    enum mr_code (*link)(struct mr_storage *storage, const char *key, unsigned seconds,
                         char **out, struct mr_err *err);
    unsigned (*sweep)(struct mr_storage *storage, uint64_t min_age_ms); /* NULL: nothing to */
};

extern const struct mr_storage_kind mr_storage_disk, mr_storage_s3;

/* The beginning of every kind's storage. */
struct mr_storage {
    const struct mr_storage_kind *kind;
    char *name;
    bool (*cancelled)(const struct mr_job *job); /* NULL: nobody here cancels jobs */
    void (*count)(struct mr_host *host, const char *name, uint64_t n); /* NULL: nobody does */
    struct mr_host *host;
};

/* The beginning of every kind's file. */
struct mr_storage_file {
    struct mr_storage *storage;
    struct mr_job *job;
    char key[MR_STORAGE_KEY_MAX + 1];
    EVP_MD_CTX *sha256;
    struct mr_err trouble; /* after which nothing may follow; MR_OK: none */
    uint64_t written;
    size_t held;
    char buffer[MR_STORAGE_BUFFER_BYTES];
};

/* file is zeroed memory of the kind's, which its drop frees. */
void mr_storage_file_init(struct mr_storage_file *file, struct mr_storage *storage,
                          const char *key, struct mr_job *job);
/* MR_ETIMEDOUT when who waits for it should give up. */
enum mr_code mr_storage_cancelled(const struct mr_storage *storage, const struct mr_job *job,
                                  struct mr_err *err);
/* A file of that size is more than was asked for: MR_EINVAL. */
enum mr_code mr_storage_check_size(const struct mr_storage *storage, const char *key,
                                   uint64_t bytes, uint64_t max_bytes, struct mr_err *err);
/* Adds n to the counter of that name, where somebody counts. */
void mr_storage_count(const struct mr_storage *storage, const char *name, uint64_t n);
enum mr_code mr_storage_missing(const struct mr_storage *storage, const char *key,
                                struct mr_err *err);

#endif
