/* Which server is read from, when: replicas that fall behind, stop, are away, and jobs that wrote before. */
#include "jobs/services/mysql_reads.h"
#include "proto/base/clock.h"
#include "tests/support/mysql_scene.h"
#include "tests/support/proxy.h"
#include "tests/support/replica.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { DEADLINE_MS = 20000, PRIMARY = 1, REPLICA = 2 };

static struct mr_mysql_scene scene;
static struct mr_mariadb replica;
static struct mr_delivery delivery;
static struct mr_job *job;
static struct mr_err err;

/* A primary and its replica, which is the read host; options go over the section mysql, JSON members. */
static void init(bool may_look, const char *options)
{
    mr_mysql_scene_init_primary(&scene);
    if (may_look)
        mr_replica_let_look(&scene.db);
    mr_replica_start(&replica, &scene.db, NULL);
    char *text = mr_asprintf("{\"read_hosts\": [\"%s\"]%s%s}", replica.socket,
                             options ? ", " : "", options ? options : "");
    mr_mysql_scene_use(&scene, text);
    free(text);
    job = mr_mysql_scene_job(&delivery, 0);
}

static void fini(void)
{
    mr_mariadb_stop(&replica);
    mr_mysql_scene_fini(&scene);
}

static void is(enum mr_code code, enum mr_code wanted)
{
    ck_assert_msg(code == wanted, "%s, not %s: %s", mr_code_name(code), mr_code_name(wanted),
                  code == MR_OK ? "" : err.text);
}

/* ---- reading ---- */

struct question {
    const char *sql;
    char *answer;
};

static enum mr_code ask(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    struct question *question = arg;

    (void)why;
    question->answer = mr_mysql_scene_text(conn, question->sql, NULL, 0);
    return MR_OK;
}

/* What a job reads, as a number. */
static int reads(struct mr_job *who, const char *sql)
{
    struct question question = {.sql = sql};

    is(mr_mysql_read(scene.mysql, who, ask, &question, &err), MR_OK);
    int number = question.answer ? atoi(question.answer) : -1;
    free(question.answer);
    return number;
}

/* Which server a new job reads from. */
static int server(void)
{
    struct mr_delivery other;

    return reads(mr_mysql_scene_job(&other, 0), "SELECT @@server_id");
}

static uint64_t count(const char *counter)
{
    return mr_mysql_scene_count(&scene, counter);
}

static long long asked(void)
{
    return mr_mariadb_int(&replica,
                          "SELECT variable_value FROM information_schema.global_status "
                          "WHERE variable_name = 'Com_show_slave_status'");
}

/* ---- how far it is behind ---- */

