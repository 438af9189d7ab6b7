/* Transactions, deadlines and lost servers through the service mysql: what happened, and what it is called. */
#include "proto/base/clock.h"
#include "tests/support/mysql_scene.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"
#include "worker/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { LIMIT_MS = 200, SOON_MS = 5000, DEADLINE_MS = 15000, SLEEP_S = 30 };

static struct mr_mysql_scene scene;
static struct mr_delivery delivery;
static struct mr_job *job;
static struct mr_err err;

static void init(const char *options, const char *const *args)
{
    mr_mysql_scene_init(&scene, false, args);
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

static long long grains(void)
{
    return mr_mariadb_int(&scene.db, "SELECT COUNT(*) FROM grain");
}

/* Whether some session of ours is in the middle of a statement that begins so. */
static bool runs(const char *beginning)
{
    return mr_mariadb_int(
               &scene.db,
               "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '%s' "
               "AND info LIKE '%s%%'",
               MR_MARIADB_USER, beginning) > 0;
}

/* The pool lends connections that work. */
static void serves(void)
{
    struct mr_delivery other;
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, mr_mysql_scene_job(&other, 0));

    is(mr_mysql_scene_run(conn, "DO 1", &err), MR_OK);
    mr_mysql_give(conn);
}

/* ---- something on a thread of its own ---- */

struct doing {
    uv_thread_t thread;
    const char *sql;
    struct mr_delivery delivery;
    enum mr_code code;
    struct mr_err err;
};

static enum mr_code in_transaction(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    const struct doing *doing = arg;
    enum mr_code code = mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (7, 'oat')", why);

    if (code == MR_OK)
        code =
            mr_mysql_query(conn, doing->sql, NULL, 0, NULL, mr_mysql_scene_ignore, NULL, why);
    return code;
}

static void transact(void *arg)
{
    struct doing *doing = arg;

    doing->code = mr_mysql_transact(scene.mysql, mr_delivery_job(&doing->delivery),
                                    in_transaction, doing, &doing->err);
}

static void run_alone(void *arg)
{
    struct doing *doing = arg;
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, mr_delivery_job(&doing->delivery));

    doing->code = mr_mysql_scene_run(conn, doing->sql, &doing->err);
    mr_mysql_give(conn);
}

/* Starts it and returns when the server is in the middle of sql. */
static void start(struct doing *doing, void (*how)(void *), const char *sql)
{
    doing->sql = sql;
    mr_mysql_scene_job(&doing->delivery, 0);
    ck_assert_int_eq(uv_thread_create(&doing->thread, how, doing), 0);
    mr_wait_for(runs(sql), DEADLINE_MS);
}

static enum mr_code end(struct doing *doing)
{
    uv_thread_join(&doing->thread);
    err = doing->err;
    return doing->code;
}

/* ---- transactions ---- */

struct rival {
    uv_thread_t thread;
    uv_barrier_t *both; /* each holds its first row */
    int first, second;
    unsigned tries;
    enum mr_code code;
    struct mr_err err;
};

static enum mr_code update(struct mr_mysql_conn *conn, int id, struct mr_err *why)
{
    const struct mr_sql_value values[] = {mr_sql_int(id)};

    return mr_mysql_run(conn, "UPDATE grain SET kind = CONCAT(kind, '+') WHERE id = ?", values,
                        1, NULL, NULL, why);
}

static enum mr_code cross(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    struct rival *rival = arg;
    enum mr_code code = update(conn, rival->first, why);

    if (rival->tries++ == 0)
        uv_barrier_wait(rival->both);
    return code == MR_OK ? update(conn, rival->second, why) : code;
}

static void compete(void *arg)
{
    struct rival *rival = arg;
    struct mr_delivery own;

    rival->code =
        mr_mysql_transact(scene.mysql, mr_mysql_scene_job(&own, 0), cross, rival, &rival->err);
}

START_TEST(deadlock_is_tried_again)
{
    uv_barrier_t both;
    struct rival rivals[] = {
        {.first = 1, .second = 2},
        {.first = 2, .second = 1}
    };

    init(NULL, NULL);
    mr_mariadb_do(&scene.db, "INSERT INTO grain VALUES (1, ''), (2, '')");
    uv_barrier_init(&both, 2);
    for (int i = 0; i < 2; i++) {
        rivals[i].both = &both;
        uv_thread_create(&rivals[i].thread, compete, &rivals[i]);
    }
    for (int i = 0; i < 2; i++) {
        uv_thread_join(&rivals[i].thread);
        err = rivals[i].err;
        is(rivals[i].code, MR_OK);
    }
    ck_assert_uint_ge(rivals[0].tries + rivals[1].tries, 3);
    ck_assert_int_eq(mr_mariadb_int(&scene.db, "SELECT COUNT(*) FROM grain WHERE kind = '++'"),
                     2);
    uv_barrier_destroy(&both);
    fini();
}
END_TEST

