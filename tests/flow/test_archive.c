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

int main(void)
{
    const struct mr_test tests[] = {
        {old_rows_move_and_young_ones_stay,               0              },
        {killed_workers_leave_every_row_in_one_table,     0              },
        {a_killed_database_leaves_every_row_in_one_table, 0              },
        {a_job_without_time_goes_on_where_it_stopped,     0              },
        {nothing_moves_where_it_would_do_harm,            MR_COUNT(harms)},
    };

    return mr_suite_run_slow("archive", tests, 120);
}
