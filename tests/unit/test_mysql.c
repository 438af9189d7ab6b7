/* Values, rows and statements through the service mysql, against a real server. */
#include "proto/base/mem.h"
#include "tests/support/mysql_scene.h"
#include "tests/support/proc.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 1000000, LONG_BYTES = 5 * 1024 * 1024, GROWTH_MAX_BYTES = 8 * 1024 * 1024 };

static struct mr_mysql_scene scene;
static struct mr_delivery delivery;
static struct mr_mysql_conn *conn;
static struct mr_err err;

static void init(void)
{
    mr_mysql_scene_init(&scene, false, NULL);
    mr_mysql_scene_use(&scene, NULL);
    conn = mr_mysql_scene_take(&scene, mr_mysql_scene_job(&delivery, 0));
}

static void fini(void)
{
    mr_mysql_give(conn);
    mr_mysql_scene_fini(&scene);
}

static void must(enum mr_code code)
{
    ck_assert_msg(code == MR_OK, "%s: %s", mr_code_name(code), err.text);
}

static void run(const char *sql, const struct mr_sql_value *values, unsigned n)
{
    must(mr_mysql_run(conn, sql, values, n, NULL, NULL, &err));
}

/* ---- values ---- */

static void comes_back(struct mr_bytes text)
{
    const struct mr_sql_value values[] = {mr_sql_bytes(text)};
    char *back;

    run("DELETE FROM grain", NULL, 0);
    run("INSERT INTO grain VALUES (1, ?)", values, 1);
    ck_assert_int_eq(mr_mariadb_int(&scene.db, "SELECT LENGTH(kind) FROM grain"), text.len);
    back = mr_mysql_scene_text(conn, "SELECT kind FROM grain", NULL, 0);
    ck_assert_ptr_nonnull(back);
    ck_assert_mem_eq(back, text.at, text.len);
    ck_assert_int_eq(back[text.len], '\0');
    free(back);
}

START_TEST(texts_come_back_byte_for_byte)
{
    init();
    char *wide = mr_zalloc(LONG_BYTES);

    memset(wide, 'x', LONG_BYTES);
    wide[LONG_BYTES - 1] = 'y';
    comes_back(mr_bytes_of("rye"));
    comes_back(mr_bytes_of(""));
    comes_back(mr_bytes_of("\xf0\x9f\x8c\xbe of 4 bytes, \xe2\x82\xac of 3"));
    comes_back((struct mr_bytes){"a\0b\0", 4});
    comes_back((struct mr_bytes){wide, 255});
    comes_back((struct mr_bytes){wide, 256});
    comes_back((struct mr_bytes){wide, 257});
    comes_back((struct mr_bytes){wide, LONG_BYTES});
    free(wide);
    fini();
}
END_TEST

START_TEST(bytes_that_are_no_text_go_into_a_blob)
{
    init();
    static const char bytes[] = {'\xff', '\0', '\xfe', '\'', '\\'};
    const struct mr_sql_value values[] = {
        mr_sql_bytes((struct mr_bytes){bytes, sizeof(bytes)})};
    char *back;

    run("CREATE TABLE raw (b LONGBLOB)", NULL, 0);
    run("INSERT INTO raw VALUES (?)", values, 1);
    back = mr_mysql_scene_text(conn, "SELECT b FROM raw", NULL, 0);
    ck_assert_mem_eq(back, bytes, sizeof(bytes));
    free(back);
    fini();
}
END_TEST

static void number_comes_back(int64_t number)
{
    const struct mr_sql_value values[] = {mr_sql_int(number)};
    char *back, want[32];

    run("DELETE FROM grain", NULL, 0);
    run("INSERT INTO grain VALUES (?, NULL)", values, 1);
    back = mr_mysql_scene_text(conn, "SELECT id FROM grain WHERE id = ?", values, 1);
    snprintf(want, sizeof(want), "%" PRId64, number);
    ck_assert_pstr_eq(back, want);
    free(back);
}

START_TEST(numbers_come_back_to_their_extremes)
{
    init();
    number_comes_back(0);
    number_comes_back(-1);
    number_comes_back(INT64_MAX);
    number_comes_back(INT64_MIN);
    fini();
}
END_TEST

START_TEST(null_is_not_the_empty_text)
{
    init();
    const struct mr_sql_value values[] = {mr_sql_null(), mr_sql_text(NULL), mr_sql_text("")};
    char *back = mr_mysql_scene_text(conn, "SELECT CONCAT(? IS NULL, ? IS NULL, ? = '')",
                                     values, MR_COUNT(values));

    ck_assert_pstr_eq(back, "111");
    free(back);
    ck_assert_ptr_null(mr_mysql_scene_text(conn, "SELECT NULL", NULL, 0));
    back = mr_mysql_scene_text(conn, "SELECT ''", NULL, 0);
    ck_assert_pstr_eq(back, "");
    free(back);
    fini();
}
END_TEST

