#include "jobs/services/mysql_deadline.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/signals.h"
#include "worker/handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    LOOK_MS = 50, /* how soon a cancelled job is noticed */
    LINGER_MS =
        1000, /* how long it looks on when nothing is guarded: waking it costs more than many looks */
    KILL_MS = 3000,    /* for reaching the server and telling it */
    SURVIVE_MS = 1500, /* what KILL QUERY did not end by then is cut; a worker waits longer */
    DEAF_MS = 1000,    /* a server that could not be told is not asked for others meanwhile */
};

struct mr_mysql_watch {
    struct mr_host *host;
    const struct mr_mysql_login *login;
    void (*on_tend)(void *arg);
    void *arg;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t wake; /* the watch: a guard is set, or it shall leave */
    uv_cond_t sent; /* the guarded: KILL QUERY is out */
    struct mr_list guards;
    uint64_t busy_ms;    /* when a guard was last seen */
    uint64_t tend_at_ms; /* UINT64_MAX: not */
    const struct mr_mysql_server
        *deaf; /* the watch's own: could not be told of the last kill */
    uint64_t deaf_until_ms;
    bool asleep, leave;
};

/* ---- killing; without the lock ---- */

static enum mr_code kill_query(MYSQL *mysql, const struct mr_mysql_guard *guard,
                               struct mr_err *err)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "KILL QUERY %lu", guard->id);
    /* 1094: no such thread: the connection has ended by itself. */
    if (mysql_real_query(mysql, sql, strlen(sql)) == 0 || mysql_errno(mysql) == 1094)
        return MR_OK;
    return mr_mysql_fail(err, MR_EDOWN, guard->server, mysql_errno(mysql),
                         mysql_sqlstate(mysql), mysql_error(mysql));
}

static bool kill_one(struct mr_mysql_watch *watch, const struct mr_mysql_guard *guard)
{
    uint64_t wait_ms = watch->login->connect_timeout_ms;
    struct mr_err err;
    MYSQL *mysql = NULL;
    enum mr_code code =
        mr_mysql_dial(guard->server, watch->login, wait_ms < KILL_MS ? wait_ms : KILL_MS,
                      KILL_MS, &mysql, &err);

    if (code == MR_OK)
        code = kill_query(mysql, guard, &err);
    if (code == MR_OK)
        mr_host_counter(watch->host, "mysql_killed", 1);
    else
        mr_host_log(watch->host, 1, "mysql.kill_failed", "why=%s", err.text);
    if (mysql)
        mysql_close(mysql);
    return code == MR_OK;
}

/* False when the server cannot be told: one that hangs must not make every other statement wait for its turn. */
static bool told(struct mr_mysql_watch *watch, const struct mr_mysql_guard *guard)
{
    if (guard->server == watch->deaf && mr_clock_ms() < watch->deaf_until_ms)
        return false;
    if (kill_one(watch, guard))
        return true;
    watch->deaf = guard->server;
    watch->deaf_until_ms = mr_clock_ms() + DEAF_MS;
    return false;
}

/* ---- looking; with the lock ---- */

/* Its owner, blocked in the library, then hears that the connection is lost. */
static void cut(struct mr_mysql_watch *watch, struct mr_mysql_guard *guard)
{
    guard->state = MR_MYSQL_SHUT;
    shutdown(guard->fd, SHUT_RDWR);
    mr_host_log(watch->host, 1, "mysql.cut", "server=%s", guard->server->name);
}

static bool is_overdue(const struct mr_mysql_guard *guard, uint64_t now_ms)
{
    if (now_ms >= guard->due_ms)
        return true;
    return guard->gentle && guard->job && mr_job_cancelled(guard->job);
}

/* Cuts what survived, and finds the next to be killed; NULL: none. */
static struct mr_mysql_guard *next_due(struct mr_mysql_watch *watch, uint64_t now_ms)
{
    mr_list_each (node, &watch->guards) {
        struct mr_mysql_guard *guard = mr_list_entry(node, struct mr_mysql_guard, node);

        if (guard->state == MR_MYSQL_HIT && now_ms >= guard->due_ms)
            cut(watch, guard);
        if (guard->state != MR_MYSQL_RUNNING || !is_overdue(guard, now_ms))
            continue;
        if (guard->gentle)
            return guard;
        cut(watch, guard);
    }
    return NULL;
}

static void kill_due(struct mr_mysql_watch *watch)
{
    struct mr_mysql_guard *guard;

    while ((guard = next_due(watch, mr_clock_ms()))) {
        guard->state = MR_MYSQL_DUE; /* from here on its owner waits for us */
        uv_mutex_unlock(&watch->lock);
        bool is_told = told(watch, guard);
        uv_mutex_lock(&watch->lock);
        guard->state = MR_MYSQL_HIT;
        guard->due_ms = mr_clock_ms() + (is_told ? SURVIVE_MS : 0);
        uv_cond_broadcast(&watch->sent);
    }
}

