/* Who gets which connection, when: the pools of the service mysql. */
#include "jobs/services/mysql_pool.h"
#include "proto/base/clock.h"
#include "tests/support/mysql_scene.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { THREADS = 8, ROUNDS = 20, WAIT_MS = 200, SOON_MS = 5000, DEADLINE_MS = 15000 };

static struct mr_mysql_scene scene;
static struct mr_delivery delivery;
static struct mr_job *job;
static struct mr_err err;

static void init(const char *options)
{
    mr_mysql_scene_init(&scene, false, NULL);
    mr_mysql_scene_use(&scene, options);
    job = mr_mysql_scene_job(&delivery, 0);
}

static void fini(void)
{
    mr_mysql_scene_fini(&scene);
}

/* Connections that the server counts, root's own not. */
static long long connections(void)
{
    return mr_mariadb_int(
        &scene.db, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '%s'",
        MR_MARIADB_USER);
}

static void use(void *arg)
{
    struct mr_delivery own;
    unsigned *served = arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, mr_mysql_scene_job(&own, 0));

        if (mr_mysql_scene_run(conn, "DO SLEEP(0.002)", NULL) == MR_OK)
            ++*served;
        mr_mysql_give(conn);
    }
}

START_TEST(no_more_connections_than_allowed_and_everybody_is_served)
{
    uv_thread_t threads[THREADS];
    unsigned served[THREADS] = {0};

    init("{\"pool\": {\"min\": 1, \"max\": 2}}");
    for (int i = 0; i < THREADS; i++)
        uv_thread_create(&threads[i], use, &served[i]);
    for (int i = 0; i < THREADS; i++) {
        uv_thread_join(&threads[i]);
        ck_assert_uint_eq(served[i], ROUNDS);
    }
    /* the server's own high-water mark: ours, and root's */
    ck_assert_int_le(
        mr_mariadb_int(&scene.db, "SELECT variable_value FROM information_schema.global_status "
                                  "WHERE variable_name = 'Max_used_connections'"),
        3);
    fini();
}
END_TEST

START_TEST(opening_connects_to_nothing)
{
    init(NULL);
    ck_assert_int_eq(connections(), 0);
    fini();
}
END_TEST

START_TEST(the_latest_connection_is_lent_again)
{
    init(NULL);
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);

    mr_mysql_give(conn);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(mr_mysql_scene_take(&scene, job), conn);
        mr_mysql_give(conn);
    }
    ck_assert_int_eq(connections(), 1);
    fini();
}
END_TEST

START_TEST(waiting_ends_with_the_jobs_deadline)
{
    struct mr_delivery other;
    struct mr_mysql_conn *conn, *none = NULL;

    init("{\"pool\": {\"max\": 1}}");
    conn = mr_mysql_scene_take(&scene, job);
    uint64_t begin_ms = mr_clock_ms();
    ck_assert_int_eq(mr_mysql_take(scene.mysql, MR_MYSQL_WRITE,
                                   mr_mysql_scene_job(&other, WAIT_MS), &none, &err),
                     MR_ETIMEDOUT);
    ck_assert_uint_ge(mr_clock_ms() - begin_ms, WAIT_MS);
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, SOON_MS);
    ck_assert_ptr_nonnull(strstr(err.text, "mysql.pool.max is 1"));
    mr_mysql_give(conn);
    fini();
}
END_TEST

struct waiting {
    uv_thread_t thread;
    struct mr_delivery delivery;
    enum mr_code code;
};

static void wait_for_one(void *arg)
{
    struct waiting *waiting = arg;
    struct mr_mysql_conn *conn = NULL;

    waiting->code = mr_mysql_take(scene.mysql, MR_MYSQL_WRITE,
                                  mr_delivery_job(&waiting->delivery), &conn, NULL);
    mr_mysql_give(conn);
}

