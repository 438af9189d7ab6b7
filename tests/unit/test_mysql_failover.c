/* A server that dies at the worst moment, and one that hands over to another: what happened is known, or called unknown. */
#include "proto/base/clock.h"
#include "tests/support/mysql_scene.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { DEADLINE_MS = 20000, CONNS = 3 };

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

static void is(enum mr_code code, enum mr_code wanted)
{
    ck_assert_msg(code == wanted, "%s, not %s: %s", mr_code_name(code), mr_code_name(wanted),
                  code == MR_OK ? "" : err.text);
}

static void says(const char *words)
{
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
}

static long long grains(void)
{
    return mr_mariadb_int(&scene.db, "SELECT COUNT(*) FROM grain");
}

/* An effect as billing makes it: its key says whether it happened. */
static enum mr_code insert(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    (void)arg;
    return mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'rye')", why);
}

static enum mr_code transact(mr_mysql_transaction_fn *fn)
{
    return mr_mysql_transact(scene.mysql, job, fn, NULL, &err);
}

/* ---- kill -9 ---- */

static struct mr_proxy proxy;

static void init_proxy(void)
{
    char options[160];

    mr_mysql_scene_init(&scene, false, NULL);
    mr_proxy_start(&proxy, scene.db.dir, scene.db.socket);
    snprintf(options, sizeof(options), "{\"socket\": \"%s\"}", proxy.socket);
    mr_mysql_scene_use(&scene, options);
    job = mr_mysql_scene_job(&delivery, 0);
    mr_mysql_give(mr_mysql_scene_take(&scene, job)); /* its greeting says READ COMMITTED */
}

static enum mr_code insert_too_late(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    mr_mariadb_kill(&scene.db);
    return insert(arg, conn, why);
}

static enum mr_code insert_and_die(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    is(insert(arg, conn, why), MR_OK);
    mr_mariadb_kill(&scene.db);
    return MR_OK;
}

static void kill_when_sprung(void *arg)
{
    (void)arg;
    mr_wait_for(mr_proxy_sprung(&proxy), DEADLINE_MS);
    mr_mariadb_kill(&scene.db);
}

/* The COMMIT is on its way and never arrives; or it is in force, and its answer is what does not arrive. */
static enum mr_code commit_into(enum mr_proxy_trap trap)
{
    uv_thread_t killer;

    mr_proxy_trap(&proxy, trap, "COMMIT");
    uv_thread_create(&killer, kill_when_sprung, NULL);
    enum mr_code code = transact(insert);
    uv_thread_join(&killer);
    return code;
}

static enum mr_code die_before_the_insert(void)
{
    return transact(insert_too_late);
}

static enum mr_code die_before_the_commit(void)
{
    return transact(insert_and_die);
}

static enum mr_code die_in_the_commit(void)
{
    return commit_into(MR_TRAP_HOLD);
}

static enum mr_code die_after_the_commit(void)
{
    return commit_into(MR_TRAP_LOSE_REPLY);
}

static const struct {
    enum mr_code (*die)(void);
    enum mr_code code;  /* what is known */
    int happened;       /* what is true */
    enum mr_code again; /* what the same transaction meets when the server is back */
} deaths[] = {
    {die_before_the_insert, MR_EDOWN,    0, MR_OK    },
    {die_before_the_commit, MR_EUNKNOWN, 0, MR_OK    },
    {die_in_the_commit,     MR_EUNKNOWN, 0, MR_OK    },
    {die_after_the_commit,  MR_EUNKNOWN, 1, MR_EEXIST},
};

START_TEST(a_server_killed_at_any_moment_leaves_one_effect_after_a_second_try)
{
    init_proxy();
    is(deaths[_i].die(), deaths[_i].code);
    mr_mariadb_again(&scene.db, NULL);
    ck_assert_int_eq(grains(), deaths[_i].happened);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    is(transact(insert), deaths[_i].again);
    ck_assert_int_eq(grains(), 1);
    mr_proxy_stop(&proxy);
    fini();
}
END_TEST

/* ---- read-only ---- */

static void hand_over(bool read_only)
{
    mr_mariadb_do(&scene.db, "SET GLOBAL read_only = %d", read_only);
}

static long long connections(void)
{
    return mr_mariadb_int(
        &scene.db, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '%s'",
        MR_MARIADB_USER);
}

static void open_some(void)
{
    struct mr_mysql_conn *conns[CONNS];

    for (int i = 0; i < CONNS; i++)
        conns[i] = mr_mysql_scene_take(&scene, job);
    for (int i = 0; i < CONNS; i++)
        mr_mysql_give(conns[i]);
    ck_assert_int_eq(connections(), CONNS);
}

