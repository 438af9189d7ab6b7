/* report.generate against a real MariaDB: what stands in the file, what is refused, what is tried again, and what it weighs. */
#include "proto/base/str.h"
#include "tests/support/mariadb.h"
#include "tests/support/mill.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static struct mr_mill mill;
static struct mr_mariadb db;
static char yaml[2048], definitions[128], files[128];

/* ---- the scene ---- */

static void put_definition(const char *name, const char *text)
{
    char file[40];

    snprintf(file, sizeof(file), "%s.yaml", name);
    mr_scratch_put(definitions, file, text);
}

static void start(void)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_mariadb_start(&db, NULL);
    mr_mariadb_schema(&db);
    snprintf(definitions, sizeof(definitions), "%s/reports", mill.redis.dir);
    snprintf(files, sizeof(files), "%s/files", mill.redis.dir);
    ck_assert_int_eq(mkdir(definitions, 0700), 0);
    ck_assert_int_eq(mkdir(files, 0700), 0);
    snprintf(
        yaml, sizeof(yaml),
        "pools: { main: { queues: [main, other], concurrency: 4, backoff: 50ms..100ms } }\n"
        "storage: { path: %s }\n"
        "reports: { dir: %s }\n"
        "%s",
        files, definitions, db.yaml);
}

static void start_with(const char *name, const char *definition)
{
    start();
    put_definition(name, definition);
    mr_mill_dispatch(&mill, 0, 1);
}

static void stop(void)
{
    mr_mill_stop(&mill);
    mr_mariadb_stop(&db);
}

/* A job of that uuid (NULL: none) for the report; data is its other members: "\"params\":{}". header: further members of the envelope. */
static void push(const char *uuid, const char *report, const char *params, const char *header)
{
    struct mr_buf job = {0};

    mr_buf_text(&job, "{\"job\":\"report.generate\",");
    if (uuid)
        mr_buf_printf(&job, "\"uuid\":\"%s\",", uuid);
    mr_buf_printf(&job, "%s\"data\":{\"report\":\"%s\",\"params\":%s}}", header, report,
                  params);
    mr_mill_push_raw(&mill, "main", job.at, job.len);
    mr_buf_fini(&job);
}

static void await_done(void)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 20000);
    if (mr_mill_dead(&mill, "main") > 0)
        mr_proc_show(&mill.dispatchers[0]);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
}

static const char *path_of(const char *report, const char *uuid)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/reports/%s-%s.csv", files, report, uuid);
    return path;
}

static bool is_there(const char *report, const char *uuid)
{
    return access(path_of(report, uuid), F_OK) == 0;
}

/* All files of the reports' folder, half-written ones too. */
static int count_files(void)
{
    char path[160];
    int n = 0;

    snprintf(path, sizeof(path), "%s/reports", files);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder)
        closedir(folder);
    return n;
}

/* The file as another program's library reads it: a list of lists of texts, the caller's. */
static json_t *read_csv(const char *path)
{
    char command[700];
    json_error_t error;

    snprintf(command, sizeof(command),
             "/usr/bin/python3 -c 'import csv, json, sys\n"
             "with open(sys.argv[1], newline=\"\", encoding=\"utf-8\") as file:\n"
             "    print(json.dumps(list(csv.reader(file, strict=True))))' %s",
             path);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    json_t *rows = json_loadf(pipe, 0, &error);
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_msg(rows != NULL, "%s: %s", path, error.text);
    return rows;
}

static const char *cell(const json_t *rows, size_t row, size_t column)
{
    const char *text = json_string_value(json_array_get(json_array_get(rows, row), column));

    ck_assert_msg(text != NULL, "no cell %zu/%zu", row, column);
    return text;
}

/* The value of a column of the row of report_runs. */
static void expect_run(const char *uuid, const char *column, const char *want)
{
    char *got =
        mr_mariadb_text(&db, "SELECT %s FROM report_runs WHERE uuid = '%s'", column, uuid);

    ck_assert_msg(got && want ? strcmp(got, want) == 0 : !got && !want,
                  "%s of %s is %s, not %s", column, uuid, got ? got : "NULL",
                  want ? want : "NULL");
    free(got);
}

/* ---- what stands in the file ---- */

