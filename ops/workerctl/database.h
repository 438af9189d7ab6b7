/* The database of the configuration, as an operator meets it: one connection, and which migrations it has seen. */
#ifndef MR_OPS_DATABASE_H
#define MR_OPS_DATABASE_H

#include "jobs/services/mysql_connect.h"
#include "ops/workerctl/migrate.h"
#include "ops/workerctl/session.h"
#include "proto/config.h"

struct mr_database {
    struct mr_mysql_login login; /* borrowed from the configuration */
    struct mr_mysql_server server;
    MYSQL *mysql;
    struct mr_applied *applied; /* by number; mr_database_look fills it */
    size_t n_applied;
    struct mr_migration_row *rows; /* these and the files of this program, compared */
    size_t n_rows;
};

/*
 * Connects to the server that is written to. MR_EINVAL: mysql.database is not configured; MR_EDOWN, MR_EBUSY: not
 * reached; MR_EFAULT: refused.
 */
enum mr_code mr_database_open(const struct mr_config *config, struct mr_database *out,
                              struct mr_err *err);
/* What a command does with it; gives the exit status. */
typedef int mr_database_fn(struct mr_session *session, struct mr_database *database, void *arg);
/* Opens it for a command and closes it behind it: fn's exit status, or that of what is wrong, the reason printed. */
int mr_database_with(struct mr_session *session, mr_database_fn *fn, void *arg);
/* The exit status of what the database answered: 69 not reached, 78 a person must act, else 1. */
int mr_database_status(enum mr_code code);
/* The same at one of mysql.read_hosts: host as it stands there. */
enum mr_code mr_database_open_read(const struct mr_config *config, const char *host,
                                   struct mr_database *out, struct mr_err *err);
void mr_database_close(struct mr_database *database);
/* Reads which migrations were applied (again) and compares; a database that never saw one has none. */
enum mr_code mr_database_look(struct mr_database *database, struct mr_err *err);
/* How many rows are in this state. */
unsigned mr_database_count(const struct mr_database *database, enum mr_migration_state state);
/* A statement with a buffered result, which the caller frees; NULL when it has none. */
enum mr_code mr_database_ask(struct mr_database *database, const char *sql, MYSQL_RES **out,
                             struct mr_err *err);
/* A statement without one. out_changed (may be NULL): how many rows. */
enum mr_code mr_database_do(struct mr_database *database, const char *sql,
                            uint64_t *out_changed, struct mr_err *err);
/* text between quotes as the server reads it, "NULL" for NULL; the caller frees it. */
char *mr_database_quote(struct mr_database *database, const char *text);
/* The first value of the first row of a statement, the caller's; NULL for NULL and for no row. */
enum mr_code mr_database_value(struct mr_database *database, const char *sql, char **out,
                               struct mr_err *err);

#endif
