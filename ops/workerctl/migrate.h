/* Migrations as data: the files of ops/mysql inside of this program, their statements, and what is to be done. Pure. */
#ifndef MR_OPS_MIGRATE_H
#define MR_OPS_MIGRATE_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct mr_migration {
    unsigned number;      /* from 1, unique; they are applied in this order */
    const char *name;     /* "core" */
    const char *file;     /* "0001_core.sql" */
    const char *checksum; /* SHA-256 of text, hexadecimal */
    const char *text;
};

/* Those of this build, by number. */
extern const struct mr_migration mr_migrations[];
extern const unsigned mr_n_migrations;

/* What a database says of one that it has seen; strings owned. */
struct mr_applied {
    unsigned number;
    char *name, *checksum, *at; /* at: RFC 3339, UTC */
};

enum mr_migration_state {
    MR_MIGRATION_PENDING,
    MR_MIGRATION_APPLIED,
    MR_MIGRATION_CHANGED, /* applied, and its file has been another since */
    MR_MIGRATION_UNKNOWN  /* applied by a newer workerctl: this one has no such file */
};

/* One row of the comparison; migration or applied is NULL where the other side alone knows it. Borrows both. */
struct mr_migration_row {
    enum mr_migration_state state;
    const struct mr_migration *migration;
    const struct mr_applied *applied;
};

/* The files and what the database says, both by number, as one list by number: n + n_applied rows at most. Returns how many. */
size_t mr_migrate_compare(const struct mr_migration *migrations, size_t n,
                          const struct mr_applied *applied, size_t n_applied,
                          struct mr_migration_row *out);

/* A statement within a file, without the `;` behind it; comments before it are left out. */
struct mr_migration_statement {
    struct mr_bytes text;
    unsigned line; /* of its first character, from 1 */
};

/* Where a reader stands; begin with {.at = text, .line = 1}. */
struct mr_migration_reader {
    const char *at;
    unsigned line;
};

/*
 * The next statement: it ends at a `;` outside of quotes ('...', "...", `...`) and comments, or at the end of the text. MR_ENOTFOUND
 * when there is none; MR_EINVAL when a quote or a comment is not closed.
 */
enum mr_code mr_migrate_next(struct mr_migration_reader *reader,
                             struct mr_migration_statement *out, struct mr_err *err);
/* How many there are; 0 also when the text cannot be read. */
unsigned mr_migrate_count(const char *text);

#endif
