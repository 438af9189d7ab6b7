#include "jobs/services/mysql_conn.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PING_IDLE_MS = 5000,
    COMMIT_MS = 10000, /* at least: cutting it off helps nobody, its outcome would be unknown */
    LATE_MS = 2000,    /* but no longer behind its job's deadline */
};

/* The sooner of both, without running over. */
static uint64_t until(uint64_t span_ms, const struct mr_job *job)
{
    uint64_t now_ms = mr_clock_ms(), job_ms = job ? mr_job_deadline_ms(job) : UINT64_MAX;
    uint64_t at_ms = span_ms < UINT64_MAX - now_ms ? now_ms + span_ms : UINT64_MAX;

    return at_ms < job_ms ? at_ms : job_ms;
}

/*
 * For what goes on behind the job's deadline. Whoever is not back within the worker's grace (MR_CANCEL_GRACE_MAX_MS) passes for stuck,
 * and his process is replaced: worse than what is cut off here.
 */
static uint64_t until_late(uint64_t span_ms, const struct mr_job *job)
{
    uint64_t now_ms = mr_clock_ms(), at_ms = until(span_ms, NULL);
    uint64_t job_ms = job ? mr_job_deadline_ms(job) : UINT64_MAX;
    uint64_t late_ms = job_ms > now_ms ? job_ms : now_ms;

    return late_ms < UINT64_MAX - LATE_MS && late_ms + LATE_MS < at_ms ? late_ms + LATE_MS
                                                                       : at_ms;
}

/* ---- opening and closing ---- */

static enum mr_code settle_in(struct mr_mysql_conn *conn, uint64_t end_ms, struct mr_err *err)
{
    mr_mysql_guard_begin(conn->house->watch, &conn->guard, end_ms, false);
    enum mr_code code = mr_mysql_settle_in(conn->mysql, conn->server, conn->house->login, err);
    if (mr_mysql_guard_end(conn->house->watch, &conn->guard) == MR_MYSQL_CUT)
        code = mr_fail(err, MR_EDOWN, "MySQL at %s: silent after the greeting",
                       conn->server->name);
    return code;
}

/* Takes mysql. */
static struct mr_mysql_conn *conn_new(const struct mr_mysql_house *house,
                                      const struct mr_mysql_server *server, MYSQL *mysql)
{
    struct mr_mysql_conn *conn = mr_zalloc(sizeof(*conn));

    conn->house = house;
    conn->server = server;
    conn->mysql = mysql;
    conn->guard.server = server;
    conn->guard.id = mysql_thread_id(mysql);
    conn->guard.fd = fcntl(mr_mysql_compat_fd(mysql), F_DUPFD_CLOEXEC, 0);
    conn->used_at_ms = mr_clock_ms();
    mr_list_init(&conn->node);
    mr_list_init(&conn->guard.node);
    mr_list_init(&conn->statements);
    return conn;
}

enum mr_code mr_mysql_conn_open(const struct mr_mysql_house *house,
                                const struct mr_mysql_server *server, struct mr_job *job,
                                struct mr_mysql_conn **out, struct mr_err *err)
{
    uint64_t now_ms = mr_clock_ms(), end_ms = until(house->login->connect_timeout_ms, job);
    MYSQL *mysql = NULL;

    if (end_ms <= now_ms)
        return mr_fail(err, MR_ETIMEDOUT,
                       "MySQL at %s: the job's deadline passed before it was connected",
                       server->name);
    enum mr_code code = mr_mysql_dial(server, house->login, end_ms - now_ms, 0, &mysql, err);
    if (code != MR_OK)
        return code;
    struct mr_mysql_conn *conn = conn_new(house, server, mysql);

    code = conn->guard.fd < 0
               ? mr_fail(err, MR_EBUSY, "MySQL at %s: no file descriptor left", server->name)
               : settle_in(conn, end_ms, err);
    if (code != MR_OK) {
        mr_mysql_conn_close(conn);
        return code;
    }
    mr_host_counter(house->host, "mysql_connected", 1);
    *out = conn;
    return MR_OK;
}

void mr_mysql_conn_close(struct mr_mysql_conn *conn)
{
    mysql_close(conn->mysql); /* before the statements: each would read its result to the end */
    mr_mysql_statements_fini(conn);
    if (conn->guard.fd >= 0)
        close(conn->guard.fd);
    free(conn);
}

void mr_mysql_conn_lend(struct mr_mysql_conn *conn, struct mr_job *job)
{
    conn->job = conn->guard.job = job;
    conn->statement_ms = conn->house->statement_ms;
    conn->in_transaction = conn->writes = conn->wrote = conn->aside = false;
    conn->doomed = MR_OK;
    conn->used_at_ms = mr_clock_ms();
}

static bool is_in_transaction(const struct mr_mysql_conn *conn)
{
    return conn->in_transaction || (conn->mysql->server_status & SERVER_STATUS_IN_TRANS);
}

