/*
 * MySQL for run handlers: blocking calls on the worker's threads, over libmysqlclient (MariaDB's or Oracle's). Pools of connections per
 * role, opened lazily; a deadline for each statement, kept by KILL QUERY from a second connection.
 */
#ifndef MR_JOBS_SERVICES_MYSQL_H
#define MR_JOBS_SERVICES_MYSQL_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_host;
struct mr_job;
struct mr_mysql;      /* the pools; one per process, shared by all modules */
struct mr_mysql_conn; /* one connection, lent to one thread */

enum mr_mysql_role { MR_MYSQL_WRITE, MR_MYSQL_READ };

/*
 * How calls below fail (err says errno, sqlstate, the server's words and which server; never a password or a bound value):
 *   MR_EDOWN     not connected, or the connection broke, or the server is read-only (a failover): whatever transaction was open is rolled
 *                back, nothing of it remains
 *   MR_EBUSY     deadlock or lock wait (1213, 1205), too many connections (1040): rolled back; the same again may work
 *   MR_EUNKNOWN  the connection broke inside COMMIT, or in a statement outside of a transaction: it may or may not have happened
 *   MR_EEXIST    a unique key has this value already (1062)
 *   MR_ETIMEDOUT killed at its deadline, or because the job was cancelled
 *   MR_EFAULT    the server does not serve us as configured (access denied, no such database or table): a person must act
 *   MR_EREFUSED  any other error of the server: the statement is wrong, or the data
 */

/* A value bound to a `?`. Text is borrowed for the call; at NULL with MR_SQL_TEXT is an error, use MR_SQL_NULL. */
enum mr_sql_type { MR_SQL_NULL, MR_SQL_INT, MR_SQL_DOUBLE, MR_SQL_TEXT };
struct mr_sql_value {
    enum mr_sql_type type;
    int64_t integer;
    double real;
    struct mr_bytes text;
};
struct mr_sql_value mr_sql_null(void);
struct mr_sql_value mr_sql_int(int64_t number);
struct mr_sql_value mr_sql_double(double number);
struct mr_sql_value mr_sql_text(const char *text); /* NULL: SQL's NULL */
struct mr_sql_value mr_sql_bytes(struct mr_bytes bytes);

/* One row of a result, borrowed until the function returns. Values are text as the server prints them. */
struct mr_sql_row {
    unsigned n;
    const struct mr_bytes *values; /* at NULL: SQL's NULL */
    const char *const *names;      /* of the columns, as the statement calls them */
};
/* Anything but MR_OK ends the query with this code; err is the caller's to fill. */
typedef enum mr_code mr_sql_row_fn(void *arg, const struct mr_sql_row *row, struct mr_err *err);

/* The process' pools, opened by the first who asks; connects to nothing yet. Only in a handler's open. */
enum mr_code mr_mysql_get(struct mr_host *host, struct mr_mysql **out, struct mr_err *err);

/*
 * Lends a connection, waiting for one until the job's deadline or cancel; a connection that idled is checked first. MR_MYSQL_WRITE: MR_EDOWN also
 * when the server has become read-only. MR_MYSQL_READ goes to the read hosts in turn, of which those are passed over that cannot be reached, or are further
 * behind than mysql.max_lag; to the write host when none is left, and (mysql.sticky) when this attempt of the job wrote there before.
 */
enum mr_code mr_mysql_take(struct mr_mysql *mysql, enum mr_mysql_role role, struct mr_job *job,
                           struct mr_mysql_conn **out, struct mr_err *err);
/* Gives it back. One that is broken, or in the middle of a transaction or a result, is closed. NULL is accepted. */
void mr_mysql_give(struct mr_mysql_conn *conn);
/*
 * What is written over it, until it is given back, the job's reads need not show: bookkeeping, such as "has begun". They may go on going to the
 * read hosts.
 */
void mr_mysql_aside(struct mr_mysql_conn *conn);
/* Statements of this lending run at most so long (and never past the job's deadline); 0: mysql.statement_timeout. */
void mr_mysql_limit(struct mr_mysql_conn *conn, uint64_t statement_ms);

/* One statement without a result; its prepared form is kept by the connection. out_changed, out_id may be NULL. */
enum mr_code mr_mysql_run(struct mr_mysql_conn *conn, const char *sql,
                          const struct mr_sql_value *values, unsigned n, uint64_t *out_changed,
                          uint64_t *out_id, struct mr_err *err);
/*
 * One statement with a result, unbuffered: a row at a time, memory for one row. Any value may be longer than a guess; one over
 * 64 MiB is refused (MR_EREFUSED). on_columns (may be NULL) is called once before the first row, also when there is none, with values NULL.
 */
enum mr_code mr_mysql_query(struct mr_mysql_conn *conn, const char *sql,
                            const struct mr_sql_value *values, unsigned n,
                            mr_sql_row_fn *on_columns, mr_sql_row_fn *on_row, void *arg,
                            struct mr_err *err);

/*
 * One transaction at the write host: fn between BEGIN and COMMIT; run again, at most 5 times in all and after a short wait, on MR_EBUSY; rolled back on
 * any other failure of fn, whose code is passed on. MR_EUNKNOWN from COMMIT is not resolved here: the caller reads its inbox row, later.
 */
typedef enum mr_code mr_mysql_transaction_fn(void *arg, struct mr_mysql_conn *conn,
                                             struct mr_err *err);
enum mr_code mr_mysql_transact(struct mr_mysql *mysql, struct mr_job *job,
                               mr_mysql_transaction_fn *fn, void *arg, struct mr_err *err);
/* The same at a read host, once, in a transaction in which the server refuses every write, a stored function's too. */
enum mr_code mr_mysql_read(struct mr_mysql *mysql, struct mr_job *job,
                           mr_mysql_transaction_fn *fn, void *arg, struct mr_err *err);

#endif
