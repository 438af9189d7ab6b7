#include "jobs/services/mysql.h"

#include "jobs/services/members.h"
#include "jobs/services/mysql_reads.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "worker/handler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    POOL_MIN = 5,
    POOL_MAX = 20,
    STATEMENT_MS = 30000,
    IDLE_MS = 60000,
    MAX_LAG_MS = 30000,
    AWAY_MS = 5000,
    ASK_MS = 1000,
    TRIES = 5,     /* of a transaction */
    AGAIN_MS = 20, /* about; doubled each time */
};

struct mr_mysql {
    struct mr_mysql_house house;
    struct mr_mysql_login login;
    struct mr_mysql_pool *write;
    struct mr_mysql_reads *reads;
    bool sticky;
    pthread_key_t thread; /* its destructor ends the library's part of a thread */
    uv_mutex_t lock;
    struct mr_random random; /* under lock */
};

/* ---- opening and closing ---- */

static void on_tend(void *arg)
{
    struct mr_mysql *mysql = arg;

    mr_mysql_pool_tend(mysql->write);
    mr_mysql_reads_tend(mysql->reads);
}

static void on_thread_end(void *any)
{
    (void)any;
    mysql_thread_end();
}

static void close_mysql(void *shared)
{
    struct mr_mysql *mysql = shared;

    mr_mysql_watch_free(mysql->house.watch);
    mr_mysql_pool_free(mysql->write);
    mr_mysql_reads_free(mysql->reads);
    pthread_key_delete(mysql->thread);
    uv_mutex_destroy(&mysql->lock);
    free(mysql);
    mysql_library_end();
}

static struct mr_mysql_pool *open_pool(struct mr_mysql *mysql, const json_t *section,
                                       struct mr_mysql_server *server)
{
    const json_t *pool = json_object_get(section, "pool");

    return mr_mysql_pool_new(&mysql->house, server,
                             (unsigned)mr_members_number(pool, "min", POOL_MIN),
                             (unsigned)mr_members_number(pool, "max", POOL_MAX));
}

static enum mr_code open_reads(struct mr_mysql *mysql, const json_t *section,
                               struct mr_err *err)
{
    const json_t *hosts = json_object_get(section, "read_hosts");
    unsigned port = (unsigned)mr_members_number(section, "port", 3306);

    const struct mr_mysql_read_rules rules = {
        .max_lag_ms = (uint64_t)mr_members_number(section, "max_lag_ms", MAX_LAG_MS),
        .avoid_unknown = strcmp(mr_members_text(section, "unknown_lag", "use"), "avoid") == 0,
        .away_ms = AWAY_MS,
        .ask_ms = ASK_MS,
    };

    mysql->reads = mr_mysql_reads_new(&mysql->house, &rules);
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        struct mr_mysql_server server;
        enum mr_code code = mr_mysql_server_parse(json_string_value(json_array_get(hosts, i)),
                                                  port, &server, err);

        if (code != MR_OK)
            return code;
        mr_mysql_reads_add(mysql->reads, open_pool(mysql, section, &server));
    }
    return MR_OK;
}

static enum mr_code open_mysql(struct mr_host *host, void **out, struct mr_err *err)
{
    const json_t *section = mr_host_config(host, "mysql");
    struct mr_mysql *mysql = mr_zalloc(sizeof(*mysql));
    struct mr_mysql_server server;
    enum mr_code code = mr_mysql_options_read(section, &mysql->login, &server, err);

    if (code != MR_OK) {
        free(mysql);
        return code;
    }
    mysql_library_init(0, NULL, NULL);
    pthread_key_create(&mysql->thread, on_thread_end);
    uv_mutex_init(&mysql->lock);
    mr_random_seed(&mysql->random);
    mysql->house.host = host;
    mysql->house.login = &mysql->login;
    mysql->house.statement_ms =
        (uint64_t)mr_members_number(section, "statement_timeout_ms", STATEMENT_MS);
    mysql->house.idle_ms = IDLE_MS;
    mysql->sticky = !json_is_false(json_object_get(section, "sticky"));
    mysql->write = open_pool(mysql, section, &server);
    code = open_reads(mysql, section, err);
    if (code == MR_OK)
        code =
            mr_mysql_watch_new(host, &mysql->login, on_tend, mysql, &mysql->house.watch, err);
    if (code != MR_OK) {
        close_mysql(mysql);
        return code;
    }
    *out = mysql;
    return MR_OK;
}

enum mr_code mr_mysql_get(struct mr_host *host, struct mr_mysql **out, struct mr_err *err)
{
    void *mysql = NULL;
    enum mr_code code = mr_host_share(host, "mysql", open_mysql, close_mysql, &mysql, err);

    if (code == MR_OK)
        *out = mysql;
    return code;
}

/* ---- lending ---- */

