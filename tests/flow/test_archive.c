/* report.generate with a definition of an archive: old rows move in batches, and a row is always in exactly one table, whoever is killed. */
#include "tests/support/desk.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLD = 5000, YOUNG = 500 };

static struct mr_desk desk;

static const char yearly[] = "title: Old calls\n"
                             "archive:\n"
                             "  from: calls\n"
                             "  to: calls_archive\n"
                             "  older_than: 365d\n"
                             "  column: created_at\n"
                             "  key: id\n"
                             "  batch: 100\n"
                             "  pause: 1ms\n"
                             "  create: true\n";

/* As a booking company's table of calls: the old ones first. */
static void start(const char *definition)
{
    mr_desk_start_with(&desk, "old", definition);
    mr_mariadb_do(
        &desk.db,
        "CREATE TABLE calls (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, caller "
        "VARCHAR(20), seconds INT, cost DECIMAL(10,4), minutes INT AS (seconds DIV 60) "
        "STORED, created_at DATETIME NOT NULL, KEY created_at (created_at));"
        "INSERT INTO calls (caller, seconds, cost, created_at) SELECT CONCAT('+49', seq), "
        "seq, seq / 7, UTC_TIMESTAMP() - INTERVAL 400 DAY FROM seq_1_to_%d;"
        "INSERT INTO calls (caller, seconds, created_at) SELECT 'new', 1, "
        "UTC_TIMESTAMP() - INTERVAL 364 DAY FROM seq_1_to_%d",
        OLD, YOUNG);
    mr_mariadb_do(&desk.db, "CREATE TABLE before_it AS SELECT * FROM calls");
}

/* Nothing lost, nothing doubled, nothing changed; n rows have moved. */
static void expect_moved(int n)
{
    static const char both[] = "(SELECT * FROM calls UNION ALL SELECT * FROM calls_archive)";

    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls_archive"), n);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM %s b", both), OLD + YOUNG);
    ck_assert_int_eq(
        mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM %s b NATURAL JOIN before_it", both),
        OLD); /* the young ones have no cost: NULL joins nothing */
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(DISTINCT id) FROM %s b", both),
                     OLD + YOUNG);
}

