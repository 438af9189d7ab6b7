#include "jobs/services/mysql_pool.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <uv.h>

enum { LOOK_MS = 50 }; /* how soon a waiter notices that its job is cancelled */

struct mr_mysql_pool {
    const struct mr_mysql_house *house;
    struct mr_mysql_server server;
    unsigned min, max;
    uv_mutex_t lock;
    struct mr_list idle; /* under lock: the latest used first, so that the others become old */
    struct mr_list waiters;  /* under lock: the first first */
    unsigned n_idle, n_open; /* under lock: n_open counts those being opened too */
    uint64_t
        doubt_ms; /* under lock: when a connection broke last; those not used since are suspect */
};

/* One who wants a connection, on its own stack; under the pool's lock. */
struct waiter {
    struct mr_list node;
    uv_cond_t served;
    bool has_turn;
    struct mr_mysql_conn *conn; /* NULL: may open one */
};

struct mr_mysql_pool *mr_mysql_pool_new(const struct mr_mysql_house *house,
                                        struct mr_mysql_server *server, unsigned min,
                                        unsigned max)
{
    struct mr_mysql_pool *pool = mr_zalloc(sizeof(*pool));

    pool->house = house;
    pool->server = *server;
    *server = (struct mr_mysql_server){0};
    pool->min = min < max ? min : max;
    pool->max = max;
    uv_mutex_init(&pool->lock);
    mr_list_init(&pool->idle);
    mr_list_init(&pool->waiters);
    return pool;
}

void mr_mysql_pool_free(struct mr_mysql_pool *pool)
{
    if (!pool)
        return;
    mr_list_each_safe (node, &pool->idle)
        mr_mysql_conn_close(mr_list_entry(node, struct mr_mysql_conn, node));
    uv_mutex_destroy(&pool->lock);
    mr_mysql_server_fini(&pool->server);
    free(pool);
}

const struct mr_mysql_server *mr_mysql_pool_server(const struct mr_mysql_pool *pool)
{
    return &pool->server;
}

/* ---- turns; with the lock ---- */

static struct mr_mysql_conn *pop_idle(struct mr_mysql_pool *pool)
{
    struct mr_mysql_conn *conn = mr_list_entry(pool->idle.next, struct mr_mysql_conn, node);

    mr_list_remove(&conn->node);
    pool->n_idle--;
    return conn;
}

/* Whoever is first gets what there is: an idle connection, or the right to open one. */
static void serve(struct mr_mysql_pool *pool)
{
    while (!mr_list_empty(&pool->waiters)) {
        struct waiter *first = mr_list_entry(pool->waiters.next, struct waiter, node);

        if (!mr_list_empty(&pool->idle))
            first->conn = pop_idle(pool);
        else if (pool->n_open < pool->max)
            pool->n_open++;
        else
            return;
        first->has_turn = true;
        mr_list_remove(&first->node);
        uv_cond_signal(&first->served);
    }
}

static bool is_over(const struct mr_job *job)
{
    return job && (mr_job_cancelled(job) || mr_clock_ms() >= mr_job_deadline_ms(job));
}

/* False when the job's time was over first. */
static bool wait_turn(struct mr_mysql_pool *pool, struct mr_job *job,
                      struct mr_mysql_conn **out)
{
    struct waiter self = {0};

    uv_cond_init(&self.served);
    uv_mutex_lock(&pool->lock);
    mr_list_push_back(&pool->waiters, &self.node);
    serve(pool);
    while (!self.has_turn && !is_over(job))
        uv_cond_timedwait(&self.served, &pool->lock, LOOK_MS * 1000000ull);
    if (!self.has_turn)
        mr_list_remove(&self.node);
    uv_mutex_unlock(&pool->lock);
    uv_cond_destroy(&self.served);
    *out = self.conn;
    return self.has_turn;
}

/* ---- taking and giving ---- */

static void let_go(struct mr_mysql_pool *pool)
{
    uv_mutex_lock(&pool->lock);
    pool->n_open--;
    serve(pool);
    uv_mutex_unlock(&pool->lock);
}