static const char goods[] =
    "CREATE TABLE goods (id INT PRIMARY KEY, name TEXT, price DECIMAL(20,4), stock BIGINT,"
    " weight DOUBLE, day DATE, at DATETIME(3)) CHARSET utf8mb4;"
    "INSERT INTO goods VALUES"
    " (1, 'Gr\xc3\xbc\xc3\x9f"
    "e \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x90\x8e', -12.5, -7, 1.5e-7, '2026-01-31', "
    "'2026-01-31 08:30:00.25'),"
    " (2, 'a \"quoted\", b', 12345678901234.5678, 9223372036854775807, 1e20, '2024-02-29', "
    "NULL),"
    " (3, 'two\r\nlines\nand\rmore', 0, 0, 0, NULL, '1999-12-31 23:59:59'),"
    " (4, NULL, NULL, NULL, NULL, NULL, NULL),"
    " (5, '', -0.0001, -1, -1, '1000-01-01', '9999-12-31 23:59:59.999'),"
    " (6, '=1+1', 1, 1, 1, NULL, NULL),"
    " (7, '-2', 1, 1, 1, NULL, NULL),"
    " (8, '+2', 1, 1, 1, NULL, NULL),"
    " (9, '@x', 1, 1, 1, NULL, NULL),"
    " (10, ' blank ', 1, 1, 1, NULL, NULL),"
    " (11, 'O''Brien\\\\', 1, 1, 1, NULL, NULL)";

static const char all_goods[] = "title: All goods\n"
                                "sql: SELECT * FROM goods ORDER BY id\n"
                                "columns:\n"
                                "  id:     { title: \"No.\", type: integer }\n"
                                "  name:   { title: \"Name, \\\"long\\\"\" }\n"
                                "  price:  { type: decimal }\n"
                                "  stock:  { type: integer }\n"
                                "  weight: { type: decimal }\n"
                                "  day:    { type: date }\n"
                                "  at:     { type: datetime }\n";

/* A value as the file should have it: NULL is nothing, and a text that would be a formula has an apostrophe. */
static void expect_cell(const json_t *rows, size_t row, size_t column, const char *stored)
{
    enum { NAME = 1 };
    bool guarded = column == NAME && stored && *stored && strchr("=+-@", *stored);
    const char *got = cell(rows, row, column);

    if (guarded)
        ck_assert_int_eq(*got++, '\'');
    ck_assert_str_eq(got, stored ? stored : "");
}

static void expect_all_goods(const json_t *rows)
{
    ck_assert_int_eq(mysql_query(db.sync, "SELECT * FROM goods ORDER BY id"), 0);
    MYSQL_RES *result = mysql_store_result(db.sync);

    ck_assert_uint_eq(json_array_size(rows), mysql_num_rows(result) + 1);
    for (size_t row = 1; row < json_array_size(rows); row++) {
        MYSQL_ROW stored = mysql_fetch_row(result);

        ck_assert_uint_eq(json_array_size(json_array_get(rows, row)), mysql_num_fields(result));
        for (size_t column = 0; column < mysql_num_fields(result); column++)
            expect_cell(rows, row, column, stored[column]);
    }
    mysql_free_result(result);
}

START_TEST(the_file_holds_what_the_database_holds)
{
    struct stat st;

    start_with("goods", all_goods);
    mr_mariadb_do(&db, "%s", goods);
    push("r-1", "goods", "{}", "");
    await_done();
    json_t *rows = read_csv(path_of("goods", "r-1"));
    ck_assert_str_eq(cell(rows, 0, 0), "No.");
    ck_assert_str_eq(cell(rows, 0, 1), "Name, \"long\"");
    ck_assert_str_eq(cell(rows, 0, 2), "price");
    expect_all_goods(rows);
    json_decref(rows);
    expect_run("r-1", "state", "done");
    expect_run("r-1", "report", "goods");
    expect_run("r-1", "params", "{}");
    expect_run("r-1", "row_count", "11");
    expect_run("r-1", "place", "reports/goods-r-1.csv");
    expect_run("r-1", "reason", NULL);
    expect_run("r-1",
               "ended_at >= started_at AND ended_at > UTC_TIMESTAMP() - INTERVAL 1 MINUTE",
               "1");
    ck_assert_int_eq(stat(path_of("goods", "r-1"), &st), 0);
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT bytes FROM report_runs"), st.st_size);
    ck_assert_int_eq(count_files(), 1);
    stop();
}
END_TEST