static enum mr_code insert_and_fail(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    (void)arg;
    is(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'rye')", why), MR_OK);
    return mr_fail(why, MR_EINVAL, "no such customer");
}

START_TEST(a_failing_transaction_leaves_nothing_and_says_its_own_words)
{
    init(NULL, NULL);
    is(mr_mysql_transact(scene.mysql, job, insert_and_fail, NULL, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "no such customer");
    ck_assert_int_eq(grains(), 0);
    serves();
    fini();
}
END_TEST

static enum mr_code meet_duplicate(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    (void)arg;
    is(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (2, 'oat')", why), MR_OK);
    is(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'oat')", why), MR_EEXIST);
    return MR_OK;
}

START_TEST(a_duplicate_is_no_end_of_the_transaction)
{
    init(NULL, NULL);
    mr_mariadb_do(&scene.db, "INSERT INTO grain VALUES (1, 'rye')");
    is(mr_mysql_transact(scene.mysql, job, meet_duplicate, NULL, &err), MR_OK);
    ck_assert_int_eq(grains(), 2);
    fini();
}
END_TEST

/* The statement before went with the lock wait; committing the rest would be half of it. */
static enum mr_code overlook(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    unsigned *tries = arg;

    ++*tries;
    is(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (2, 'oat')", why), MR_OK);
    is(update(conn, 1, why), MR_EBUSY);
    is(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (3, 'oat')", why), MR_EBUSY);
    return MR_OK;
}

START_TEST(a_transaction_that_lost_a_statement_is_not_committed)
{
    unsigned tries = 0;

    init("{\"lock_timeout_ms\": 1000}", NULL);
    mr_mariadb_do(&scene.db, "INSERT INTO grain VALUES (1, 'rye')");
    mr_mariadb_do(&scene.db, "BEGIN");
    mr_mariadb_do(&scene.db, "UPDATE grain SET kind = 'held' WHERE id = 1");
    is(mr_mysql_transact(scene.mysql, job, overlook, &tries, &err), MR_EBUSY);
    ck_assert_uint_eq(tries, 5);
    mr_mariadb_do(&scene.db, "COMMIT");
    ck_assert_int_eq(grains(), 1);
    fini();
}
END_TEST

/* ---- deadlines ---- */

static void is_killed_soon(struct mr_mysql_conn *conn)
{
    uint64_t begin_ms = mr_clock_ms();

    is(mr_mysql_query(conn, "SELECT SLEEP(30)", NULL, 0, NULL, mr_mysql_scene_ignore, NULL,
                      &err),
       MR_ETIMEDOUT);
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, SOON_MS);
    mr_mysql_give(conn);
    mr_wait_for(!runs("SELECT SLEEP"), SOON_MS); /* it answers first, and forgets then */
    ck_assert_uint_eq(mr_mysql_scene_count(&scene, "mysql_killed"), 1);
    serves();
}

START_TEST(an_overdue_statement_is_killed_at_the_server)
{
    init(NULL, NULL);
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);

    mr_mysql_limit(conn, LIMIT_MS);
    is_killed_soon(conn);
    fini();
}
END_TEST

START_TEST(the_configured_timeout_holds_where_nobody_says_another)
{
    init("{\"statement_timeout_ms\": 200}", NULL);
    is_killed_soon(mr_mysql_scene_take(&scene, job));
    fini();
}
END_TEST

START_TEST(no_statement_outlives_its_jobs_deadline)
{
    init(NULL, NULL);
    is_killed_soon(mr_mysql_scene_take(&scene, mr_mysql_scene_job(&delivery, LIMIT_MS)));
    fini();
}
END_TEST

START_TEST(a_cancelled_job_loses_its_statement)
{
    struct doing doing = {0};

    init(NULL, NULL);
    start(&doing, transact, "SELECT SLEEP(30)");
    uint64_t begin_ms = mr_clock_ms();
    doing.delivery.cancelled = true;
    is(end(&doing), MR_ETIMEDOUT);
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, SOON_MS);
    ck_assert_int_eq(grains(), 0);
    serves();
    fini();
}
END_TEST

START_TEST(a_cancelled_job_starts_no_statement)
{
    init(NULL, NULL);
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);

    delivery.cancelled = true;
    is(mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'rye')", &err), MR_ETIMEDOUT);
    mr_mysql_give(conn);
    ck_assert_int_eq(grains(), 0);
    fini();
}
END_TEST