START_TEST(a_server_that_turned_read_only_is_as_good_as_away)
{
    struct mr_mysql_conn *conn = NULL;

    init(NULL);
    open_some();
    hand_over(true);
    is(transact(insert), MR_EDOWN);
    says("1290");
    mr_wait_for(connections() == 0, DEADLINE_MS); /* whoever idles there leads there */
    is(mr_mysql_take(scene.mysql, MR_MYSQL_WRITE, job, &conn, &err), MR_EDOWN);
    says("is read-only now");
    says(scene.db.socket);
    hand_over(false);
    is(transact(insert), MR_OK);
    ck_assert_int_eq(grains(), 1);
    fini();
}
END_TEST

START_TEST(a_statement_alone_that_meets_read_only_did_not_happen)
{
    init(NULL);
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);

    hand_over(true);
    is(insert(NULL, conn, &err), MR_EDOWN);
    mr_mysql_give(conn);
    hand_over(false);
    ck_assert_int_eq(grains(), 0);
    fini();
}
END_TEST

static enum mr_code insert_and_hand_over(void *arg, struct mr_mysql_conn *conn,
                                         struct mr_err *why)
{
    is(insert(arg, conn, why), MR_OK);
    hand_over(true);
    return MR_OK;
}

START_TEST(a_commit_that_meets_read_only_did_not_happen)
{
    init(NULL);
    is(transact(insert_and_hand_over), MR_EDOWN);
    hand_over(false);
    ck_assert_int_eq(grains(), 0);
    fini();
}
END_TEST

static enum mr_code read_one(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    (void)arg;
    return mr_mysql_query(conn, "SELECT COUNT(*) FROM grain", NULL, 0, NULL,
                          mr_mysql_scene_ignore, NULL, why);
}

START_TEST(a_read_only_server_is_still_read_from)
{
    init(NULL);
    hand_over(true);
    is(mr_mysql_read(scene.mysql, job, read_one, NULL, &err), MR_OK);
    fini();
}
END_TEST

/* READ COMMITTED, in which ours are, cannot be replicated as statements: a person must act, the job is not to blame. */
START_TEST(a_binary_log_of_statements_refuses_what_jobs_write)
{
    static const char *const args[] = {"--log-bin=binlog", "--server-id=1",
                                       "--binlog-format=STATEMENT", NULL};

    mr_mysql_scene_init(&scene, false, args);
    mr_mysql_scene_use(&scene, NULL);
    job = mr_mysql_scene_job(&delivery, 0);
    is(transact(insert), MR_EFAULT);
    says("1665");
    fini();
}
END_TEST

/* ---- locks ---- */

static const struct {
    const char *options;
    int want_s;
} waits[] = {
    {NULL,                                                            10},
    {"{\"lock_timeout_ms\": 3000}",                                   3 },
    {"{\"lock_timeout_ms\": 2999}",                                   2 },
    {"{\"statement_timeout_ms\": 5000}",                              4 },
    {"{\"statement_timeout_ms\": 100}",                               1 },
    {"{\"lock_timeout_ms\": 60000, \"statement_timeout_ms\": 90000}", 60},
};

START_TEST(a_wait_for_a_lock_is_shorter_than_a_statement_may_take)
{
    init(waits[_i].options);
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);
    char *text = mr_mysql_scene_text(conn, "SELECT @@innodb_lock_wait_timeout", NULL, 0);

    ck_assert_int_eq(atoi(text), waits[_i].want_s);
    free(text);
    mr_mysql_give(conn);
    fini();
}
END_TEST

START_TEST(who_waits_for_a_lock_in_vain_is_told_so_and_not_that_it_was_slow)
{
    init("{\"lock_timeout_ms\": 1000}");
    mr_mariadb_do(&scene.db, "INSERT INTO grain VALUES (1, 'rye')");
    mr_mariadb_do(&scene.db, "BEGIN");
    mr_mariadb_do(&scene.db, "UPDATE grain SET kind = 'held' WHERE id = 1");
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);
    uint64_t begin_ms = mr_clock_ms();
    is(mr_mysql_scene_run(conn, "UPDATE grain SET kind = 'oat' WHERE id = 1", &err), MR_EBUSY);
    says("1205");
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, DEADLINE_MS); /* a server's own is 50 s */
    mr_mysql_give(conn);
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_server_killed_at_any_moment_leaves_one_effect_after_a_second_try, MR_COUNT(deaths)},
        {a_server_that_turned_read_only_is_as_good_as_away,                  0               },
        {a_statement_alone_that_meets_read_only_did_not_happen,              0               },
        {a_commit_that_meets_read_only_did_not_happen,                       0               },
        {a_read_only_server_is_still_read_from,                              0               },
        {a_binary_log_of_statements_refuses_what_jobs_write,                 0               },
        {a_wait_for_a_lock_is_shorter_than_a_statement_may_take,             MR_COUNT(waits) },
        {who_waits_for_a_lock_in_vain_is_told_so_and_not_that_it_was_slow,   0               },
    };

    return mr_suite_run("mysql_failover", tests);
}