bool mr_mysql_conn_is_clean(const struct mr_mysql_conn *conn)
{
    return !conn->retired && !is_in_transaction(conn);
}

bool mr_mysql_conn_is_alive(struct mr_mysql_conn *conn, const struct mr_job *job, bool doubtful)
{
    struct pollfd line = {.fd = conn->guard.fd, .events = POLLIN | POLLRDHUP};

    /* A server that has nothing to answer says something only when it leaves. */
    if (poll(&line, 1, 0) == 0 && !doubtful && mr_clock_ms() < conn->used_at_ms + PING_IDLE_MS)
        return true;
    mr_mysql_guard_begin(conn->house->watch, &conn->guard,
                         until(conn->house->login->connect_timeout_ms, job), false);
    bool answered = mysql_ping(conn->mysql) == 0;
    return mr_mysql_guard_end(conn->house->watch, &conn->guard) == MR_MYSQL_LEFT_ALONE &&
           answered;
}

/* ---- questions about the server, of our own ---- */

/* They take no longer than connecting may. */
static void begin_question(struct mr_mysql_conn *conn)
{
    mr_mysql_guard_begin(conn->house->watch, &conn->guard,
                         until(conn->house->login->connect_timeout_ms, conn->job), false);
}

/* A connection that does not answer is of no use. */
static enum mr_code end_question(struct mr_mysql_conn *conn, enum mr_code code,
                                 struct mr_err *err)
{
    if (mr_mysql_guard_end(conn->house->watch, &conn->guard) != MR_MYSQL_LEFT_ALONE)
        code = mr_fail(err, MR_EDOWN, "MySQL at %s: silent when asked about itself",
                       conn->server->name);
    if (code != MR_OK)
        conn->retired = true;
    return code == MR_EUNKNOWN ? MR_EDOWN : code; /* a question changes nothing */
}

enum mr_code mr_mysql_conn_lag(struct mr_mysql_conn *conn, struct mr_mysql_lag *out,
                               struct mr_err *err)
{
    begin_question(conn);
    return end_question(conn, mr_mysql_lag_ask(conn->mysql, conn->server, out, err), err);
}

static enum mr_code mislead(struct mr_mysql_conn *conn, struct mr_err *err)
{
    conn->retired = conn->misled = true;
    return mr_fail(err, MR_EDOWN,
                   "MySQL at %s: is read-only now; waiting until it is written to again, or "
                   "mysql.host leads to the one that is",
                   conn->server->name);
}

static enum mr_code ask_read_only(struct mr_mysql_conn *conn, bool *out, struct mr_err *err)
{
    MYSQL_RES *result = NULL;

    begin_question(conn);
    enum mr_code code =
        mr_mysql_ask(conn->mysql, conn->server,
                     mr_bytes_of("SELECT @@read_only OR @@innodb_read_only"), &result, err);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    *out = row && row[0] && row[0][0] == '1';
    mysql_free_result(result);
    return end_question(conn, code, err);
}

enum mr_code mr_mysql_conn_to_write(struct mr_mysql_conn *conn, struct mr_err *err)
{
    bool read_only = false;
    enum mr_code code = conn->checked ? MR_OK : ask_read_only(conn, &read_only, err);

    if (code != MR_OK)
        return code;
    if (read_only)
        return mislead(conn, err);
    conn->checked = conn->writes = true;
    return MR_OK;
}

/* ---- failing ---- */

static enum mr_mysql_moment moment_of(const struct mr_mysql_conn *conn)
{
    return is_in_transaction(conn) ? MR_MYSQL_INSIDE : MR_MYSQL_ALONE;
}

/*
 * After any of these the server has rolled the transaction back, or it must be rolled back: a statement sent now might
 * stand outside of it. A connection that KILL QUERY was sent to, or that no longer serves us, is not lent
 * again.
 */
static void mark(struct mr_mysql_conn *conn, enum mr_code code, enum mr_mysql_fate fate,
                 unsigned number)
{
    if (fate != MR_MYSQL_LEFT_ALONE || code == MR_EFAULT || conn->misled ||
        mr_mysql_error_is_loss(number))
        conn->retired = true;
    if (is_in_transaction(conn) && (conn->retired || code == MR_EBUSY || code == MR_ETIMEDOUT))
        conn->doomed = code;
}

static enum mr_code fail(struct mr_mysql_conn *conn, enum mr_mysql_moment moment,
                         enum mr_mysql_fate fate, unsigned number, const char *state,
                         const char *message, struct mr_err *err)
{
    enum mr_code code = mr_mysql_error_code(number, moment, fate);
    struct mr_err plain;

    if (conn->writes && mr_mysql_error_is_read_only(number, message)) {
        code = MR_EDOWN;
        conn->misled = true;
    }
    mark(conn, code, fate, number);
    if (fate == MR_MYSQL_LEFT_ALONE)
        return mr_mysql_fail(err, code, conn->server, number, state, message);
    mr_mysql_fail(&plain, code, conn->server, number, state, message);
    return mr_fail(err, code, "stopped at its deadline, or as the job was told to stop: %s",
                   plain.text);
}