/* What a person sees in the mysql program is what a report gets. */
START_TEST(values_read_as_the_server_prints_them)
{
    init();
    static const char *const expressions[] = {
        "CAST(12.50 AS DECIMAL(10,2))",
        "1e20",
        "0.1e0",
        "-1.5e-7",
        "1/3",
        "CAST(3 AS DOUBLE)",
        "TIMESTAMP'2026-11-25 02:30:01.123'",
        "CAST('2026-11-25 00:00:00' AS DATETIME)",
        "DATE'2026-02-28'",
        "TIME'-101:02:03'",
        "CAST('01:02:03.5' AS TIME(3))",
        "TRUE",
        "18446744073709551615",
        "CAST(1.25 AS FLOAT)",
        "CAST(16777217 AS FLOAT)",
        "CAST(0.1 AS FLOAT)",
        "YEAR('2026-01-01')",
        "x'4142'",
        "JSON_OBJECT('a', 1)",
    };

    for (size_t i = 0; i < MR_COUNT(expressions); i++) {
        char *sql = mr_asprintf("SELECT %s", expressions[i]);
        char *ours = mr_mysql_scene_text(conn, sql, NULL, 0);
        char *server = mr_mariadb_text(&scene.db, "%s", sql);

        ck_assert_msg(ours && strcmp(ours, server) == 0, "%s: %s, but the server says %s", sql,
                      ours, server);
        free(sql);
        free(ours);
        free(server);
    }
    fini();
}
END_TEST

START_TEST(doubles_come_back_exactly)
{
    init();
    static const double numbers[] = {0.1, 1.0 / 3, 1e308, -2.5e-300, 123456789.123456789};

    for (size_t i = 0; i < MR_COUNT(numbers); i++) {
        const struct mr_sql_value values[] = {mr_sql_double(numbers[i])};
        char *back = mr_mysql_scene_text(conn, "SELECT CAST(? AS DOUBLE)", values, 1);

        ck_assert_double_eq(strtod(back, NULL), numbers[i]);
        free(back);
    }
    fini();
}
END_TEST

/* ---- sessions ---- */

START_TEST(sessions_are_utc_strict_and_read_committed)
{
    init();
    static const char *const rows[][2] = {
        {"SELECT @@session.time_zone",                           "+00:00"        },
        {"SELECT @@session.character_set_client",                "utf8mb4"       },
        {"SELECT @@session.tx_isolation",                        "READ-COMMITTED"},
        {"SELECT @@session.autocommit",                          "1"             },
        {"SELECT @@session.sql_mode LIKE '%STRICT_ALL_TABLES%'", "1"             },
    };

    for (size_t i = 0; i < MR_COUNT(rows); i++) {
        char *value = mr_mysql_scene_text(conn, rows[i][0], NULL, 0);

        ck_assert_pstr_eq(value, rows[i][1]);
        free(value);
    }
    fini();
}
END_TEST

/* What an administrator may have set for everybody. */
START_TEST(a_server_with_settings_of_its_own_changes_nothing)
{
    static const char *const settings[] = {
        "--skip-character-set-client-handshake",
        "--character-set-server=latin1",
        "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",
        "--completion-type=CHAIN",
        "--lower-case-table-names=1",
        "--default-time-zone=-07:00",
        NULL,
    };
    static const char text[] = "\xc3\xbc, \xe2\x82\xac, \xf0\x9f\x8c\xbe";
    const struct mr_sql_value values[] = {mr_sql_text(text)};

    mr_mysql_scene_init(&scene, false, settings);
    mr_mysql_scene_use(&scene, NULL);
    conn = mr_mysql_scene_take(&scene, mr_mysql_scene_job(&delivery, 0));
    run("INSERT INTO grain VALUES (1, ?)", values, 1);
    char *hex = mr_mariadb_text(&scene.db, "SELECT HEX(kind) FROM grain");
    ck_assert_str_eq(hex, "C3BC2C20E282AC2C20F09F8CBE");
    char *back = mr_mysql_scene_text(conn, "SELECT kind FROM grain WHERE kind = ?", values, 1);
    ck_assert_pstr_eq(back, text);
    mr_mysql_give(conn);
    conn = mr_mysql_scene_take(&scene, NULL);
    char *quoted = mr_mysql_scene_text(conn, "SELECT \"a\"", NULL, 0);
    ck_assert_pstr_eq(quoted, "a");
    free(quoted);
    free(back);
    free(hex);
    fini();
}
END_TEST