static const char chosen_goods[] =
    "sql: |\n"
    "  SELECT id, name FROM goods\n"
    "  WHERE (name = :name OR :name IS NULL) AND price >= :least AND stock > :stock\n"
    "    AND (day >= :since OR day IS NULL) AND (:all OR id < 6) -- not :this\n"
    "  ORDER BY id\n"
    "params:\n"
    "  name:  { required: false }\n"
    "  least: { type: decimal, default: \"-100\" }\n"
    "  stock: { type: integer, default: -100 }\n"
    "  since: { type: date, default: 1900-01-01 }\n"
    "  all:   { type: boolean, default: true }\n"
    "columns: { id: { type: integer } }\n";

/* The ids of the rows that the parameters choose. */
static const struct {
    const char *params, *ids;
} choices[] = {
    {"{}",                                             "1 2 3 6 7 8 9 10 11"},
    {"{\"all\":false}",                                "1 2 3"              },
    {"{\"name\":\"=1+1\"}",                            "6"                  },
    {"{\"least\":\"12345678901234.5678\"}",            "2"                  },
    {"{\"stock\":9223372036854775806}",                "2"                  },
    {"{\"since\":\"2026-01-31\"}",                     "1 3 6 7 8 9 10 11"  },
    {"{\"name\":\"nobody\",\"since\":\"2026-01-31\"}", ""                   },
};

START_TEST(parameters_choose_the_rows)
{
    char uuid[16];

    start_with("chosen", chosen_goods);
    mr_mariadb_do(&db, "%s", goods);
    for (size_t i = 0; i < MR_COUNT(choices); i++) {
        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        push(uuid, "chosen", choices[i].params, "");
    }
    await_done();
    for (size_t i = 0; i < MR_COUNT(choices); i++) {
        struct mr_buf ids = {0};

        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        json_t *rows = read_csv(path_of("chosen", uuid));
        for (size_t row = 1; row < json_array_size(rows); row++)
            mr_buf_printf(&ids, "%s%s", row > 1 ? " " : "", cell(rows, row, 0));
        ck_assert_str_eq(ids.at ? ids.at : "", choices[i].ids);
        mr_buf_fini(&ids);
        json_decref(rows);
        expect_run(uuid, "params", choices[i].params);
    }
    stop();
}
END_TEST

/* ---- what a payload could try ---- */

static const char *const hostile[] = {
    "' OR 1=1",
    "' OR '1'='1",
    "\\' OR 1=1 -- ",
    "'; DROP TABLE goods; --",
    "1; DELETE FROM goods",
    "' UNION SELECT password FROM mysql.user -- ",
    "*/ OR 1=1 /*",
    "/*! OR 1=1 */",
    "# ' OR 1=1",
    "-- ",
    ":name",
    "?",
    "%",
    "\xbf' OR 1=1 -- ",
    "\xef\xbc\x87 OR 1=1",
    "' INTO OUTFILE '/tmp/mr-owned",
    "${MILLRACE_MYSQL_PASSWORD}",
};

START_TEST(a_hostile_value_is_a_value)
{
    char uuid[16];

    start_with("named",
               "sql: SELECT id FROM goods WHERE name = :name OR CONCAT(name, 'x') = :name\n"
               "params: { name: }\n"
               "columns: { id: }\n");
    mr_mariadb_do(&db, "%s", goods);
    for (size_t i = 0; i < MR_COUNT(hostile); i++) {
        json_t *text = json_string_nocheck(hostile[i]), *params = json_object();
        snprintf(uuid, sizeof(uuid), "r-%zu", i);

        json_object_set_new_nocheck(params, "name", text);
        char *dumped = json_dumps(params, JSON_ENSURE_ASCII);
        push(uuid, "named", dumped ? dumped : "{\"name\":\"\xef\xbf\xbd' OR 1=1 -- \"}", "");
        free(dumped);
        json_decref(params);
    }
    await_done();
    for (size_t i = 0; i < MR_COUNT(hostile); i++) {
        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        expect_run(uuid, "row_count", "0");
    }
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM goods"), 11);
    stop();
}
END_TEST