START_TEST(waiting_ends_when_the_job_is_cancelled)
{
    struct waiting waiting = {0};

    init("{\"pool\": {\"max\": 1}}");
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);
    mr_mysql_scene_job(&waiting.delivery, 0);
    uv_thread_create(&waiting.thread, wait_for_one, &waiting);
    waiting.delivery.cancelled = true;
    uv_thread_join(&waiting.thread);
    ck_assert_int_eq(waiting.code, MR_ETIMEDOUT);
    mr_mysql_give(conn);
    fini();
}
END_TEST

START_TEST(a_waiter_gets_what_is_given_back_even_when_it_is_broken)
{
    struct waiting waiting = {0};

    init("{\"pool\": {\"max\": 1}}");
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);
    mr_mysql_scene_job(&waiting.delivery, 0);
    uv_thread_create(&waiting.thread, wait_for_one, &waiting);
    mr_mariadb_do(&scene.db, "KILL USER '%s'", MR_MARIADB_USER);
    ck_assert_int_eq(mr_mysql_scene_run(conn, "DO 1", &err), MR_EUNKNOWN);
    mr_mysql_give(conn);
    uv_thread_join(&waiting.thread);
    ck_assert_int_eq(waiting.code, MR_OK);
    fini();
}
END_TEST

START_TEST(a_connection_in_the_middle_of_a_transaction_is_closed)
{
    init(NULL);
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);

    ck_assert_int_eq(mr_mysql_scene_run(conn, "START TRANSACTION", &err), MR_OK);
    ck_assert_int_eq(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'rye')", &err),
                     MR_OK);
    mr_mysql_give(conn);
    mr_wait_for(connections() == 0, DEADLINE_MS);
    ck_assert_int_eq(mr_mariadb_int(&scene.db, "SELECT COUNT(*) FROM grain"), 0);
    fini();
}
END_TEST

/* ---- idling ---- */

static struct mr_mysql_pool *pool;

static void on_tend(void *arg)
{
    (void)arg;
    mr_mysql_pool_tend(pool);
}

START_TEST(connections_above_the_minimum_are_closed_when_idle_for_long)
{
    struct mr_mysql_login login;
    struct mr_mysql_server server;
    struct mr_mysql_conn *conns[5];

    init(NULL);
    ck_assert_int_eq(mr_mysql_options_read(json_object_get(scene.config.sections, "mysql"),
                                           &login, &server, &err),
                     MR_OK);
    struct mr_mysql_house house = {
        .host = &scene.host, .login = &login, .statement_ms = 5000, .idle_ms = 100};
    ck_assert_int_eq(mr_mysql_watch_new(&scene.host, &login, on_tend, NULL, &house.watch, &err),
                     MR_OK);
    pool = mr_mysql_pool_new(&house, &server, 2, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(mr_mysql_pool_take(pool, job, &conns[i], &err), MR_OK);
    ck_assert_int_eq(connections(), 5);
    for (int i = 0; i < 5; i++)
        mr_mysql_pool_give(conns[i]);
    mr_wait_for(connections() == 2, DEADLINE_MS);
    mr_mysql_watch_free(house.watch);
    mr_mysql_pool_free(pool);
    fini();
}
END_TEST

/* ---- servers to read from ---- */

static void read_once(void)
{
    struct mr_mysql_conn *conn = NULL;

    ck_assert_msg(mr_mysql_take(scene.mysql, MR_MYSQL_READ, job, &conn, &err) == MR_OK, "%s",
                  err.text);
    ck_assert_int_eq(mr_mysql_scene_run(conn, "DO 1", &err), MR_OK);
    mr_mysql_give(conn);
}

/* Two servers to read from: the database through a proxy, and what second says. */
static void init_reads(struct mr_proxy *proxy, const char *second)
{
    char options[400];

    mr_mysql_scene_init(&scene, false, NULL);
    mr_proxy_start(proxy, scene.db.dir, scene.db.socket);
    snprintf(options, sizeof(options), "{\"read_hosts\": [\"%s\", \"%s\"]}", proxy->socket,
             second ? second : scene.db.socket);
    mr_mysql_scene_use(&scene, options);
    job = mr_mysql_scene_job(&delivery, 0);
}

static unsigned through(struct mr_proxy *proxy)
{
    struct mr_proxy_state state;

    mr_proxy_look(proxy, &state);
    return state.accepted;
}

START_TEST(reads_go_to_the_read_hosts_in_turn)
{
    struct mr_proxy proxy;

    init_reads(&proxy, NULL);
    for (int i = 0; i < 4; i++)
        read_once();
    ck_assert_uint_eq(through(&proxy), 1); /* one connection each, and both are kept */
    ck_assert_int_eq(connections(), 2);
    mr_proxy_stop(&proxy);
    fini();
}
END_TEST

START_TEST(a_read_host_that_is_away_is_passed_over)
{
    struct mr_proxy proxy;

    init_reads(&proxy, "/nowhere/mariadb.sock");
    for (int i = 0; i < 6; i++)
        read_once();
    ck_assert_uint_eq(through(&proxy), 1);
    mr_proxy_stop(&proxy);
    fini();
}
END_TEST

START_TEST(when_all_read_hosts_are_away_it_is_said_and_it_heals)
{
    struct mr_proxy proxy;
    struct mr_mysql_conn *conn = NULL;

    init_reads(&proxy, "/nowhere/mariadb.sock");
    mr_mariadb_kill(&scene.db);
    ck_assert_int_eq(mr_mysql_take(scene.mysql, MR_MYSQL_READ, job, &conn, &err), MR_EDOWN);
    mr_mariadb_again(&scene.db, NULL);
    read_once(); /* the write host is back, whether or not they are still passed over */
    mr_proxy_stop(&proxy);
    fini();
}
END_TEST

START_TEST(a_read_host_that_is_no_address_is_refused_at_once)
{
    mr_mysql_scene_init(&scene, false, NULL);
    ck_assert_int_eq(mr_mysql_scene_open(&scene, "{\"read_hosts\": [\"db2:http\"]}", &err),
                     MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "db2:http"));
    fini();
}
END_TEST