/* ---- statements ---- */

START_TEST(run_tells_what_it_changed)
{
    init();
    uint64_t changed = 0, id = 0;

    run("CREATE TABLE tally (n BIGINT AUTO_INCREMENT PRIMARY KEY, a INT)", NULL, 0);
    must(mr_mysql_run(conn, "INSERT INTO tally (a) VALUES (1)", NULL, 0, &changed, &id, &err));
    ck_assert_uint_eq(changed, 1);
    ck_assert_uint_eq(id, 1);
    run("INSERT INTO tally (a) VALUES (1), (2), (2)", NULL, 0);
    must(mr_mysql_run(conn, "UPDATE tally SET a = 3 WHERE a = 2", NULL, 0, &changed, NULL,
                      &err));
    ck_assert_uint_eq(changed, 2);
    fini();
}
END_TEST

START_TEST(a_result_that_run_meets_is_nobodys)
{
    init();
    run("SELECT 1 UNION SELECT 2", NULL, 0);
    run("CREATE PROCEDURE talk() BEGIN SELECT 1; SELECT 2; END", NULL, 0);
    run("CALL talk()", NULL, 0);
    run("DO 1", NULL, 0);
    fini();
}
END_TEST

START_TEST(duplicate_key_exists_and_keeps_the_value_to_itself)
{
    init();
    const struct mr_sql_value values[] = {mr_sql_text("ann@example.org")};

    run("CREATE TABLE names (name VARCHAR(50) PRIMARY KEY)", NULL, 0);
    run("INSERT INTO names VALUES (?)", values, 1);
    ck_assert_int_eq(
        mr_mysql_run(conn, "INSERT INTO names VALUES (?)", values, 1, NULL, NULL, &err),
        MR_EEXIST);
    ck_assert_ptr_nonnull(strstr(err.text, "1062"));
    ck_assert_ptr_nonnull(strstr(err.text, scene.db.socket));
    ck_assert_ptr_null(strstr(err.text, "ann@example"));
    fini();
}
END_TEST

START_TEST(what_is_wrong_with_a_statement_is_said)
{
    init();
    static const struct {
        const char *sql;
        enum mr_code code;
        const char *says;
    } rows[] = {
        {"SELEC 1",                          MR_EREFUSED, "1064"             },
        {"SELECT * FROM chaff",              MR_EFAULT,   "mill.chaff"       },
        {"SELECT ?",                         MR_EREFUSED, "1 places"         },
        {"INSERT INTO grain VALUES ('x',1)", MR_EREFUSED, "Incorrect integer"},
    };

    for (size_t i = 0; i < MR_COUNT(rows); i++) {
        struct mr_mysql_conn *other = mr_mysql_scene_take(&scene, NULL);

        ck_assert_int_eq(mr_mysql_scene_run(other, rows[i].sql, &err), rows[i].code);
        ck_assert_msg(strstr(err.text, rows[i].says) != NULL, "%s", err.text);
        mr_mysql_give(other);
    }
    fini();
}
END_TEST

START_TEST(more_statements_than_are_kept_do_no_harm)
{
    init();
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 100; i++) {
            char *sql = mr_asprintf("SELECT %d", i), *value;

            value = mr_mysql_scene_text(conn, sql, NULL, 0);
            ck_assert_int_eq(atoi(value), i);
            free(sql);
            free(value);
        }
    ck_assert_int_le(
        mr_mariadb_int(&scene.db, "SELECT variable_value FROM information_schema.global_status "
                                  "WHERE variable_name = 'Prepared_stmt_count'"),
        32);
    fini();
}
END_TEST

/* SELECT * of a table that has other columns now: this connection goes, the next one prepares it anew. */
START_TEST(a_kept_statement_of_a_changed_table_works_again)
{
    init();
    run("INSERT INTO grain VALUES (1, 'rye')", NULL, 0);
    free(mr_mysql_scene_text(conn, "SELECT * FROM grain", NULL, 0));
    mr_mariadb_do(&scene.db, "ALTER TABLE grain ADD COLUMN more TEXT DEFAULT 'new' FIRST");
    ck_assert_int_eq(mr_mysql_query(conn, "SELECT * FROM grain", NULL, 0, NULL,
                                    mr_mysql_scene_ignore, NULL, &err),
                     MR_EBUSY);
    mr_mysql_give(conn);
    conn = mr_mysql_scene_take(&scene, NULL);
    char *value = mr_mysql_scene_text(conn, "SELECT * FROM grain", NULL, 0);
    ck_assert_pstr_eq(value, "new");
    free(value);
    fini();
}
END_TEST