START_TEST(old_rows_move_and_young_ones_stay)
{
    start(yearly);
    mr_desk_push(&desk, "a-1", "old", "{}", "", "");
    mr_desk_await_done(&desk);
    expect_moved(OLD);
    ck_assert_int_eq(
        mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls WHERE caller = 'new'"), YOUNG);
    mr_desk_expect_run(&desk, "a-1", "state", "done");
    mr_desk_expect_run(&desk, "a-1", "row_count", "5000");
    mr_desk_expect_run(&desk, "a-1", "place", NULL);
    /* Once more: there is nothing left to move. */
    mr_desk_push(&desk, "a-2", "old", "{}", "", "");
    mr_desk_await_done(&desk);
    expect_moved(OLD);
    mr_desk_expect_run(&desk, "a-2", "row_count", "0");
    mr_desk_stop(&desk);
}
END_TEST

static long long n_moved(void)
{
    return mr_mariadb_int(&desk.db, "SELECT COALESCE((SELECT table_rows >= 0 FROM "
                                    "information_schema.tables WHERE table_name = "
                                    "'calls_archive' AND table_schema = DATABASE()), 0)") == 1
               ? mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls_archive")
               : 0;
}

START_TEST(killed_workers_leave_every_row_in_one_table)
{
    start(yearly);
    mr_desk_push(&desk, "a-1", "old", "{}", "", "");
    for (long long at = 1000; at <= 3000; at += 2000) {
        pid_t worker[MR_PROC_LIST];

        mr_wait_for(n_moved() >= at, 30000);
        if (mr_mill_workers(&desk.mill, 0, worker) > 0)
            kill(worker[0], SIGKILL);
    }
    mr_desk_await_done(&desk);
    expect_moved(OLD);
    mr_desk_expect_run(&desk, "a-1", "state", "done");
    mr_desk_expect_run(&desk, "a-1", "row_count", "5000");
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_killed_database_leaves_every_row_in_one_table)
{
    start(yearly);
    mr_desk_push(&desk, "a-1", "old", "{}", "", "\"maxTries\":50,");
    for (int i = 1; i <= 3; i++) {
        mr_wait_for(n_moved() >= i * 1000, 30000);
        mr_mariadb_kill(&desk.db);
        mr_mariadb_again(&desk.db, NULL);
    }
    mr_desk_await_done(&desk);
    expect_moved(OLD);
    mr_desk_expect_run(&desk, "a-1", "state", "done");
    mr_desk_expect_run(&desk, "a-1", "row_count", "5000");
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_job_without_time_goes_on_where_it_stopped)
{
    start("archive: { from: calls, to: calls_archive, older_than: 365d, column: created_at, "
          "batch: 500, pause: 300ms, create: true }\n");
    mr_desk_push(&desk, "a-1", "old", "{}", "", "\"timeout\":3,\"maxTries\":1,");
    mr_desk_await_done(&desk);
    expect_moved(OLD);
    mr_desk_expect_run(&desk, "a-1", "row_count", "5000");
    ck_assert(mr_proc_said(&desk.mill.dispatchers[0], "more=1"));
    mr_desk_stop(&desk);
}
END_TEST

static const struct {
    const char *before, *class, *reason;
} harms[] = {
    {"DROP TABLE calls_archive",                                            "exhausted",
     "there is no table calls_archive: make it, or say archive.create"                                                              },
    {"ALTER TABLE calls_archive ADD COLUMN more INT",                       "exhausted",
     "calls has no column more of the same type as calls_archive"                                                                   },
    {"ALTER TABLE calls_archive MODIFY caller VARCHAR(10)",                 "exhausted",
     "calls_archive has no column caller of the same type as calls"                                                                 },
    {"ALTER TABLE calls_archive ENGINE = MyISAM",                           "exhausted",
     "calls_archive is of engine MyISAM"                                                                                            },
    {"ALTER TABLE calls MODIFY created_at VARCHAR(30) NOT NULL, MODIFY seconds INT; DROP TABLE "
     "calls_archive; "
     "CREATE TABLE calls_archive LIKE calls",                          "exhausted", "of type DATE, DATETIME or TIMESTAMP"      },
    {"CREATE TABLE notes (call_id BIGINT UNSIGNED, FOREIGN KEY (call_id) REFERENCES calls (id) "
     "ON DELETE CASCADE)",                                             "exhausted", "a foreign key of table notes would delete"},
    {"INSERT INTO calls_archive (id, created_at) VALUES (7, '2020-01-01')", "failed",
     "calls_archive already has a row that calls has too"                                                                           },
    {"CREATE TABLE notes (call_id BIGINT UNSIGNED, FOREIGN KEY (call_id) REFERENCES calls "
     "(id)); "
     "INSERT INTO notes VALUES (5)",                                   "failed",    "foreign key constraint fails"             },
};

START_TEST(nothing_moves_where_it_would_do_harm)
{
    start(
        "archive: { from: calls, to: calls_archive, older_than: 365d, column: created_at }\n");
    mr_mariadb_do(&desk.db, "CREATE TABLE calls_archive LIKE calls; %s", harms[_i].before);
    mr_desk_push(&desk, "a-1", "old", "{}", "", "\"maxTries\":1,");
    mr_mill_await_letter(&desk.mill, "main", harms[_i].class, harms[_i].reason);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls"), OLD + YOUNG);
    mr_desk_expect_run(&desk, "a-1", "state", "failed");
    mr_desk_expect_run(&desk, "a-1", "row_count", "0");
    mr_desk_stop(&desk);
}
END_TEST

/* ---- keys and clocks of all kinds ---- */

/* Two rows an hour too old, and one that is young for an hour yet; the key's least and greatest among them. */
static const struct {
    const char *key, *column, *rows;
} kinds[] = {
    {"INT AUTO_INCREMENT",                     "DATETIME",     "(0, @old), (-3, @old), (9, @young)"                    },
    {"BIGINT UNSIGNED",                        "DATETIME",
     "(18446744073709551614, @old), (18446744073709551615, @old), (18446744073709551613, "
     "@young)"                                                                                                         },
    {"DECIMAL(30,2)",                          "DATETIME",
     "(1234567890123456789012345678.01, @old), (1234567890123456789012345678.02, @old), "
     "(1234567890123456789012345678.03, @young)"                                                                       },
    {"VARCHAR(20) COLLATE utf8mb4_unicode_ci", "DATETIME",
     "('\xc3\x84pfel', @old), ('O''Neill\\\\', @old), ('9', @young)"                                                   },
    {"BINARY(4)",                              "DATETIME",     "(0x00275c00, @old), (0xff5c27ff, @old), (0x00, @young)"},
    {"DATETIME(6)",                            "DATETIME",
     "('2020-01-01 00:00:00.000001', @old), ('2020-01-01 00:00:00.000002', @old), "
     "('2020-01-01', @young)"                                                                                          },
    {"INT",                                    "TIMESTAMP(3)", "(1, @old), (2, @old), (3, @young)"                     },
};

/* The server's own zone is far from ours. */
START_TEST(rows_move_as_they_are_whatever_their_key)
{
    const char *const extra[] = {"--default-time-zone=+09:00", NULL};

    mr_desk_start(&desk, extra);
    mr_desk_define(&desk, "old",
                   "archive: { from: t, to: t_archive, older_than: 365d, column: at, key: k, "
                   "batch: 1, pause: 1ms, create: true }\n");
    mr_mill_dispatch(&desk.mill, 0, 1);
    mr_mariadb_do(&desk.db,
                  "SET time_zone = '+00:00', sql_mode = 'NO_AUTO_VALUE_ON_ZERO',"
                  " @old = UTC_TIMESTAMP() - INTERVAL 365 * 24 + 1 HOUR,"
                  " @young = UTC_TIMESTAMP() - INTERVAL 365 * 24 - 1 HOUR;"
                  "CREATE TABLE t (k %s PRIMARY KEY, at %s NOT NULL) CHARSET utf8mb4;"
                  "INSERT INTO t VALUES %s; CREATE TABLE before_it AS SELECT * FROM t",
                  kinds[_i].key, kinds[_i].column, kinds[_i].rows);
    mr_desk_push(&desk, "a-1", "old", "{}", "", "");
    mr_desk_await_done(&desk);
    ck_assert_int_eq(
        mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM t_archive NATURAL JOIN before_it"), 2);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM t_archive"), 2);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM t WHERE at = @young"), 1);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM t"), 1);
    mr_desk_stop(&desk);
}
END_TEST