START_TEST(a_definition_that_writes_is_stopped_by_the_server)
{
    start_with("evil",
               "{sql: 'WITH x AS (SELECT 1) SELECT evil() AS a FROM x', columns: {a: }}");
    mr_mariadb_do(&db,
                  "CREATE TABLE t (a INT); CREATE FUNCTION evil() RETURNS INT DETERMINISTIC "
                  "MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (1); RETURN 1; END");
    push("r-1", "evil", "{}", "");
    mr_mill_await_letter(&mill, "main", "failed", "in a READ ONLY transaction");
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM t"), 0);
    ck_assert_int_eq(count_files(), 0);
    stop();
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *definition, *data, *reason;
} refused[] = {
    {NULL,                                                                                     "{\"report\":\"god\"}",                                       "data.report: there is no god.yaml in "                                },
    {NULL,                                                                                     "{\"report\":\"god\"}",                                       ": did you mean good?"                                                 },
    {NULL,                                                                                     "{}",                                                         "data.report must be the name of a report"                             },
    {NULL,                                                                                     "{\"report\":\"../good\"}",                                   "data.report must be the name of a report"                             },
    {NULL,                                                                                     "{\"report\":7}",                                             "data.report must be the name of a report"                             },
    {NULL,                                                                                     "7",                                                          "data.report must be the name of a report"                             },
    {NULL,                                                                                     "{\"report\":\"good\"}",
     "data.params.from is missing: it must be a date such as 2026-01-31"                                                                                                                                                            },
    {NULL,                                                                                     "{\"report\":\"good\",\"params\":[]}",                        "data.params must be an object"                                        },
    {NULL,                                                                                     "{\"report\":\"good\",\"params\":{\"form\":1}}",
     "data.params.form is no parameter of this report: did you mean from?"                                                                                                                                                          },
    {NULL,                                                                                     "{\"report\":\"good\",\"params\":{\"from\":\"2026-02-30\"}}",
     "data.params.from must be a date such as 2026-01-31"                                                                                                                                                                           },
    {"sql: SELECT a\ncolums: {a: }\nmax_rows: x\n",                                            "{\"report\":\"bad\"}",
     "/bad.yaml:2:1: unknown key \"colums\": did you mean \"columns\"?"                                                                                                                                                             },
    {"sql: SELECT a\ncolums: {a: }\nmax_rows: x\n",                                            "{\"report\":\"bad\"}",
     "/bad.yaml:3:11: max_rows must be"                                                                                                                                                                                             },
    {"sql: DROP TABLE t\ncolumns: {a: }\n",                                                    "{\"report\":\"bad\"}",
     "/bad.yaml:1:6: sql, line 1: a report begins with SELECT or WITH"                                                                                                                                                              },
    {"sql: SELECT FROM WHERE\ncolumns: {a: }\n",                                               "{\"report\":\"bad\"}",                                       "(1064, 42000)"                                                        },
    {"sql: SELECT FROM WHERE\ncolumns: {a: }\n",                                               "{\"report\":\"bad\"}",
     "/bad.yaml: MySQL at "                                                                                                                                                                                                         },
    {"sql: SELECT nothing FROM report_runs\ncolumns: {a: }\n",                                 "{\"report\":\"bad\"}",
     "Unknown column 'nothing'"                                                                                                                                                                                                     },
    {"sql: SELECT 1 AS sum\ncolumns: {sun: }\n",                                               "{\"report\":\"bad\"}",
     "/bad.yaml: columns.sun: the result has no such column: did you mean \"sum\"?"                                                                                                                                                 },
    {"sql: SELECT 1 AS a UNION ALL SELECT 'x'\ncolumns: {a: {type: integer}}\n",
     "{\"report\":\"bad\"}",                                                                                                                                 "/bad.yaml: row 2: column \"a\" is not a whole number"                 },
    {"sql: SELECT seq AS a FROM seq_1_to_11\ncolumns: {a: }\nmax_rows: 10\n",
     "{\"report\":\"bad\"}",                                                                                                                                 "/bad.yaml: there are more than 10 rows (max_rows)"                    },
    {"sql: SELECT REPEAT('x', 300) AS a FROM seq_1_to_1000\ncolumns: {a: }\nmax_size: 1KiB\n",
     "{\"report\":\"bad\"}",                                                                                                                                 "/bad.yaml: after 3 rows the file would be larger than 1KiB (max_size)"},
};

