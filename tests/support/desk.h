/* A mill with all that reports need: a private MariaDB with its tables, a folder of definitions, and one for files. */
#ifndef MR_TESTS_DESK_H
#define MR_TESTS_DESK_H

#include "tests/support/mariadb.h"
#include "tests/support/mill.h"

struct mr_desk {
    struct mr_mill mill;
    struct mr_mariadb db;
    char yaml[2048]; /* the configuration; what is added counts until a dispatcher is started */
    char definitions[128], files[128];
};

/* Everything but a dispatcher; extra: further arguments of MariaDB, NULL-ended, or NULL. */
void mr_desk_start(struct mr_desk *desk, const char *const *extra);
/* Everything, with one definition. */
void mr_desk_start_with(struct mr_desk *desk, const char *name, const char *definition);
void mr_desk_stop(struct mr_desk *desk);

void mr_desk_define(struct mr_desk *desk, const char *name, const char *definition);
/* A job of that uuid (NULL: none) for the report; params is JSON. more: further members of data, ",\"format\":...". header: of the envelope. */
void mr_desk_push(struct mr_desk *desk, const char *uuid, const char *report,
                  const char *params, const char *more, const char *header);
/* Until nothing is left to do; nothing may have died. */
void mr_desk_await_done(struct mr_desk *desk);

/* Where the report's file of that uuid and ending (".csv") is; until the next call. */
const char *mr_desk_path(const struct mr_desk *desk, const char *report, const char *uuid,
                         const char *ending);
/* All files of the reports' folder, half-written ones too. */
int mr_desk_files(const struct mr_desk *desk);
/* Runs this command of /bin/sh and parses what it prints as JSON, the caller's; fails the test unless it ends well. */
json_t *mr_desk_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The CSV file as another program's library reads it: a list of lists of texts, the caller's. */
json_t *mr_desk_read_csv(const char *path);
/* The text of a cell of such a list. */
const char *mr_desk_cell(const json_t *rows, size_t row, size_t column);
/* The value of a column, or an expression, of the row of report_runs; want NULL: SQL's. */
void mr_desk_expect_run(struct mr_desk *desk, const char *uuid, const char *column,
                        const char *want);

#endif
