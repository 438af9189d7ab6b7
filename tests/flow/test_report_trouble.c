/* report.generate in trouble: statements that take too long, a database that leaves, a full disk, a job that comes twice, and what it weighs. */
#include "tests/support/desk.h"
#include "tests/support/http.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static struct mr_desk desk;

static bool is_there(const char *report, const char *uuid)
{
    return access(mr_desk_path(&desk, report, uuid, ".csv"), F_OK) == 0;
}

static const char goods[] =
    "CREATE TABLE goods (id INT PRIMARY KEY); INSERT INTO goods SELECT seq FROM seq_1_to_11";

/* ---- time ---- */

static const char slow[] = "{sql: SELECT SLEEP(30) AS a, columns: {a: }, timeout: 300ms}";
static const char unbounded[] = "{sql: SELECT SLEEP(30) AS a, columns: {a: }}";

static long long sleepers(void)
{
    return mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM information_schema.processlist WHERE "
                                    "info LIKE '%%SLEEP(30)%%' AND id <> CONNECTION_ID()");
}

START_TEST(a_statement_is_killed_at_the_reports_own_timeout)
{
    mr_desk_start_with(&desk, "slow", slow);
    mr_desk_push(&desk, "r-1", "slow", "{}", "", "\"maxTries\":1,");
    mr_mill_await_letter(&desk.mill, "main", "exhausted",
                         "/slow.yaml: stopped at its deadline");
    mr_wait_for(sleepers() == 0, 2000);
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_expect_run(&desk, "r-1", "state", "failed");
    mr_desk_expect_run(&desk, "r-1", "reason LIKE '%stopped at its deadline%'", "1");
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_statement_is_killed_at_the_jobs_deadline)
{
    mr_desk_start_with(&desk, "slow", unbounded);
    mr_desk_push(&desk, "r-1", "slow", "{}", "", "\"maxTries\":1,\"timeout\":1,");
    mr_mill_await_letter(&desk.mill, "main", "timed_out", "ran longer than its 1s");
    mr_wait_for(sleepers() == 0, 2000);
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_expect_run(&desk, "r-1", "state", "failed");
    mr_desk_expect_run(&desk, "r-1", "reason", "it ran longer than its job may");
    mr_desk_expect_run(&desk, "r-1", "ended_at IS NOT NULL AND elapsed_ms >= 900", "1");
    mr_desk_stop(&desk);
}
END_TEST

/* What the API says of the only job that runs; the caller's. NULL: none runs. */
static json_t *running_job(void)
{
    json_t *list = mr_http_json(desk.mill.control, "GET", "/api/v1/jobs", NULL, 200);
    json_t *job = json_incref(json_array_get(json_object_get(list, "items"), 0));

    json_decref(list);
    return job;
}

static bool has_progress(void)
{
    json_t *job = running_job();
    json_int_t done = json_integer_value(json_object_get(job, "progress_count"));
    json_int_t pct = json_integer_value(json_object_get(job, "progress_pct"));

    json_decref(job);
    return done >= 1000 && done < 10000 && pct >= 10 && pct < 100 && pct == done / 100;
}

START_TEST(a_report_shows_how_far_it_is_and_can_be_cancelled)
{
    mr_desk_start_with(&desk, "slow",
                       "sql: SELECT seq + SLEEP(0.001) AS n FROM seq_1_to_10000\n"
                       "count: SELECT 10000\n"
                       "columns: { n: { type: integer } }\n");
    mr_desk_push(&desk, "r-1", "slow", "{}", "", "");
    mr_wait_for(has_progress(), 20000);
    json_decref(mr_http_json(desk.mill.control, "POST", "/api/v1/jobs/r-1/cancel", NULL, 202));
    mr_mill_await_letter(&desk.mill, "main", "failed", "cancelled by an operator");
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_expect_run(&desk, "r-1", "state", "cancelled");
    mr_desk_expect_run(&desk, "r-1", "reason", "the job was stopped");
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM information_schema."
                                              "processlist WHERE info LIKE 'SELECT seq +%%'"),
                     0);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_leaving_worker_stops_its_statement_and_gives_the_job_back)
{
    mr_desk_start(&desk, NULL);
    mr_desk_define(&desk, "slow", unbounded);
    strcat(desk.yaml, "grace: 1s\n");
    mr_mill_dispatch(&desk.mill, 0, 1);
    mr_desk_push(&desk, "r-1", "slow", "{}", "", "");
    mr_wait_for(sleepers() == 1, 10000);
    mr_mill_drain(&desk.mill, 0, 15000);
    mr_wait_for(sleepers() == 0, 2000);
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    ck_assert_int_eq(mr_mill_ready(&desk.mill, "main") + mr_mill_delayed(&desk.mill, "main"),
                     1);
    mr_desk_stop(&desk);
}
END_TEST