/* ---- rows ---- */

struct count {
    uint64_t rows, sum;
    unsigned columns;
    uint64_t stop_at; /* 0: never */
    size_t most_bytes;
};

static enum mr_code on_columns(void *arg, const struct mr_sql_row *row, struct mr_err *why)
{
    struct count *count = arg;

    (void)why;
    ck_assert_ptr_null(row->values);
    count->columns = row->n;
    ck_assert_str_eq(row->names[0], "seq");
    return MR_OK;
}

static enum mr_code on_row(void *arg, const struct mr_sql_row *row, struct mr_err *why)
{
    struct count *count = arg;

    count->rows++;
    count->sum += strtoull(row->values[0].at, NULL, 10);
    if (count->rows % 100000 == 1 && count->most_bytes < mr_proc_rss_bytes(getpid()))
        count->most_bytes = mr_proc_rss_bytes(getpid());
    if (count->rows == count->stop_at)
        return mr_fail(why, MR_EINVAL, "enough");
    return MR_OK;
}

START_TEST(a_million_rows_stream_through_little_memory)
{
    init();
    struct count count = {0};
    size_t before = mr_proc_rss_bytes(getpid());

    must(mr_mysql_query(conn, "SELECT seq, REPEAT('x', 80) AS x FROM seq_1_to_1000000", NULL, 0,
                        on_columns, on_row, &count, &err));
    ck_assert_uint_eq(count.rows, ROWS);
    ck_assert_uint_eq(count.sum, (uint64_t)ROWS * (ROWS + 1) / 2);
    ck_assert_uint_eq(count.columns, 2);
    ck_assert_uint_lt(count.most_bytes, before + GROWTH_MAX_BYTES);
    fini();
}
END_TEST

START_TEST(columns_are_told_even_without_rows)
{
    init();
    struct count count = {0};

    must(mr_mysql_query(conn, "SELECT seq FROM seq_1_to_10 WHERE seq > 10", NULL, 0, on_columns,
                        on_row, &count, &err));
    ck_assert_uint_eq(count.columns, 1);
    ck_assert_uint_eq(count.rows, 0);
    fini();
}
END_TEST

START_TEST(a_reader_that_had_enough_ends_the_query)
{
    init();
    struct count count = {.stop_at = 3};

    ck_assert_int_eq(mr_mysql_query(conn, "SELECT seq FROM seq_1_to_100", NULL, 0, NULL, on_row,
                                    &count, &err),
                     MR_EINVAL);
    ck_assert_str_eq(err.text, "enough");
    ck_assert_uint_eq(count.rows, 3);
    run("DO 1", NULL, 0); /* little was left: it was read, and the connection goes on */
    fini();
}
END_TEST

START_TEST(a_connection_with_much_left_is_closed_not_read)
{
    init();
    struct count count = {.stop_at = 3};

    ck_assert_int_eq(mr_mysql_query(conn, "SELECT seq FROM seq_1_to_100000000", NULL, 0, NULL,
                                    on_row, &count, &err),
                     MR_EINVAL);
    ck_assert_int_eq(mr_mysql_scene_run(conn, "DO 1", &err), MR_EDOWN);
    mr_mysql_give(conn);
    conn = mr_mysql_scene_take(&scene, NULL);
    run("DO 1", NULL, 0);
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {texts_come_back_byte_for_byte,                      0},
        {bytes_that_are_no_text_go_into_a_blob,              0},
        {numbers_come_back_to_their_extremes,                0},
        {null_is_not_the_empty_text,                         0},
        {values_read_as_the_server_prints_them,              0},
        {doubles_come_back_exactly,                          0},
        {sessions_are_utc_strict_and_read_committed,         0},
        {a_server_with_settings_of_its_own_changes_nothing,  0},
        {run_tells_what_it_changed,                          0},
        {a_result_that_run_meets_is_nobodys,                 0},
        {duplicate_key_exists_and_keeps_the_value_to_itself, 0},
        {what_is_wrong_with_a_statement_is_said,             0},
        {more_statements_than_are_kept_do_no_harm,           0},
        {a_kept_statement_of_a_changed_table_works_again,    0},
        {a_million_rows_stream_through_little_memory,        0},
        {columns_are_told_even_without_rows,                 0},
        {a_reader_that_had_enough_ends_the_query,            0},
        {a_connection_with_much_left_is_closed_not_read,     0},
    };

    return mr_suite_run("mysql", tests);
}