/* ---- what others do meanwhile ---- */

/* The worst moment: the batch is copied, and the first of its rows is about to be deleted. */
static void start_gated(void)
{
    start("archive: { from: calls, to: calls_archive, older_than: 365d, column: created_at, "
          "batch: 1000, pause: 1ms, create: true }\n");
    mr_mariadb_do(&desk.db, "CREATE TRIGGER gate BEFORE DELETE ON calls FOR EACH ROW "
                            "SET @gate = IF(OLD.id = 2500, GET_LOCK('gate', 30), 0)");
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT GET_LOCK('gate', 0)"), 1);
    mr_desk_push(&desk, "a-1", "old", "{}", "", "");
    mr_wait_for(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM information_schema.processlist "
                                         "WHERE state = 'User lock'") == 1,
                30000);
}

static void open_gate(void)
{
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT RELEASE_LOCK('gate')"), 1);
}

START_TEST(killed_between_copy_and_deletion_the_batch_never_was)
{
    pid_t worker[MR_PROC_LIST];

    start_gated();
    ck_assert_int_eq(mr_mill_workers(&desk.mill, 0, worker), 1);
    ck_assert_int_eq(kill(worker[0], SIGKILL), 0);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls_archive"), 2000);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls"),
                     OLD + YOUNG - 2000);
    open_gate();
    mr_desk_await_done(&desk);
    expect_moved(OLD);
    mr_desk_expect_run(&desk, "a-1", "state", "done");
    mr_desk_expect_run(&desk, "a-1", "row_count", "5000");
    mr_desk_stop(&desk);
}
END_TEST

/* Rows that come, old ones among them, behind the batch and before it: whole in one table, and the next job takes what this one passed. */
START_TEST(rows_that_come_meanwhile_are_in_one_table_too)
{
    enum { MORE = 3 };

    start_gated();
    mr_mariadb_do(&desk.db,
                  "INSERT INTO calls (id, caller, cost, seconds, created_at) VALUES"
                  " (100000, 'late', 1, 1, UTC_TIMESTAMP() - INTERVAL 500 DAY),"
                  " (100001, 'late', 1, 1, UTC_TIMESTAMP()), (0, 'late', 1, 1, '2001-02-03');"
                  "INSERT INTO before_it SELECT * FROM calls WHERE caller = 'late'");
    open_gate();
    mr_desk_await_done(&desk);
    mr_desk_push(&desk, "a-2", "old", "{}", "", "");
    mr_desk_await_done(&desk);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls_archive"), OLD + 2);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls"), YOUNG + MORE - 2);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM calls_archive NATURAL JOIN "
                                              "before_it"),
                     OLD + 2);
    mr_desk_stop(&desk);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {old_rows_move_and_young_ones_stay,                    0              },
        {killed_workers_leave_every_row_in_one_table,          0              },
        {a_killed_database_leaves_every_row_in_one_table,      0              },
        {a_job_without_time_goes_on_where_it_stopped,          0              },
        {nothing_moves_where_it_would_do_harm,                 MR_COUNT(harms)},
        {rows_move_as_they_are_whatever_their_key,             MR_COUNT(kinds)},
        {killed_between_copy_and_deletion_the_batch_never_was, 0              },
        {rows_that_come_meanwhile_are_in_one_table_too,        0              },
    };

    return mr_suite_run_slow("archive", tests, 120);
}