/* ---- what is tried again ---- */

START_TEST(a_database_that_is_away_gets_the_report_when_it_comes)
{
    mr_desk_start_with(&desk, "one", "{sql: SELECT 1 AS a, columns: {a: }}");
    mr_mariadb_kill(&desk.db);
    mr_desk_push(&desk, "r-1", "one", "{}", "", "\"maxTries\":1,");
    mr_wait_for(mr_proc_said(&desk.mill.dispatchers[0], "report.database_away"), 10000);
    ck_assert_int_eq(mr_mill_dead(&desk.mill, "main"), 0);
    mr_mariadb_again(&desk.db, NULL);
    mr_desk_await_done(&desk);
    ck_assert(is_there("one", "r-1"));
    mr_desk_expect_run(&desk, "r-1", "state", "done");
    mr_desk_stop(&desk);
}
END_TEST

static const char gated[] = "{sql: \"SELECT GET_LOCK('gate', 30) AS a\", columns: {a: }}";

static void shut_gate(void)
{
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT GET_LOCK('gate', 0)"), 1);
}

static void open_gate(void)
{
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT RELEASE_LOCK('gate')"), 1);
}

/* The connection whose report stands before the gate; -1: none. */
static long long waiting_at_gate(void)
{
    return mr_mariadb_int(
        &desk.db, "SELECT id FROM information_schema.processlist WHERE state = 'User lock'");
}