enum mr_code mr_mysql_conn_fail(struct mr_mysql_conn *conn, enum mr_mysql_fate fate,
                                unsigned number, const char *state, const char *message,
                                struct mr_err *err)
{
    return fail(conn, moment_of(conn), fate, number, state, message, err);
}

static enum mr_code stop(struct mr_mysql_conn *conn, enum mr_mysql_fate fate,
                         struct mr_err *err)
{
    mark(conn, MR_ETIMEDOUT, fate, 0);
    return mr_fail(err, MR_ETIMEDOUT,
                   "MySQL at %s: stopped at its deadline, or as the job was told to stop",
                   conn->server->name);
}

enum mr_code mr_mysql_conn_fail_late(struct mr_mysql_conn *conn, struct mr_err *err)
{
    return stop(conn, MR_MYSQL_KILLED, err);
}

/* ---- statements' way in and out ---- */

enum mr_code mr_mysql_conn_enter(struct mr_mysql_conn *conn, struct mr_err *err)
{
    if (conn->doomed != MR_OK)
        return mr_fail(
            err, conn->doomed,
            "MySQL at %s: this transaction failed before and can only be rolled back",
            conn->server->name);
    if (conn->retired)
        return mr_fail(err, MR_EDOWN, "MySQL at %s: this connection broke before",
                       conn->server->name);
    if (conn->job && mr_job_cancelled(conn->job))
        return stop(conn, MR_MYSQL_LEFT_ALONE, err);
    mr_mysql_guard_begin(conn->house->watch, &conn->guard, until(conn->statement_ms, conn->job),
                         true);
    return MR_OK;
}

enum mr_mysql_fate mr_mysql_conn_leave(struct mr_mysql_conn *conn)
{
    enum mr_mysql_fate fate = mr_mysql_guard_end(conn->house->watch, &conn->guard);

    if (fate != MR_MYSQL_LEFT_ALONE)
        conn->retired = true; /* the KILL may still be on its way to whatever comes next */
    conn->used_at_ms = mr_clock_ms();
    return fate;
}

/* ---- what a job wrote ---- */

static void mark_job(const struct mr_mysql_conn *conn)
{
    if (conn->job && conn->writes && !conn->aside)
        mr_job_mark(conn->job, MR_JOB_WROTE);
}

void mr_mysql_conn_note_write(struct mr_mysql_conn *conn)
{
    if (conn->in_transaction)
        conn->wrote = true;
    else
        mark_job(conn);
}

/* ---- transactions ---- */

/* In the text protocol, never killed halfway: COMMIT and ROLLBACK get some time even when the job's is over. */
static enum mr_code say(struct mr_mysql_conn *conn, const char *sql,
                        enum mr_mysql_moment moment, struct mr_err *err)
{
    uint64_t span_ms = conn->house->statement_ms;

    mr_mysql_guard_begin(conn->house->watch, &conn->guard,
                         until_late(span_ms > COMMIT_MS ? span_ms : COMMIT_MS, conn->job),
                         false);
    int status = mysql_real_query(conn->mysql, sql, strlen(sql));
    enum mr_mysql_fate fate = mr_mysql_conn_leave(conn);

    if (status == 0)
        return MR_OK;
    return fail(conn, moment, fate, mysql_errno(conn->mysql), mysql_sqlstate(conn->mysql),
                mysql_error(conn->mysql), err);
}

enum mr_code mr_mysql_conn_begin(struct mr_mysql_conn *conn, bool read_only, struct mr_err *err)
{
    enum mr_code code =
        say(conn, read_only ? "START TRANSACTION READ ONLY" : "BEGIN", MR_MYSQL_REACHING, err);

    conn->in_transaction = code == MR_OK;
    conn->wrote = false;
    return code;
}

enum mr_code mr_mysql_conn_commit(struct mr_mysql_conn *conn, struct mr_err *err)
{
    enum mr_code code = say(conn, "COMMIT", MR_MYSQL_COMMITTING, err);

    if (conn->wrote && (code == MR_OK || code == MR_EUNKNOWN))
        mark_job(conn);

    if (code != MR_OK) {
        conn->retired = true;
        return code;
    }
    conn->in_transaction = false;
    return MR_OK;
}

void mr_mysql_conn_rollback(struct mr_mysql_conn *conn)
{
    /* A retired connection is closed, and the server rolls back by itself. */
    if (!conn->retired && say(conn, "ROLLBACK", MR_MYSQL_INSIDE, NULL) != MR_OK)
        conn->retired = true;
    conn->in_transaction = false;
    conn->doomed = MR_OK;
}
