/* A disk's storage of a test's own, below a folder of its own. */
#ifndef MR_TESTS_SHELF_H
#define MR_TESTS_SHELF_H

#include "jobs/services/storage.h"

#include <jansson.h>
#include <stdbool.h>

/* Zero-initialised; one a test. */
struct mr_shelf {
    char dir[64], root[80]; /* the storage is at root, within dir */
    json_t *section;        /* of the configuration */
    struct mr_storage *storage;
    struct mr_err err; /* of what was asked last */
};

/* Each fails the test when it does not work. */
void mr_shelf_start(struct mr_shelf *shelf);
void mr_shelf_stop(struct mr_shelf *shelf);
/* The storage alone, as its section says. */
void mr_shelf_open(struct mr_shelf *shelf);
/* Again, as it would be with another value in its section, which it takes. */
void mr_shelf_reopen(struct mr_shelf *shelf, const char *option, json_t *value);

bool mr_shelf_has(struct mr_shelf *shelf, const char *key);
/* Where a file of it stands; valid until the next one. */
const char *mr_shelf_path(const struct mr_shelf *shelf, const char *name);
/* How much there is in root that is no folder: files, half-written ones, links. */
unsigned mr_shelf_entries(const struct mr_shelf *shelf);

/* A file that is being written. */
struct mr_storage_file *mr_shelf_create(struct mr_shelf *shelf, const char *key);
void mr_shelf_write(struct mr_storage_file *file, const char *text);
/* A whole one. */
void mr_shelf_put(struct mr_shelf *shelf, const char *key, const char *text);
extern const char mr_shelf_zeros[200000];
/* Writes so many of them, then keeps the file; one of the two may fail, and the rest with it: what it said. */
enum mr_code mr_shelf_put_zeros(struct mr_shelf *shelf, const char *key, size_t size);
/* From here on no file of this process grows beyond this: "File too large". */
void mr_shelf_forbid_large_files(size_t bytes);
/* The file at path holds this, up to 63 bytes. */
void mr_shelf_expect(const char *path, const char *want);

#endif
