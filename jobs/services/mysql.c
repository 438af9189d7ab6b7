#include "jobs/services/mysql.h"

#include "jobs/services/mysql_pool.h"
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
    PASS_OVER_MS = 5000, /* a read host that could not be reached is tried last for so long */
    TRIES = 5,           /* of a transaction */
    AGAIN_MS = 20,       /* about; doubled each time */
};

struct reads {
    struct mr_mysql_pool *pool;
    uint64_t passed_over_until_ms; /* under lock */
};

struct mr_mysql {
    struct mr_mysql_house house;
    struct mr_mysql_login login;
    struct mr_mysql_pool *write;
    struct reads *reads;
    unsigned n_reads;
    pthread_key_t thread; /* its destructor ends the library's part of a thread */
    uv_mutex_t lock;
    unsigned next_read;      /* under lock */
    struct mr_random random; /* under lock */
};

/* ---- opening and closing ---- */

static uint64_t number_of(const json_t *object, const char *name, uint64_t fallback)
{
    const json_t *number = json_object_get(object, name);

    return json_is_integer(number) ? (uint64_t)json_integer_value(number) : fallback;
}

static void on_tend(void *arg)
{
    struct mr_mysql *mysql = arg;

    mr_mysql_pool_tend(mysql->write);
    for (unsigned i = 0; i < mysql->n_reads; i++)
        mr_mysql_pool_tend(mysql->reads[i].pool);
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
    for (unsigned i = 0; i < mysql->n_reads; i++)
        mr_mysql_pool_free(mysql->reads[i].pool);
    free(mysql->reads);
    pthread_key_delete(mysql->thread);
    uv_mutex_destroy(&mysql->lock);
    free(mysql);
    mysql_library_end();
}

static struct mr_mysql_pool *open_pool(struct mr_mysql *mysql, const json_t *section,
                                       struct mr_mysql_server *server)
{
    const json_t *pool = json_object_get(section, "pool");

    return mr_mysql_pool_new(&mysql->house, server, (unsigned)number_of(pool, "min", POOL_MIN),
                             (unsigned)number_of(pool, "max", POOL_MAX));
}

static enum mr_code open_reads(struct mr_mysql *mysql, const json_t *section,
                               struct mr_err *err)
{
    const json_t *hosts = json_object_get(section, "read_hosts");
    unsigned port = (unsigned)number_of(section, "port", 3306);

    mysql->reads = mr_zalloc_array(json_array_size(hosts) + 1, sizeof(*mysql->reads));
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        struct mr_mysql_server server;
        enum mr_code code = mr_mysql_server_parse(json_string_value(json_array_get(hosts, i)),
                                                  port, &server, err);

        if (code != MR_OK)
            return code;
        mysql->reads[mysql->n_reads++].pool = open_pool(mysql, section, &server);
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
    mysql->house.statement_ms = number_of(section, "statement_timeout_ms", STATEMENT_MS);
    mysql->house.idle_ms = IDLE_MS;
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

/* All read hosts in the order of trying: the next in turn first, those that are passed over last. */
static struct reads **in_order(struct mr_mysql *mysql)
{
    unsigned n = mysql->n_reads, at = 0;
    struct reads **order = mr_zalloc_array(n, sizeof(*order));
    uint64_t now_ms = mr_clock_ms();

    uv_mutex_lock(&mysql->lock);
    unsigned first = mysql->next_read++ % n;
    for (int passed_over = 0; passed_over < 2; passed_over++)
        for (unsigned i = 0; i < n; i++) {
            struct reads *reads = &mysql->reads[(first + i) % n];

            if ((now_ms < reads->passed_over_until_ms) == passed_over)
                order[at++] = reads;
        }
    uv_mutex_unlock(&mysql->lock);
    return order;
}

static void pass_over(struct mr_mysql *mysql, struct reads *reads, const struct mr_err *why)
{
    uv_mutex_lock(&mysql->lock);
    bool known = mr_clock_ms() < reads->passed_over_until_ms;
    reads->passed_over_until_ms = mr_clock_ms() + PASS_OVER_MS;
    uv_mutex_unlock(&mysql->lock);
    if (!known)
        mr_host_log(mysql->house.host, 1, "mysql.passed_over", "for_ms=%d why=%s",
                    (int)PASS_OVER_MS, why->text);
}

static enum mr_code take_read(struct mr_mysql *mysql, struct mr_job *job,
                              struct mr_mysql_conn **out, struct mr_err *err)
{
    struct reads **order = in_order(mysql);
    enum mr_code code = MR_EDOWN;
    struct mr_err why;

    for (unsigned i = 0; i < mysql->n_reads; i++) {
        code = mr_mysql_pool_take(order[i]->pool, job, out, &why);
        if (code != MR_EDOWN && code != MR_EFAULT)
            break;
        pass_over(mysql, order[i], &why);
    }
    free(order);
    return code == MR_OK ? MR_OK : mr_fail(err, code, "%s", why.text);
}

enum mr_code mr_mysql_take(struct mr_mysql *mysql, enum mr_mysql_role role, struct mr_job *job,
                           struct mr_mysql_conn **out, struct mr_err *err)
{
    enter_thread(mysql);
    if (role == MR_MYSQL_READ && mysql->n_reads > 0)
        return take_read(mysql, job, out, err);
    return mr_mysql_pool_take(mysql->write, job, out, err);
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