/* Statements that end just as their KILL is sent: whatever comes next on the connection is not hit. */
START_TEST(a_kill_never_meets_the_next_statement)
{
    init(NULL, NULL);
    for (unsigned i = 0; i < 60; i++) {
        struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, job);

        mr_mysql_limit(conn, 45 + i % 15); /* the watch looks every 50 ms */
        enum mr_code code = mr_mysql_query(conn, "SELECT SLEEP(0.05)", NULL, 0, NULL,
                                           mr_mysql_scene_ignore, NULL, &err);
        mr_mysql_limit(conn, 0);
        if (code == MR_OK)
            is(mr_mysql_scene_run(conn, "DO 1", &err), MR_OK);
        else
            is(code, MR_ETIMEDOUT);
        mr_mysql_give(conn);
        serves();
    }
    fini();
}
END_TEST

START_TEST(a_server_that_hangs_holds_nobody_for_long)
{
    struct doing doing = {0};

    init("{\"statement_timeout_ms\": 1000, \"connect_timeout_ms\": 1000}", NULL);
    start(&doing, transact, "SELECT SLEEP(30)");
    kill(scene.db.pid, SIGSTOP);
    uint64_t begin_ms = mr_clock_ms();
    is(end(&doing), MR_ETIMEDOUT);
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, 2 * SOON_MS);
    kill(scene.db.pid, SIGCONT);
    serves();
    ck_assert_int_eq(grains(), 0);
    fini();
}
END_TEST

/* ---- lost servers ---- */

START_TEST(a_server_lost_in_a_transaction_is_down_and_did_nothing)
{
    struct doing doing = {0};

    init(NULL, NULL);
    start(&doing, transact, "SELECT SLEEP(30)");
    mr_mariadb_kill(&scene.db);
    is(end(&doing), MR_EDOWN);
    mr_mariadb_again(&scene.db, NULL);
    ck_assert_int_eq(grains(), 0);
    serves();
    fini();
}
END_TEST

START_TEST(a_server_lost_in_a_statement_of_its_own_leaves_it_unknown)
{
    struct doing doing = {0};

    init(NULL, NULL);
    start(&doing, run_alone, "INSERT INTO grain SELECT 1, SLEEP(30)");
    mr_mariadb_kill(&scene.db);
    is(end(&doing), MR_EUNKNOWN);
    ck_assert_ptr_nonnull(strstr(err.text, scene.db.socket));
    mr_mariadb_again(&scene.db, NULL);
    fini();
}
END_TEST

static enum mr_code insert(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    (void)arg;
    return mr_mysql_scene_run(conn, "INSERT INTO grain VALUES (1, 'rye')", why);
}

/* A bad network between us and the server, which loses what it is told to. */
static void commit_through(enum mr_proxy_trap trap)
{
    struct mr_proxy proxy;
    char options[160];

    mr_mysql_scene_init(&scene, false, NULL);
    mr_proxy_start(&proxy, scene.db.dir, scene.db.socket);
    snprintf(options, sizeof(options), "{\"socket\": \"%s\"}", proxy.socket);
    mr_mysql_scene_use(&scene, options);
    job = mr_mysql_scene_job(&delivery, 0);
    serves();
    mr_proxy_trap(&proxy, trap, "COMMIT");
    is(mr_mysql_transact(scene.mysql, job, insert, NULL, &err), MR_EUNKNOWN);
    ck_assert(mr_proxy_sprung(&proxy));
    serves();
    mr_proxy_stop(&proxy);
}

START_TEST(a_commit_whose_answer_is_lost_is_unknown_and_may_have_happened)
{
    commit_through(MR_TRAP_LOSE_REPLY);
    ck_assert_int_eq(grains(), 1);
    fini();
}
END_TEST

