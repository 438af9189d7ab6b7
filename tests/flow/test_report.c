/* report.generate against a real MariaDB: what stands in the file, and what is refused. */
#include "proto/base/str.h"
#include "tests/support/desk.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct mr_desk desk;

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
    const char *got = mr_desk_cell(rows, row, column);

    if (guarded)
        ck_assert_int_eq(*got++, '\'');
    ck_assert_str_eq(got, stored ? stored : "");
}

static void expect_all_goods(const json_t *rows)
{
    ck_assert_int_eq(mysql_query(desk.db.sync, "SELECT * FROM goods ORDER BY id"), 0);
    MYSQL_RES *result = mysql_store_result(desk.db.sync);

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

    mr_desk_start_with(&desk, "goods", all_goods);
    mr_mariadb_do(&desk.db, "%s", goods);
    mr_desk_push(&desk, "r-1", "goods", "{}", "", "");
    mr_desk_await_done(&desk);
    json_t *rows = mr_desk_read_csv(mr_desk_path(&desk, "goods", "r-1", ".csv"));
    ck_assert_str_eq(mr_desk_cell(rows, 0, 0), "No.");
    ck_assert_str_eq(mr_desk_cell(rows, 0, 1), "Name, \"long\"");
    ck_assert_str_eq(mr_desk_cell(rows, 0, 2), "price");
    expect_all_goods(rows);
    json_decref(rows);
    mr_desk_expect_run(&desk, "r-1", "state", "done");
    mr_desk_expect_run(&desk, "r-1", "report", "goods");
    mr_desk_expect_run(&desk, "r-1", "params", "{}");
    mr_desk_expect_run(&desk, "r-1", "row_count", "11");
    mr_desk_expect_run(&desk, "r-1", "place", "reports/goods-r-1.csv");
    mr_desk_expect_run(&desk, "r-1", "reason", NULL);
    mr_desk_expect_run(
        &desk, "r-1",
        "ended_at >= started_at AND ended_at > UTC_TIMESTAMP() - INTERVAL 1 MINUTE", "1");
    ck_assert_int_eq(stat(mr_desk_path(&desk, "goods", "r-1", ".csv"), &st), 0);
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT bytes FROM report_runs"), st.st_size);
    ck_assert_int_eq(mr_desk_files(&desk), 1);
    mr_desk_stop(&desk);
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

    mr_desk_start_with(&desk, "chosen", chosen_goods);
    mr_mariadb_do(&desk.db, "%s", goods);
    for (size_t i = 0; i < MR_COUNT(choices); i++) {
        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        mr_desk_push(&desk, uuid, "chosen", choices[i].params, "", "");
    }
    mr_desk_await_done(&desk);
    for (size_t i = 0; i < MR_COUNT(choices); i++) {
        struct mr_buf ids = {0};

        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        json_t *rows = mr_desk_read_csv(mr_desk_path(&desk, "chosen", uuid, ".csv"));
        for (size_t row = 1; row < json_array_size(rows); row++)
            mr_buf_printf(&ids, "%s%s", row > 1 ? " " : "", mr_desk_cell(rows, row, 0));
        ck_assert_str_eq(ids.at ? ids.at : "", choices[i].ids);
        mr_buf_fini(&ids);
        json_decref(rows);
        mr_desk_expect_run(&desk, uuid, "params", choices[i].params);
    }
    mr_desk_stop(&desk);
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

    mr_desk_start_with(
        &desk, "named",
        "sql: SELECT id FROM goods WHERE name = :name OR CONCAT(name, 'x') = :name\n"
        "params: { name: }\n"
        "columns: { id: }\n");
    mr_mariadb_do(&desk.db, "%s", goods);
    for (size_t i = 0; i < MR_COUNT(hostile); i++) {
        json_t *text = json_string_nocheck(hostile[i]), *params = json_object();
        snprintf(uuid, sizeof(uuid), "r-%zu", i);

        json_object_set_new_nocheck(params, "name", text);
        char *dumped = json_dumps(params, JSON_ENSURE_ASCII);
        mr_desk_push(&desk, uuid, "named",
                     dumped ? dumped : "{\"name\":\"\xef\xbf\xbd' OR 1=1 -- \"}", "", "");
        free(dumped);
        json_decref(params);
    }
    mr_desk_await_done(&desk);
    for (size_t i = 0; i < MR_COUNT(hostile); i++) {
        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        mr_desk_expect_run(&desk, uuid, "row_count", "0");
    }
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM goods"), 11);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_definition_that_writes_is_stopped_by_the_server)
{
    mr_desk_start_with(
        &desk, "evil",
        "{sql: 'WITH x AS (SELECT 1) SELECT evil() AS a FROM x', columns: {a: }}");
    mr_mariadb_do(&desk.db,
                  "CREATE TABLE t (a INT); CREATE FUNCTION evil() RETURNS INT DETERMINISTIC "
                  "MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (1); RETURN 1; END");
    mr_desk_push(&desk, "r-1", "evil", "{}", "", "");
    mr_mill_await_letter(&desk.mill, "main", "failed", "in a READ ONLY transaction");
    ck_assert_int_eq(mr_mariadb_int(&desk.db, "SELECT COUNT(*) FROM t"), 0);
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_stop(&desk);
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
    freeReplyObject(mr_redis_ask(&desk.mill.redis,
                                 "DEL " MR_MILL_PREFIX "queues:main:dead " MR_MILL_PREFIX
                                 "queues:main:dead:jobs"));
}

START_TEST(what_can_never_be_made_is_dead_with_the_reason)
{
    char payload[300], uuid[16];

    mr_desk_start_with(&desk, "good",
                       "sql: SELECT 1 AS a WHERE :from > '2000-01-01'\n"
                       "params: { from: { type: date } }\n"
                       "columns: { a: }\n");
    for (size_t i = 0; i < MR_COUNT(refused); i++) {
        if (refused[i].definition)
            mr_desk_define(&desk, "bad", refused[i].definition);
        snprintf(uuid, sizeof(uuid), "r-%zu", i);
        snprintf(payload, sizeof(payload),
                 "{\"uuid\":\"%s\",\"job\":\"report.generate\",\"data\":%s}", uuid,
                 refused[i].data);
        mr_mill_push_raw(&desk.mill, "main", payload, strlen(payload));
        mr_mill_await_letter(&desk.mill, "main", "failed", refused[i].reason);
        drop_letters();
        ck_assert_int_eq(mr_desk_files(&desk), 0);
        /* Where there is a name to keep it under, the database knows it too. */
        if (!strstr(refused[i].reason, "name of a report")) {
            char *reason = mr_mariadb_text(
                &desk.db,
                "SELECT reason FROM report_runs WHERE uuid = '%s' AND state = 'failed'", uuid);
            ck_assert_msg(reason && strstr(reason, refused[i].reason), "%s: %s", uuid, reason);
            free(reason);
        }
    }
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_uuid_that_can_name_no_file_is_refused)
{
    mr_desk_start_with(&desk, "one", "{sql: SELECT 1 AS a, columns: {a: }}");
    mr_desk_push(&desk, "../../etc/x", "one", "{}", "", "");
    mr_mill_await_letter(&desk.mill, "main", "failed", "uuid: it names the file");
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_stop(&desk);
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
    mr_desk_start(&desk, NULL);
    char *line = strstr(desk.yaml, unconfigured[_i].without);
    ck_assert_ptr_nonnull(line);
    *line = '#';
    mr_mill_dispatch(&desk.mill, 0, 1);
    mr_desk_push(&desk, "r-1", "one", "{}", "", "\"maxTries\":1,");
    mr_mill_await_letter(&desk.mill, "main", "exhausted", unconfigured[_i].reason);
    mr_desk_stop(&desk);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {the_file_holds_what_the_database_holds,                  0                     },
        {parameters_choose_the_rows,                              0                     },
        {a_hostile_value_is_a_value,                              0                     },
        {a_definition_that_writes_is_stopped_by_the_server,       0                     },
        {what_can_never_be_made_is_dead_with_the_reason,          0                     },
        {a_uuid_that_can_name_no_file_is_refused,                 0                     },
        {without_its_configuration_a_report_says_what_is_missing, MR_COUNT(unconfigured)},
    };

    return mr_suite_run_slow("report", tests, 90);
}