static void tend(struct mr_mysql_watch *watch)
{
    if (mr_clock_ms() < watch->tend_at_ms)
        return;
    watch->tend_at_ms = UINT64_MAX;
    uv_mutex_unlock(&watch->lock);
    watch->on_tend(watch->arg);
    uv_mutex_lock(&watch->lock);
}

static void sleep_until(struct mr_mysql_watch *watch, uint64_t at_ms)
{
    uint64_t now_ms = mr_clock_ms();

    watch->asleep = true;
    if (at_ms == UINT64_MAX)
        uv_cond_wait(&watch->wake, &watch->lock);
    else if (at_ms > now_ms)
        uv_cond_timedwait(&watch->wake, &watch->lock, (at_ms - now_ms) * 1000000);
    watch->asleep = false;
}

/* A short look again while there are statements, or were a moment ago; else only when woken. */
static void pause_a_while(struct mr_mysql_watch *watch)
{
    uint64_t now_ms = mr_clock_ms();

    if (!mr_list_empty(&watch->guards))
        watch->busy_ms = now_ms;
    if (now_ms >= watch->busy_ms + LINGER_MS) {
        sleep_until(watch, watch->tend_at_ms);
        return;
    }
    uv_cond_timedwait(&watch->wake, &watch->lock, LOOK_MS * 1000000ull);
}

static void watch_main(void *arg)
{
    struct mr_mysql_watch *watch = arg;

    mysql_thread_init();
    uv_mutex_lock(&watch->lock);
    while (!watch->leave) {
        kill_due(watch);
        tend(watch);
        if (!watch->leave)
            pause_a_while(watch);
    }
    uv_mutex_unlock(&watch->lock);
    mysql_thread_end();
}

/* ---- for the others ---- */

static int create(struct mr_mysql_watch *watch)
{
    sigset_t before;

    mr_signals_block(&before);
    int status = uv_thread_create(&watch->thread, watch_main, watch);
    mr_signals_restore(&before);
    return status;
}

static void destroy(struct mr_mysql_watch *watch)
{
    uv_cond_destroy(&watch->wake);
    uv_cond_destroy(&watch->sent);
    uv_mutex_destroy(&watch->lock);
    free(watch);
}

enum mr_code mr_mysql_watch_new(struct mr_host *host, const struct mr_mysql_login *login,
                                void (*on_tend)(void *arg), void *arg,
                                struct mr_mysql_watch **out, struct mr_err *err)
{
    struct mr_mysql_watch *watch = mr_zalloc(sizeof(*watch));

    watch->host = host;
    watch->login = login;
    watch->on_tend = on_tend;
    watch->arg = arg;
    watch->tend_at_ms = UINT64_MAX;
    mr_list_init(&watch->guards);
    uv_mutex_init(&watch->lock);
    uv_cond_init(&watch->wake);
    uv_cond_init(&watch->sent);
    int status = create(watch);
    if (status < 0) {
        destroy(watch);
        return mr_fail(err, MR_EIO, "mysql: no thread for the deadlines: %s",
                       uv_strerror(status));
    }
    *out = watch;
    return MR_OK;
}

void mr_mysql_watch_free(struct mr_mysql_watch *watch)
{
    if (!watch)
        return;
    uv_mutex_lock(&watch->lock);
    watch->leave = true;
    uv_cond_signal(&watch->wake);
    uv_mutex_unlock(&watch->lock);
    uv_thread_join(&watch->thread);
    destroy(watch);
}

void mr_mysql_watch_tend_at(struct mr_mysql_watch *watch, uint64_t at_ms)
{
    uv_mutex_lock(&watch->lock);
    if (at_ms < watch->tend_at_ms) {
        watch->tend_at_ms = at_ms;
        if (watch->asleep)
            uv_cond_signal(&watch->wake);
    }
    uv_mutex_unlock(&watch->lock);
}

void mr_mysql_guard_begin(struct mr_mysql_watch *watch, struct mr_mysql_guard *guard,
                          uint64_t due_ms, bool gentle)
{
    guard->due_ms = due_ms;
    guard->gentle = gentle;
    guard->state = MR_MYSQL_RUNNING;
    uv_mutex_lock(&watch->lock);
    mr_list_push_back(&watch->guards, &guard->node);
    if (watch->asleep)
        uv_cond_signal(&watch->wake);
    uv_mutex_unlock(&watch->lock);
}

enum mr_mysql_fate mr_mysql_guard_end(struct mr_mysql_watch *watch,
                                      struct mr_mysql_guard *guard)
{
    enum mr_mysql_fate fate = MR_MYSQL_LEFT_ALONE;

    uv_mutex_lock(&watch->lock);
    while (guard->state == MR_MYSQL_DUE)
        uv_cond_wait(&watch->sent, &watch->lock);
    if (guard->state == MR_MYSQL_HIT)
        fate = MR_MYSQL_KILLED;
    else if (guard->state == MR_MYSQL_SHUT)
        fate = MR_MYSQL_CUT;
    mr_list_remove(&guard->node);
    guard->state = MR_MYSQL_UNGUARDED;
    uv_mutex_unlock(&watch->lock);
    return fate;
}