START_TEST(a_replica_that_keeps_up_is_read_from)
{
    init(true, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(server(), REPLICA);
    ck_assert_uint_eq(count("mysql_read_host_out"), 0);
    fini();
}
END_TEST

START_TEST(a_replica_too_far_behind_is_passed_over_until_it_has_caught_up)
{
    init(true, "\"max_lag_ms\": 300000");
    mr_replica_lag(&replica, &scene.db, 600);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(server(), PRIMARY);
    ck_assert_uint_eq(count("mysql_read_host_out"), 1);
    ck_assert_uint_eq(count("mysql_reads_at_write_host"), 3);
    mr_replica_hurry(&replica, &scene.db);
    mr_wait_for(server() == REPLICA, DEADLINE_MS);
    ck_assert_uint_eq(count("mysql_read_host_back"), 1);
    fini();
}
END_TEST

START_TEST(a_replica_behind_but_within_the_bound_is_read_from)
{
    init(true, "\"max_lag_ms\": 3600000");
    mr_replica_lag(&replica, &scene.db, 600);
    ck_assert_int_eq(server(), REPLICA);
    fini();
}
END_TEST

START_TEST(a_replica_that_stops_following_is_passed_over)
{
    init(true, NULL);
    ck_assert_int_eq(server(), REPLICA);
    mr_replica_halt(&replica);
    mr_wait_for(server() == PRIMARY, DEADLINE_MS);
    mr_replica_resume(&replica);
    mr_wait_for(server() == REPLICA, DEADLINE_MS);
    fini();
}
END_TEST

START_TEST(it_is_asked_about_once_a_second_not_with_each_read)
{
    init(true, NULL);
    long long before = asked();
    uint64_t begin_ms = mr_clock_ms();
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(server(), REPLICA);
    long long most = 2 + (long long)(mr_clock_ms() - begin_ms) / 1000;
    ck_assert_int_ge(asked() - before, 1);
    ck_assert_int_le(asked() - before, most);
    fini();
}
END_TEST

START_TEST(without_a_bound_nobody_asks)
{
    init(true, "\"max_lag_ms\": 0");
    mr_replica_halt(&replica);
    long long before = asked();
    ck_assert_int_eq(server(), REPLICA);
    ck_assert_int_eq(asked(), before);
    fini();
}
END_TEST

/* How often text stands in what was logged; stderr is a file from the first call on. */
static int logged(const char *text)
{
    static int fd = -1;
    static char log[64 * 1024];
    int n = 0;

    if (fd < 0) {
        char *path = mr_asprintf("%s/said", scene.db.dir);

        fd = open(path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
        dup2(fd, STDERR_FILENO);
        free(path);
    }
    ssize_t len = pread(fd, log, sizeof(log) - 1, 0);
    log[len > 0 ? len : 0] = '\0';
    for (const char *at = log; (at = strstr(at, text)); at++)
        n++;
    return n;
}

START_TEST(a_user_who_may_not_look_is_told_once_and_reads_on)
{
    init(false, NULL);
    ck_assert_int_eq(logged("mysql.lag_unknown"), 0);
    long long before = asked();
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(server(), REPLICA);
    ck_assert_int_eq(logged("mysql.lag_unknown"), 1);
    ck_assert_int_eq(logged("REPLICA MONITOR"), 1);
    ck_assert_int_eq(asked() - before, 1); /* and for a minute nobody asks again */
    fini();
}
END_TEST

START_TEST(a_server_that_does_not_tell_is_avoided_where_that_is_configured)
{
    init(false, "\"unknown_lag\": \"avoid\"");
    ck_assert_int_eq(server(), PRIMARY);
    fini();
}
END_TEST

START_TEST(a_server_that_follows_nobody_counts_as_one_that_does_not_tell)
{
    init(true, "\"unknown_lag\": \"avoid\"");
    mr_mariadb_do(&replica, "STOP SLAVE");
    mr_mariadb_do(&replica, "RESET SLAVE ALL");
    ck_assert_int_eq(server(), PRIMARY);
    fini();
}
END_TEST

START_TEST(a_replica_that_was_killed_is_passed_over_and_found_again)
{
    init(true, NULL);
    ck_assert_int_eq(server(), REPLICA);
    mr_mariadb_kill(&replica);
    ck_assert_int_eq(server(), PRIMARY);
    mr_replica_again(&replica, NULL);
    mr_wait_for(server() == REPLICA, DEADLINE_MS);
    ck_assert_uint_eq(count("mysql_read_host_out"), 1);
    ck_assert_uint_eq(count("mysql_read_host_back"), 1);
    fini();
}
END_TEST

/* ---- jobs that wrote ---- */

static enum mr_code write_grain(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    const bool *aside = arg;

    if (aside && *aside)
        mr_mysql_aside(conn);
    return mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'rye')", why);
}

static enum mr_code write_and_fail(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    is(write_grain(arg, conn, why), MR_OK);
    return mr_fail(why, MR_EINVAL, "no");
}

static int grains(struct mr_job *who)
{
    return reads(who, "SELECT COUNT(*) FROM grain");
}

/* The replica gets nothing from here on, and is read from all the same. */
static void init_frozen(const char *options)
{
    char *all = mr_asprintf("\"max_lag_ms\": 0%s", options);

    init(true, all);
    mr_replica_halt(&replica);
    ck_assert_int_eq(grains(job), 0);
    free(all);
}

START_TEST(a_job_that_wrote_reads_what_it_wrote_and_others_go_on_as_before)
{
    init_frozen("");
    is(mr_mysql_transact(scene.mysql, job, write_grain, NULL, &err), MR_OK);
    ck_assert_int_eq(grains(job), 1);
    ck_assert_int_eq(server(), REPLICA);
    ck_assert_uint_eq(count("mysql_reads_sticky"), 1);
    fini();
}
END_TEST

START_TEST(a_statement_outside_of_a_transaction_counts_as_well)
{
    init_frozen("");
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);
    is(write_grain(NULL, conn, &err), MR_OK);
    mr_mysql_give(conn);
    ck_assert_int_eq(grains(job), 1);
    fini();
}
END_TEST

START_TEST(a_job_that_only_read_at_the_write_host_did_not_write)
{
    init_frozen("");
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);
    free(mr_mysql_scene_text(conn, "SELECT 1", NULL, 0));
    mr_mysql_give(conn);
    ck_assert_int_eq(reads(job, "SELECT @@server_id"), REPLICA);
    fini();
}
END_TEST

START_TEST(what_was_rolled_back_was_not_written)
{
    init_frozen("");
    is(mr_mysql_transact(scene.mysql, job, write_and_fail, NULL, &err), MR_EINVAL);
    ck_assert_int_eq(reads(job, "SELECT @@server_id"), REPLICA);
    fini();
}
END_TEST

START_TEST(what_is_written_aside_binds_no_reads)
{
    bool aside = true;

    init_frozen("");
    is(mr_mysql_transact(scene.mysql, job, write_grain, &aside, &err), MR_OK);
    ck_assert_int_eq(reads(job, "SELECT @@server_id"), REPLICA);
    fini();
}
END_TEST