START_TEST(a_commit_that_never_arrived_is_unknown_too)
{
    commit_through(MR_TRAP_CUT_BEFORE);
    ck_assert_int_eq(grains(), 0);
    fini();
}
END_TEST

/* One row: the word after which the network is silent, and what is known then. */
static const struct {
    const char *word;
    enum mr_code code;
} silences[] = {
    {"BEGIN",    MR_ETIMEDOUT},
    {"stuck",    MR_ETIMEDOUT},
    {"COMMIT",   MR_EUNKNOWN },
    {"ROLLBACK", MR_EINVAL   },
};

static enum mr_code stick(void *arg, struct mr_mysql_conn *conn, struct mr_err *why)
{
    const char *word = arg;
    enum mr_code code = mr_mysql_scene_run(conn, "DO 'stuck'", why);

    return code == MR_OK && strcmp(word, "ROLLBACK") == 0 ? mr_fail(why, MR_EINVAL, "no")
                                                          : code;
}

/* Who does not stop within the grace behind its deadline costs its worker, and all who run there. */
START_TEST(no_silence_holds_a_thread_past_the_grace_of_its_job)
{
    enum { JOB_MS = 500, GRACE_MS = MR_CANCEL_GRACE_MAX_MS };
    const char *word = silences[_i].word;
    struct mr_proxy proxy;
    char options[160];

    mr_mysql_scene_init(&scene, false, NULL);
    mr_proxy_start(&proxy, scene.db.dir, scene.db.socket);
    snprintf(options, sizeof(options), "{\"socket\": \"%s\"}", proxy.socket);
    mr_mysql_scene_use(&scene, options);
    serves();
    if (strcmp(word, "stuck") == 0)
        mr_proxy_only(&proxy, word); /* KILL QUERY comes through, and helps nobody */
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, word);
    uint64_t begin_ms = mr_clock_ms();
    job = mr_mysql_scene_job(&delivery, JOB_MS);
    is(mr_mysql_transact(scene.mysql, job, stick, (void *)(uintptr_t)word, &err),
       silences[_i].code);
    ck_assert(mr_proxy_sprung(&proxy));
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, JOB_MS + GRACE_MS - 500);
    mr_proxy_stop(&proxy);
    fini();
}
END_TEST

START_TEST(an_idle_connection_gone_silent_holds_nobody_past_the_grace)
{
    enum { JOB_MS = 500, GRACE_MS = MR_CANCEL_GRACE_MAX_MS };
    struct mr_mysql_conn *conn = NULL;
    struct mr_proxy proxy;
    char options[160];

    mr_mysql_scene_init(&scene, false, NULL);
    mr_proxy_start(&proxy, scene.db.dir, scene.db.socket);
    snprintf(options, sizeof(options), "{\"socket\": \"%s\", \"connect_timeout_ms\": 60000}",
             proxy.socket);
    mr_mysql_scene_use(&scene, options);
    conn = mr_mysql_scene_take(&scene, mr_mysql_scene_job(&delivery, 0));
    struct mr_mysql_conn *other = mr_mysql_scene_take(&scene, mr_delivery_job(&delivery));
    is(mr_mysql_scene_run(other, "KILL CONNECTION_ID()", &err), MR_EUNKNOWN);
    mr_mysql_give(conn);
    mr_mysql_give(other); /* broken: the one that idles is asked first */
    mr_proxy_hold(&proxy, MR_TO_SERVER);
    uint64_t begin_ms = mr_clock_ms();
    job = mr_mysql_scene_job(&delivery, JOB_MS);
    is(mr_mysql_take(scene.mysql, MR_MYSQL_WRITE, job, &conn, &err), MR_ETIMEDOUT);
    ck_assert_uint_lt(mr_clock_ms() - begin_ms, JOB_MS + GRACE_MS - 500);
    mr_proxy_stop(&proxy);
    fini();
}
END_TEST

START_TEST(a_server_that_is_away_at_first_is_found_when_it_comes)
{
    struct mr_mysql_conn *conn = NULL;

    init(NULL, NULL);
    mr_mariadb_kill(&scene.db);
    is(mr_mysql_take(scene.mysql, MR_MYSQL_WRITE, job, &conn, &err), MR_EDOWN);
    ck_assert_ptr_null(conn);
    ck_assert_ptr_nonnull(strstr(err.text, scene.db.socket));
    mr_mariadb_again(&scene.db, NULL);
    serves();
    fini();
}
END_TEST