static void drop_letters(void)
{
    freeReplyObject(mr_redis_ask(&mill.redis,
                                 "DEL " MR_MILL_PREFIX "queues:main:dead " MR_MILL_PREFIX
                                 "queues:main:dead:jobs"));
}

START_TEST(what_can_never_be_made_is_dead_with_the_reason)
{
    char payload[300], uuid[16];

    start_with("good", "sql: SELECT 1 AS a WHERE :from > '2000-01-01'\n"
                       "params: { from: { type: date } }\n"
                       "columns: { a: }\n");
    for (size_t i = 0; i < MR_COUNT(refused); i++) {
        if (refused[i].definition)
            put_definition("bad", refused[i].definition);
        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        snprintf(payload, sizeof(payload),
                 "{\"uuid\":\"%s\",\"job\":\"report.generate\",\"data\":%s}", uuid,
                 refused[i].data);
        mr_mill_push_raw(&mill, "main", payload, strlen(payload));
        mr_mill_await_letter(&mill, "main", "failed", refused[i].reason);
        drop_letters();
        ck_assert_int_eq(count_files(), 0);
        /* Where there is a name to keep it under, the database knows it too. */
        if (!strstr(refused[i].reason, "name of a report")) {
            char *reason = mr_mariadb_text(
                &db, "SELECT reason FROM report_runs WHERE uuid = '%s' AND state = 'failed'",
                uuid);
            ck_assert_msg(reason && strstr(reason, refused[i].reason), "%s: %s", uuid, reason);
            free(reason);
        }
    }
    stop();
}
END_TEST

START_TEST(a_uuid_that_can_name_no_file_is_refused)
{
    start_with("one", "{sql: SELECT 1 AS a, columns: {a: }}");
    push("../../etc/x", "one", "{}", "");
    mr_mill_await_letter(&mill, "main", "failed", "uuid: it names the file");
    ck_assert_int_eq(count_files(), 0);
    stop();
}
END_TEST

static const struct {
    const char *without, *reason;
} unconfigured[] = {
    {"reports:", "reports.dir is not configured"   },
    {"storage:", "storage.path is not configured"  },
    {"mysql:",   "mysql.database is not configured"},
};

START_TEST(without_its_configuration_a_report_says_what_is_missing)
{
    start();
    char *line = strstr(yaml, unconfigured[_i].without);
    ck_assert_ptr_nonnull(line);
    *line = '#';
    mr_mill_dispatch(&mill, 0, 1);
    push("r-1", "one", "{}", "\"maxTries\":1,");
    mr_mill_await_letter(&mill, "main", "exhausted", unconfigured[_i].reason);
    stop();
}
END_TEST

/* ---- time ---- */

static const char slow[] = "{sql: SELECT SLEEP(30) AS a, columns: {a: }, timeout: 300ms}";
static const char unbounded[] = "{sql: SELECT SLEEP(30) AS a, columns: {a: }}";

static long long sleepers(void)
{
    return mr_mariadb_int(&db, "SELECT COUNT(*) FROM information_schema.processlist WHERE "
                               "info LIKE '%%SLEEP(30)%%' AND id <> CONNECTION_ID()");
}

START_TEST(a_statement_is_killed_at_the_reports_own_timeout)
{
    start_with("slow", slow);
    push("r-1", "slow", "{}", "\"maxTries\":1,");
    mr_mill_await_letter(&mill, "main", "exhausted", "/slow.yaml: stopped at its deadline");
    mr_wait_for(sleepers() == 0, 2000);
    ck_assert_int_eq(count_files(), 0);
    expect_run("r-1", "state", "failed");
    expect_run("r-1", "reason LIKE '%stopped at its deadline%'", "1");
    stop();
}
END_TEST

START_TEST(a_statement_is_killed_at_the_jobs_deadline)
{
    start_with("slow", unbounded);
    push("r-1", "slow", "{}", "\"maxTries\":1,\"timeout\":1,");
    mr_mill_await_letter(&mill, "main", "timed_out", "ran longer than its 1s");
    mr_wait_for(sleepers() == 0, 2000);
    ck_assert_int_eq(count_files(), 0);
    stop();
}
END_TEST