START_TEST(a_connection_that_breaks_in_the_middle_costs_an_attempt)
{
    mr_desk_start_with(&desk, "gated", gated);
    shut_gate();
    mr_desk_push(&desk, "r-1", "gated", "{}", "", "");
    mr_wait_for(waiting_at_gate() > 0, 10000);
    long long first = waiting_at_gate();
    mr_desk_expect_run(&desk, "r-1", "state", "running");
    mr_desk_expect_run(&desk, "r-1", "ended_at", NULL);
    mr_mariadb_do(&desk.db, "KILL %lld", first);
    mr_wait_for(waiting_at_gate() > 0 && waiting_at_gate() != first, 10000);
    open_gate();
    mr_desk_await_done(&desk);
    ck_assert(is_there("gated", "r-1"));
    mr_desk_expect_run(&desk, "r-1", "state", "done");
    mr_desk_expect_run(&desk, "r-1", "reason", NULL);
    ck_assert_int_eq(mr_desk_files(&desk), 1);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(two_reports_are_made_at_once)
{
    mr_desk_start_with(&desk, "gated", gated);
    mr_desk_define(&desk, "one", "{sql: SELECT 1 AS a, columns: {a: }}");
    shut_gate();
    mr_desk_push(&desk, "r-1", "gated", "{}", "", "");
    mr_wait_for(waiting_at_gate() > 0, 10000);
    mr_desk_push(&desk, "r-2", "one", "{}", "", "");
    mr_wait_for(is_there("one", "r-2"), 10000);
    ck_assert(!is_there("gated", "r-1"));
    open_gate();
    mr_desk_await_done(&desk);
    ck_assert(is_there("gated", "r-1"));
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_job_that_comes_twice_makes_the_same_file_again)
{
    mr_desk_start_with(&desk, "count",
                       "{sql: SELECT COUNT(*) AS n FROM goods, columns: {n: }}");
    mr_mariadb_do(&desk.db, "%s", goods);
    mr_desk_push(&desk, "r-1", "count", "{}", "", "");
    mr_desk_await_done(&desk);
    mr_mariadb_do(&desk.db, "DELETE FROM goods WHERE id > 3");
    mr_desk_push(&desk, "r-1", "count", "{}", "", "");
    mr_desk_await_done(&desk);
    json_t *rows = mr_desk_read_csv(mr_desk_path(&desk, "count", "r-1", ".csv"));
    ck_assert_str_eq(mr_desk_cell(rows, 1, 0), "3");
    json_decref(rows);
    ck_assert_int_eq(mr_desk_files(&desk), 1);

    /* One that fails leaves the file and its row as they are. */
    mr_mariadb_do(&desk.db, "ALTER TABLE goods RENAME COLUMN id TO number");
    mr_desk_define(&desk, "count", "{sql: SELECT id AS n FROM goods, columns: {n: }}");
    mr_desk_push(&desk, "r-1", "count", "{}", "", "");
    mr_mill_await_letter(&desk.mill, "main", "failed", "Unknown column 'id'");
    ck_assert(is_there("count", "r-1"));
    mr_desk_expect_run(&desk, "r-1", "state", "done");
    mr_desk_expect_run(&desk, "r-1", "reason", NULL);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_job_without_a_uuid_gets_a_name_of_its_own)
{
    mr_desk_start_with(&desk, "one", "{sql: SELECT 1 AS a, columns: {a: }}");
    mr_desk_push(&desk, NULL, "one", "{}", "", "");
    mr_desk_await_done(&desk);
    char *uuid = mr_mariadb_text(&desk.db, "SELECT uuid FROM report_runs WHERE state = 'done'");
    ck_assert_ptr_nonnull(uuid);
    ck_assert_uint_eq(strlen(uuid), 36);
    ck_assert(is_there("one", uuid));
    free(uuid);
    mr_desk_stop(&desk);
}
END_TEST

/* ---- room ---- */

START_TEST(a_full_disk_leaves_no_file)
{
    mr_desk_start(&desk, NULL);
    mr_desk_define(&desk, "many",
                   "{sql: 'SELECT REPEAT(seq, 100) AS a FROM seq_1_to_10000', columns: {a: }}");
    if (!mr_scratch_small_disk(desk.files, "256k")) {
        printf("# no mount here: a full disk is not tried\n");
        mr_desk_stop(&desk);
        return;
    }
    mr_mill_dispatch(&desk.mill, 0, 1);
    mr_desk_push(&desk, "r-1", "many", "{}", "", "\"maxTries\":1,");
    mr_mill_await_letter(&desk.mill, "main", "exhausted",
                         "cannot write it: No space left on device");
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_expect_run(&desk, "r-1", "state", "failed");
    mr_mill_drain(&desk.mill, 0, 15000);
    umount2(desk.files, MNT_DETACH);
    mr_desk_stop(&desk);
}
END_TEST

/* What the worker weighed at its heaviest, once it has made that report too. */
static size_t peak_after(const char *uuid, const char *format, unsigned rows)
{
    char params[40], more[40], count[16];
    pid_t worker[MR_PROC_LIST];

    snprintf(params, sizeof(params), "{\"n\":%u}", rows);
    snprintf(more, sizeof(more), ",\"format\":\"%s\"", format);
    snprintf(count, sizeof(count), "%u", rows);
    mr_desk_push(&desk, uuid, "rows", params, more, "");
    mr_wait_for(mr_mill_is_empty(&desk.mill, "main"), 100000);
    mr_desk_expect_run(&desk, uuid, "row_count", count);
    ck_assert_int_eq(mr_mill_workers(&desk.mill, 0, worker), 1);
    return mr_proc_peak_bytes(worker[0]);
}

#ifdef MR_SANITIZED
enum { SCALE = 50 }; /* what the sanitizers remember grows, and is not bounded here */
#else
enum { SCALE = 1 };
#endif

static const char *const streamed[] = {"csv", "jsonl", "xlsx"};

START_TEST(memory_does_not_grow_with_the_rows)
{
    enum { FEW = 200000 / SCALE, MANY = 2000000 / SCALE, ROOM = 3 * MIB, MOST = 40 * MIB };

    mr_desk_start_with(&desk, "rows",
                       "sql: SELECT seq AS n, seq / 7 AS part FROM seq_1_to_2000000 LIMIT :n\n"
                       "params: { n: { type: integer } }\n"
                       "format: [csv, jsonl, xlsx]\n"
                       "columns: { n: { type: integer }, part: { type: decimal } }\n");
    size_t few = peak_after("r-1", streamed[_i], FEW);
    uint64_t from_ms = mr_wait_now_ms();
    size_t many = peak_after("r-2", streamed[_i], MANY);
    printf("# %s: %d rows in %llu ms; at most %zu KiB resident, of %d rows %zu KiB\n",
           streamed[_i], MANY, (unsigned long long)(mr_wait_now_ms() - from_ms), many / 1024,
           FEW, few / 1024);
    if (SCALE == 1) {
        ck_assert_uint_le(many, few + ROOM);
        ck_assert_uint_le(many, MOST);
    }
    mr_desk_stop(&desk);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_statement_is_killed_at_the_reports_own_timeout,            0                 },
        {a_statement_is_killed_at_the_jobs_deadline,                  0                 },
        {a_report_shows_how_far_it_is_and_can_be_cancelled,           0                 },
        {a_leaving_worker_stops_its_statement_and_gives_the_job_back, 0                 },
        {a_database_that_is_away_gets_the_report_when_it_comes,       0                 },
        {a_connection_that_breaks_in_the_middle_costs_an_attempt,     0                 },
        {two_reports_are_made_at_once,                                0                 },
        {a_job_that_comes_twice_makes_the_same_file_again,            0                 },
        {a_job_without_a_uuid_gets_a_name_of_its_own,                 0                 },
        {a_full_disk_leaves_no_file,                                  0                 },
        {memory_does_not_grow_with_the_rows,                          MR_COUNT(streamed)},
    };

    return mr_suite_run_slow("report_trouble", tests, 120);
}