static bool is_alive(struct mr_mysql_pool *pool, struct mr_mysql_conn *conn,
                     const struct mr_job *job)
{
    uv_mutex_lock(&pool->lock);
    bool doubtful = conn->used_at_ms <= pool->doubt_ms;
    uv_mutex_unlock(&pool->lock);
    return mr_mysql_conn_is_alive(conn, job, doubtful);
}

enum mr_code mr_mysql_pool_take(struct mr_mysql_pool *pool, struct mr_job *job,
                                struct mr_mysql_conn **out, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;

    if (!wait_turn(pool, job, &conn))
        return mr_fail(err, MR_ETIMEDOUT,
                       "MySQL at %s: no connection became free in time (mysql.pool.max is %u)",
                       pool->server.name, pool->max);
    if (conn && !is_alive(pool, conn, job)) {
        mr_mysql_conn_close(conn);
        conn = NULL;
    }
    if (!conn) {
        enum mr_code code = mr_mysql_conn_open(pool->house, &pool->server, job, &conn, err);

        if (code != MR_OK) {
            let_go(pool);
            return code;
        }
        conn->pool = pool;
    }
    mr_mysql_conn_lend(conn, job);
    *out = conn;
    return MR_OK;
}

/* Those that idle now; whoever wants one opens it anew, at whatever address the server's name has then. */
static void drop_idle(struct mr_mysql_pool *pool)
{
    struct mr_list dropped;

    mr_list_init(&dropped);
    uv_mutex_lock(&pool->lock);
    while (!mr_list_empty(&pool->idle)) {
        mr_list_push_back(&dropped, &pop_idle(pool)->node);
        pool->n_open--;
    }
    uv_mutex_unlock(&pool->lock);
    mr_list_each_safe (node, &dropped)
        mr_mysql_conn_close(mr_list_entry(node, struct mr_mysql_conn, node));
}

void mr_mysql_pool_give(struct mr_mysql_conn *conn)
{
    struct mr_mysql_pool *pool = conn->pool;
    bool clean = mr_mysql_conn_is_clean(conn), surplus;

    if (conn->misled)
        drop_idle(pool);
    if (!clean)
        mr_mysql_conn_close(conn);
    else
        conn->used_at_ms = mr_clock_ms();
    uv_mutex_lock(&pool->lock);
    if (clean) {
        mr_list_push_front(&pool->idle, &conn->node);
        pool->n_idle++;
    } else {
        pool->n_open--;
        pool->doubt_ms = mr_clock_ms();
    }
    serve(pool);
    surplus = pool->n_idle > 0 && pool->n_open > pool->min;
    uv_mutex_unlock(&pool->lock);
    if (surplus)
        mr_mysql_watch_tend_at(pool->house->watch, mr_clock_ms() + pool->house->idle_ms);
}

/* The longest idle, when it is too long; with the lock. */
static struct mr_mysql_conn *pop_surplus(struct mr_mysql_pool *pool, uint64_t now_ms)
{
    struct mr_mysql_conn *last = mr_list_entry(pool->idle.prev, struct mr_mysql_conn, node);

    if (mr_list_empty(&pool->idle) || pool->n_open <= pool->min ||
        now_ms < last->used_at_ms + pool->house->idle_ms)
        return NULL;
    mr_list_remove(&last->node);
    pool->n_idle--;
    pool->n_open--;
    return last;
}

void mr_mysql_pool_tend(struct mr_mysql_pool *pool)
{
    struct mr_mysql_conn *conn;
    bool more;

    do {
        uv_mutex_lock(&pool->lock);
        conn = pop_surplus(pool, mr_clock_ms());
        more = pool->n_idle > 0 && pool->n_open > pool->min;
        uv_mutex_unlock(&pool->lock);
        if (conn)
            mr_mysql_conn_close(conn);
    } while (conn);
    if (more)
        mr_mysql_watch_tend_at(pool->house->watch, mr_clock_ms() + pool->house->idle_ms / 4);
}