START_TEST(without_stickiness_a_job_may_miss_what_it_wrote)
{
    init_frozen(", \"sticky\": false");
    is(mr_mysql_transact(scene.mysql, job, write_grain, NULL, &err), MR_OK);
    ck_assert_int_eq(grains(job), 0);
    fini();
}
END_TEST

/* ---- one looks, the others go on ---- */

enum { THREADS = 4, CONNECT_MS = 1000, AWAY_MS = 300, PROBES = 3 };

/* Read hosts of which there is one, that takes connections and never answers. */
static struct {
    struct mr_proxy proxy;
    struct mr_mysql_login login;
    struct mr_mysql_house house;
    struct mr_mysql_reads *reads;
    _Atomic bool stop;
} hung;

static void tend(void *arg)
{
    (void)arg;
}

static void init_hung(void)
{
    const struct mr_mysql_read_rules rules = {.away_ms = AWAY_MS};
    struct mr_mysql_server server;

    mr_mysql_scene_init(&scene, false, NULL);
    mr_proxy_start(&hung.proxy, scene.db.dir, scene.db.socket);
    mr_proxy_hold(&hung.proxy, MR_TO_SERVER);
    hung.login = (struct mr_mysql_login){.user = MR_MARIADB_USER,
                                         .password = MR_MARIADB_PASSWORD,
                                         .database = MR_MARIADB_DATABASE,
                                         .connect_timeout_ms = CONNECT_MS};
    hung.house = (struct mr_mysql_house){.host = &scene.host, .login = &hung.login};
    is(mr_mysql_watch_new(&scene.host, &hung.login, tend, NULL, &hung.house.watch, &err),
       MR_OK);
    is(mr_mysql_server_parse(hung.proxy.socket, 0, &server, &err), MR_OK);
    hung.reads = mr_mysql_reads_new(&hung.house, &rules);
    mr_mysql_reads_add(hung.reads, mr_mysql_pool_new(&hung.house, &server, 0, 10));
}

static void fini_hung(void)
{
    mr_mysql_watch_free(hung.house.watch);
    mr_mysql_reads_free(hung.reads);
    mr_proxy_stop(&hung.proxy);
    mr_mysql_scene_fini(&scene);
}

static unsigned tried(void)
{
    struct mr_proxy_state state;

    mr_proxy_look(&hung.proxy, &state);
    return state.accepted;
}

static void find_none(void)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_err why;

    ck_assert_int_eq(mr_mysql_reads_take(hung.reads, NULL, &conn, &why), MR_ENOTFOUND);
}

static void keep_asking(void *arg)
{
    (void)arg;
    while (!hung.stop) {
        find_none();
        mr_wait_a_moment();
    }
}

START_TEST(of_all_who_read_one_looks_whether_a_host_is_back)
{
    uv_thread_t threads[THREADS];

    init_hung();
    find_none();
    ck_assert_uint_eq(tried(), 1);
    uint64_t begin_ms = mr_clock_ms();
    for (int i = 0; i < THREADS; i++)
        uv_thread_create(&threads[i], keep_asking, NULL);
    mr_wait_for(tried() > PROBES, DEADLINE_MS);
    /* Between two who look lie the pause and the time in which the host did not answer. */
    ck_assert_uint_ge(mr_clock_ms() - begin_ms, (PROBES - 1) * (AWAY_MS + CONNECT_MS));
    hung.stop = true;
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i]);
    fini_hung();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_replica_that_keeps_up_is_read_from,                            0},
        {a_replica_too_far_behind_is_passed_over_until_it_has_caught_up,  0},
        {a_replica_behind_but_within_the_bound_is_read_from,              0},
        {a_replica_that_stops_following_is_passed_over,                   0},
        {it_is_asked_about_once_a_second_not_with_each_read,              0},
        {without_a_bound_nobody_asks,                                     0},
        {a_user_who_may_not_look_is_told_once_and_reads_on,               0},
        {a_server_that_does_not_tell_is_avoided_where_that_is_configured, 0},
        {a_server_that_follows_nobody_counts_as_one_that_does_not_tell,   0},
        {a_replica_that_was_killed_is_passed_over_and_found_again,        0},
        {a_job_that_wrote_reads_what_it_wrote_and_others_go_on_as_before, 0},
        {a_statement_outside_of_a_transaction_counts_as_well,             0},
        {a_job_that_only_read_at_the_write_host_did_not_write,            0},
        {what_was_rolled_back_was_not_written,                            0},
        {what_is_written_aside_binds_no_reads,                            0},
        {without_stickiness_a_job_may_miss_what_it_wrote,                 0},
        {of_all_who_read_one_looks_whether_a_host_is_back,                0},
    };

    return mr_suite_run("mysql_reads", tests);
}