/* The library keeps something for each thread that calls it; threads come and go. */
static void enter_thread(struct mr_mysql *mysql)
{
    if (pthread_getspecific(mysql->thread))
        return;
    mysql_thread_init();
    pthread_setspecific(mysql->thread, mysql);
}

/* For writing: a server that has become read-only, as the old one after a failover, is as good as away. */
static enum mr_code take_write(struct mr_mysql *mysql, struct mr_job *job,
                               struct mr_mysql_conn **out, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_pool_take(mysql->write, job, &conn, err);

    if (code == MR_OK)
        code = mr_mysql_conn_to_write(conn, err);
    if (code == MR_OK)
        *out = conn;
    else
        mr_mysql_give(conn);
    return code;
}

/* Whether this job's reads must show what it wrote, which no read host promises. */
static bool is_stuck(const struct mr_mysql *mysql, const struct mr_job *job)
{
    return mysql->sticky && job && (mr_job_marks(job) & MR_JOB_WROTE);
}

static enum mr_code take_read(struct mr_mysql *mysql, struct mr_job *job,
                              struct mr_mysql_conn **out, struct mr_err *err)
{
    enum mr_code code = MR_ENOTFOUND;

    if (mr_mysql_reads_is_empty(mysql->reads))
        return mr_mysql_pool_take(mysql->write, job, out, err);
    if (is_stuck(mysql, job))
        mr_host_counter(mysql->house.host, "mysql_reads_sticky", 1);
    else
        code = mr_mysql_reads_take(mysql->reads, job, out, err);
    return code == MR_ENOTFOUND ? mr_mysql_pool_take(mysql->write, job, out, err) : code;
}

enum mr_code mr_mysql_take(struct mr_mysql *mysql, enum mr_mysql_role role, struct mr_job *job,
                           struct mr_mysql_conn **out, struct mr_err *err)
{
    enter_thread(mysql);
    return role == MR_MYSQL_READ ? take_read(mysql, job, out, err)
                                 : take_write(mysql, job, out, err);
}

void mr_mysql_give(struct mr_mysql_conn *conn)
{
    if (conn)
        mr_mysql_pool_give(conn);
}

void mr_mysql_limit(struct mr_mysql_conn *conn, uint64_t statement_ms)
{
    conn->statement_ms = statement_ms ? statement_ms : conn->house->statement_ms;
}

void mr_mysql_aside(struct mr_mysql_conn *conn)
{
    conn->aside = true;
}

/* ---- transactions ---- */

static enum mr_code once(struct mr_mysql_conn *conn, mr_mysql_transaction_fn *fn, void *arg,
                         struct mr_err *err)
{
    enum mr_code code = mr_mysql_conn_begin(conn, false, err);

    if (code != MR_OK)
        return code;
    code = fn(arg, conn, err);
    /* fn may have overlooked that a deadlock took everything before with it. */
    if (code == MR_OK && conn->doomed != MR_OK)
        code = mr_fail(err, conn->doomed,
                       "MySQL at %s: a statement failed and took the transaction with it",
                       conn->server->name);
    if (code == MR_OK)
        return mr_mysql_conn_commit(conn, err);
    mr_mysql_conn_rollback(conn);
    return code;
}

/* False when the job's time is over before the wait is. */
static bool wait_to_try_again(struct mr_mysql *mysql, const struct mr_job *job, unsigned tries)
{
    uint64_t span_ms = (uint64_t)AGAIN_MS << tries;

    uv_mutex_lock(&mysql->lock);
    span_ms = span_ms / 2 + mr_random_below(&mysql->random, span_ms);
    uv_mutex_unlock(&mysql->lock);
    if (job && (mr_job_cancelled(job) || mr_clock_ms() + span_ms >= mr_job_deadline_ms(job)))
        return false;
    uv_sleep((unsigned)span_ms);
    return true;
}

enum mr_code mr_mysql_transact(struct mr_mysql *mysql, struct mr_job *job,
                               mr_mysql_transaction_fn *fn, void *arg, struct mr_err *err)
{
    for (unsigned tries = 1;; tries++) {
        struct mr_mysql_conn *conn = NULL;
        enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

        if (code == MR_OK)
            code = once(conn, fn, arg, err);
        mr_mysql_give(conn);
        if (code != MR_EBUSY || tries == TRIES || !wait_to_try_again(mysql, job, tries))
            return code;
    }
}

enum mr_code mr_mysql_read(struct mr_mysql *mysql, struct mr_job *job,
                           mr_mysql_transaction_fn *fn, void *arg, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_READ, job, &conn, err);

    if (code == MR_OK)
        code = mr_mysql_conn_begin(conn, true, err);
    if (code == MR_OK) {
        code = fn(arg, conn, err);
        mr_mysql_conn_rollback(conn); /* nothing to commit */
    }
    mr_mysql_give(conn);
    return code;
}
