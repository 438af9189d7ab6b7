/* One connection of the service: opened, checked, given words to say under a deadline, closed. For the service's own files. */
#ifndef MR_JOBS_SERVICES_MYSQL_CONN_H
#define MR_JOBS_SERVICES_MYSQL_CONN_H

#include "jobs/services/mysql.h"
#include "jobs/services/mysql_deadline.h"
#include "jobs/services/mysql_lag.h"

struct mr_mysql_pool;

/* What connections of a process have in common; borrowed by each. */
struct mr_mysql_house {
    struct mr_host *host;
    const struct mr_mysql_login *login;
    struct mr_mysql_watch *watch;
    uint64_t statement_ms;
    uint64_t idle_ms; /* after so long a connection above the minimum is closed */
};

struct mr_mysql_conn {
    struct mr_list node; /* the pool's, while it idles */
    struct mr_mysql_pool *pool;
    const struct mr_mysql_house *house;
    const struct mr_mysql_server *server;
    MYSQL *mysql;
    struct mr_mysql_guard guard;
    struct mr_list statements; /* prepared, the latest used first */
    unsigned n_statements;
    uint64_t used_at_ms;
    /* of one lending */
    struct mr_job *job;
    uint64_t statement_ms;
    bool in_transaction;
    bool wrote;   /* in this transaction */
    bool aside;   /* what it writes, the job's reads need not show */
    bool writes;  /* lent for writing */
    bool checked; /* that its server may be written to */
    bool retired; /* not to be lent again */
    bool misled; /* its server has become read-only: those that idle beside it lead there too */
    enum mr_code
        doomed; /* not MR_OK: why nothing of this transaction remains, and nothing more is sent for it */
};

/* Connects for this job (NULL: nobody's), within its deadline. */
enum mr_code mr_mysql_conn_open(const struct mr_mysql_house *house,
                                const struct mr_mysql_server *server, struct mr_job *job,
                                struct mr_mysql_conn **out, struct mr_err *err);
void mr_mysql_conn_close(struct mr_mysql_conn *conn);
/* Begins and ends a lending. */
void mr_mysql_conn_lend(struct mr_mysql_conn *conn, struct mr_job *job);
/* Whether it may be lent again: nothing is left open, nothing went wrong. */
bool mr_mysql_conn_is_clean(const struct mr_mysql_conn *conn);
/* Whether an idle connection is still good, for this job: costs a system call, and a round trip when it idled or something is strange. */
bool mr_mysql_conn_is_alive(struct mr_mysql_conn *conn, const struct mr_job *job,
                            bool doubtful);

/* Begins the writing of this lending: MR_EDOWN when its server is read-only, asked once a connection. */
enum mr_code mr_mysql_conn_to_write(struct mr_mysql_conn *conn, struct mr_err *err);
/* How far its server is behind. Within the time for connecting; a failure retires the connection. */
enum mr_code mr_mysql_conn_lag(struct mr_mysql_conn *conn, struct mr_mysql_lag *out,
                               struct mr_err *err);

/* BEGIN (read_only: the server refuses every write in it), COMMIT, ROLLBACK. rollback leaves a connection that is fit for the next transaction, or retired. */
enum mr_code mr_mysql_conn_begin(struct mr_mysql_conn *conn, bool read_only,
                                 struct mr_err *err);
enum mr_code mr_mysql_conn_commit(struct mr_mysql_conn *conn, struct mr_err *err);
void mr_mysql_conn_rollback(struct mr_mysql_conn *conn);

/* ---- for statements ---- */

/* Refuses when this transaction is doomed or the connection retired; else the deadline runs until leave. */
enum mr_code mr_mysql_conn_enter(struct mr_mysql_conn *conn, struct mr_err *err);
enum mr_mysql_fate mr_mysql_conn_leave(struct mr_mysql_conn *conn);
/*
 * After leave: what the error of the last call means. Marks the connection retired and the transaction doomed
 * where they are.
 */
enum mr_code mr_mysql_conn_fail(struct mr_mysql_conn *conn, enum mr_mysql_fate fate,
                                unsigned number, const char *state, const char *message,
                                struct mr_err *err);
/* The deadline passed just as the statement ended by itself. */
enum mr_code mr_mysql_conn_fail_late(struct mr_mysql_conn *conn, struct mr_err *err);
/* A statement that may have changed something was executed: marks the job, in a transaction when that is committed. */
void mr_mysql_conn_note_write(struct mr_mysql_conn *conn);

/* mysql_statement.c: frees what is prepared, after mysql_close. */
void mr_mysql_statements_fini(struct mr_mysql_conn *conn);

#endif