static const struct {
    const char *text, *name; /* NULL: refused */
} addresses[] = {
    {"db1",          "db1:3306"    },
    {"db1:3307",     "db1:3307"    },
    {"[::1]",        "[::1]:3306"  },
    {"[::1]:3307",   "[::1]:3307"  },
    {"/run/my.sock", "/run/my.sock"},
    {"",             NULL          },
    {":3306",        NULL          },
    {"db1:",         NULL          },
    {"db1:0",        NULL          },
    {"db1:65536",    NULL          },
    {"db1:33x",      NULL          },
    {"[::1",         NULL          },
    {"[::1]x",       NULL          },
};

START_TEST(addresses_are_read)
{
    struct mr_mysql_server server;
    enum mr_code code = mr_mysql_server_parse(addresses[_i].text, 3306, &server, &err);

    ck_assert_int_eq(code, addresses[_i].name ? MR_OK : MR_EINVAL);
    if (code == MR_OK) {
        ck_assert_str_eq(server.name, addresses[_i].name);
        mr_mysql_server_fini(&server);
    }
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {no_more_connections_than_allowed_and_everybody_is_served,    0                  },
        {opening_connects_to_nothing,                                 0                  },
        {the_latest_connection_is_lent_again,                         0                  },
        {waiting_ends_with_the_jobs_deadline,                         0                  },
        {waiting_ends_when_the_job_is_cancelled,                      0                  },
        {a_waiter_gets_what_is_given_back_even_when_it_is_broken,     0                  },
        {a_connection_in_the_middle_of_a_transaction_is_closed,       0                  },
        {connections_above_the_minimum_are_closed_when_idle_for_long, 0                  },
        {reads_go_to_the_read_hosts_in_turn,                          0                  },
        {a_read_host_that_is_away_is_passed_over,                     0                  },
        {when_all_read_hosts_are_away_it_is_said_and_it_heals,        0                  },
        {a_read_host_that_is_no_address_is_refused_at_once,           0                  },
        {addresses_are_read,                                          MR_COUNT(addresses)},
    };

    return mr_suite_run("mysql_pool", tests);
}