START_TEST(a_leaving_worker_stops_its_statement_and_gives_the_job_back)
{
    start();
    put_definition("slow", unbounded);
    strcat(yaml, "grace: 1s\n");
    mr_mill_dispatch(&mill, 0, 1);
    push("r-1", "slow", "{}", "");
    mr_wait_for(sleepers() == 1, 10000);
    mr_mill_drain(&mill, 0, 15000);
    mr_wait_for(sleepers() == 0, 2000);
    ck_assert_int_eq(count_files(), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main") + mr_mill_delayed(&mill, "main"), 1);
    stop();
}
END_TEST

/* ---- what is tried again ---- */

START_TEST(a_database_that_is_away_gets_the_report_when_it_comes)
{
    start_with("one", "{sql: SELECT 1 AS a, columns: {a: }}");
    mr_mariadb_kill(&db);
    push("r-1", "one", "{}", "\"maxTries\":1,");
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "report.database_away"), 10000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mariadb_again(&db, NULL);
    await_done();
    ck_assert(is_there("one", "r-1"));
    expect_run("r-1", "state", "done");
    stop();
}
END_TEST

static const char gated[] = "{sql: \"SELECT GET_LOCK('gate', 30) AS a\", columns: {a: }}";

static void shut_gate(void)
{
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT GET_LOCK('gate', 0)"), 1);
}

static void open_gate(void)
{
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT RELEASE_LOCK('gate')"), 1);
}

/* The connection whose report stands before the gate; -1: none. */
static long long waiting_at_gate(void)
{
    return mr_mariadb_int(
        &db, "SELECT id FROM information_schema.processlist WHERE state = 'User lock'");
}

START_TEST(a_connection_that_breaks_in_the_middle_costs_an_attempt)
{
    start_with("gated", gated);
    shut_gate();
    push("r-1", "gated", "{}", "");
    mr_wait_for(waiting_at_gate() > 0, 10000);
    long long first = waiting_at_gate();
    expect_run("r-1", "state", "running");
    expect_run("r-1", "ended_at", NULL);
    mr_mariadb_do(&db, "KILL %lld", first);
    mr_wait_for(waiting_at_gate() > 0 && waiting_at_gate() != first, 10000);
    open_gate();
    await_done();
    ck_assert(is_there("gated", "r-1"));
    expect_run("r-1", "state", "done");
    expect_run("r-1", "reason", NULL);
    ck_assert_int_eq(count_files(), 1);
    stop();
}
END_TEST

START_TEST(two_reports_are_made_at_once)
{
    start_with("gated", gated);
    put_definition("one", "{sql: SELECT 1 AS a, columns: {a: }}");
    shut_gate();
    push("r-1", "gated", "{}", "");
    mr_wait_for(waiting_at_gate() > 0, 10000);
    push("r-2", "one", "{}", "");
    mr_wait_for(is_there("one", "r-2"), 10000);
    ck_assert(!is_there("gated", "r-1"));
    open_gate();
    await_done();
    ck_assert(is_there("gated", "r-1"));
    stop();
}
END_TEST

START_TEST(a_job_that_comes_twice_makes_the_same_file_again)
{
    start_with("count", "{sql: SELECT COUNT(*) AS n FROM goods, columns: {n: }}");
    mr_mariadb_do(&db, "%s", goods);
    push("r-1", "count", "{}", "");
    await_done();
    mr_mariadb_do(&db, "DELETE FROM goods WHERE id > 3");
    push("r-1", "count", "{}", "");
    await_done();
    json_t *rows = read_csv(path_of("count", "r-1"));
    ck_assert_str_eq(cell(rows, 1, 0), "3");
    json_decref(rows);
    ck_assert_int_eq(count_files(), 1);

    /* One that fails leaves the file and its row as they are. */
    mr_mariadb_do(&db, "ALTER TABLE goods RENAME COLUMN id TO number");
    put_definition("count", "{sql: SELECT id AS n FROM goods, columns: {n: }}");
    push("r-1", "count", "{}", "");
    mr_mill_await_letter(&mill, "main", "failed", "Unknown column 'id'");
    ck_assert(is_there("count", "r-1"));
    expect_run("r-1", "state", "done");
    expect_run("r-1", "reason", NULL);
    stop();
}
END_TEST