START_TEST(connections_that_died_while_idle_are_never_lent)
{
    struct mr_mysql_conn *conns[3];

    init(NULL, NULL);
    for (int i = 0; i < 3; i++)
        conns[i] = mr_mysql_scene_take(&scene, job);
    for (int i = 0; i < 3; i++)
        mr_mysql_give(conns[i]);
    mr_mariadb_kill(&scene.db);
    mr_mariadb_again(&scene.db, NULL);
    for (int i = 0; i < 3; i++)
        conns[i] = mr_mysql_scene_take(&scene, job);
    for (int i = 0; i < 3; i++) {
        is(mr_mysql_scene_run(conns[i], "DO 1", &err), MR_OK);
        mr_mysql_give(conns[i]);
    }
    fini();
}
END_TEST

/* ---- what a person must mend ---- */

static void refuses(const char *options, const char *says)
{
    struct mr_mysql_conn *conn = NULL;

    mr_mysql_scene_init(&scene, false, NULL);
    mr_mysql_scene_use(&scene, options);
    is(mr_mysql_take(scene.mysql, MR_MYSQL_WRITE, mr_mysql_scene_job(&delivery, 0), &conn,
                     &err),
       MR_EFAULT);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
    ck_assert_ptr_null(strstr(err.text, "chaff"));
    ck_assert_ptr_null(strstr(err.text, MR_MARIADB_PASSWORD));
    fini();
}

START_TEST(a_wrong_password_is_said_and_not_shown)
{
    refuses("{\"password\": \"chaff\"}", "Access denied for user 'miller'");
}
END_TEST

START_TEST(an_unknown_database_is_said)
{
    refuses("{\"database\": \"barn\"}", "'barn'");
}
END_TEST

START_TEST(no_database_is_said_before_anything_connects)
{
    struct mr_err why = {0};

    mr_mysql_scene_init(&scene, false, NULL);
    is(mr_mysql_scene_open(&scene, "{\"database\": null}", &why), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "mysql.database"));
    fini();
}
END_TEST

START_TEST(too_many_connections_are_a_matter_of_time)
{
    static const char *const args[] = {"--max-connections=10", NULL}; /* the least it takes */
    struct mr_mysql_conn *conns[20] = {NULL};
    enum mr_code code = MR_OK;

    init(NULL, args);
    for (int i = 0; i < 20 && code == MR_OK; i++)
        code = mr_mysql_take(scene.mysql, MR_MYSQL_WRITE, job, &conns[i], &err);
    is(code, MR_EBUSY);
    for (int i = 0; i < 20; i++)
        mr_mysql_give(conns[i]);
    serves();
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {deadlock_is_tried_again,                                        0                 },
        {a_failing_transaction_leaves_nothing_and_says_its_own_words,    0                 },
        {a_duplicate_is_no_end_of_the_transaction,                       0                 },
        {a_transaction_that_lost_a_statement_is_not_committed,           0                 },
        {an_overdue_statement_is_killed_at_the_server,                   0                 },
        {the_configured_timeout_holds_where_nobody_says_another,         0                 },
        {no_statement_outlives_its_jobs_deadline,                        0                 },
        {a_cancelled_job_loses_its_statement,                            0                 },
        {a_cancelled_job_starts_no_statement,                            0                 },
        {a_kill_never_meets_the_next_statement,                          0                 },
        {a_server_that_hangs_holds_nobody_for_long,                      0                 },
        {a_server_lost_in_a_transaction_is_down_and_did_nothing,         0                 },
        {a_server_lost_in_a_statement_of_its_own_leaves_it_unknown,      0                 },
        {a_commit_whose_answer_is_lost_is_unknown_and_may_have_happened, 0                 },
        {a_commit_that_never_arrived_is_unknown_too,                     0                 },
        {no_silence_holds_a_thread_past_the_grace_of_its_job,            MR_COUNT(silences)},
        {an_idle_connection_gone_silent_holds_nobody_past_the_grace,     0                 },
        {a_server_that_is_away_at_first_is_found_when_it_comes,          0                 },
        {connections_that_died_while_idle_are_never_lent,                0                 },
        {a_wrong_password_is_said_and_not_shown,                         0                 },
        {an_unknown_database_is_said,                                    0                 },
        {no_database_is_said_before_anything_connects,                   0                 },
        {too_many_connections_are_a_matter_of_time,                      0                 },
    };

    return mr_suite_run("mysql_trouble", tests);
}