START_TEST(a_job_without_a_uuid_gets_a_name_of_its_own)
{
    start_with("one", "{sql: SELECT 1 AS a, columns: {a: }}");
    push(NULL, "one", "{}", "");
    await_done();
    char *uuid = mr_mariadb_text(&db, "SELECT uuid FROM report_runs WHERE state = 'done'");
    ck_assert_ptr_nonnull(uuid);
    ck_assert_uint_eq(strlen(uuid), 36);
    ck_assert(is_there("one", uuid));
    free(uuid);
    stop();
}
END_TEST

/* ---- room ---- */

START_TEST(a_full_disk_leaves_no_file)
{
    start();
    put_definition("many",
                   "{sql: 'SELECT REPEAT(seq, 100) AS a FROM seq_1_to_10000', columns: {a: }}");
    if (!mr_scratch_small_disk(files, "256k")) {
        printf("# no mount here: a full disk is not tried\n");
        stop();
        return;
    }
    mr_mill_dispatch(&mill, 0, 1);
    push("r-1", "many", "{}", "\"maxTries\":1,");
    mr_mill_await_letter(&mill, "main", "exhausted",
                         "cannot write it: No space left on device");
    ck_assert_int_eq(count_files(), 0);
    expect_run("r-1", "state", "failed");
    mr_mill_drain(&mill, 0, 15000);
    umount2(files, MNT_DETACH);
    stop();
}
END_TEST

static size_t rss_after(const char *uuid, const char *params)
{
    pid_t worker[MR_PROC_LIST];

    push(uuid, "rows", params, "");
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 50000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, worker), 1);
    return mr_proc_rss_bytes(worker[0]);
}

START_TEST(memory_does_not_grow_with_the_rows)
{
    enum { ROWS = 300000, ROOM = 4 * MIB };
    struct stat st;

    start_with("rows",
               "sql: SELECT seq AS n, REPEAT('x', 100) AS a FROM seq_1_to_300000 LIMIT :n\n"
               "params: { n: { type: integer } }\n"
               "columns: { n: { type: integer }, a: }\n");
    size_t few = rss_after("r-1", "{\"n\":1000}");
    uint64_t from_ms = mr_wait_now_ms();
    size_t many = rss_after("r-2", "{\"n\":300000}");
    ck_assert_int_eq(stat(path_of("rows", "r-2"), &st), 0);
    printf("# %d rows, %lld KiB, in %llu ms; resident after 1,000 rows %zu KiB, after them %zu "
           "KiB\n",
           ROWS, (long long)st.st_size / 1024, (unsigned long long)(mr_wait_now_ms() - from_ms),
           few / 1024, many / 1024);
    ck_assert_int_gt(st.st_size, (off_t)ROWS * 100);
    expect_run("r-2", "row_count", "300000");
#ifndef MR_SANITIZED
    ck_assert_uint_le(many, few + ROOM);
#endif
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {the_file_holds_what_the_database_holds,                      0                     },
        {parameters_choose_the_rows,                                  0                     },
        {a_hostile_value_is_a_value,                                  0                     },
        {a_definition_that_writes_is_stopped_by_the_server,           0                     },
        {what_can_never_be_made_is_dead_with_the_reason,              0                     },
        {a_uuid_that_can_name_no_file_is_refused,                     0                     },
        {without_its_configuration_a_report_says_what_is_missing,     MR_COUNT(unconfigured)},
        {a_statement_is_killed_at_the_reports_own_timeout,            0                     },
        {a_statement_is_killed_at_the_jobs_deadline,                  0                     },
        {a_leaving_worker_stops_its_statement_and_gives_the_job_back, 0                     },
        {a_database_that_is_away_gets_the_report_when_it_comes,       0                     },
        {a_connection_that_breaks_in_the_middle_costs_an_attempt,     0                     },
        {two_reports_are_made_at_once,                                0                     },
        {a_job_that_comes_twice_makes_the_same_file_again,            0                     },
        {a_job_without_a_uuid_gets_a_name_of_its_own,                 0                     },
        {a_full_disk_leaves_no_file,                                  0                     },
        {memory_does_not_grow_with_the_rows,                          0                     },
    };

    return mr_suite_run_slow("report", tests, 90);
}
