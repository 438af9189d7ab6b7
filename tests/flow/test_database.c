/* workerctl db and doctor against a real database: what an operator does to it, and reads of it. */
#include "tests/support/mariadb.h"
#include "tests/support/proc.h"
#include "tests/support/replica.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUN_MS = 60000, DEADLINE_MS = 20000, WORDS_MAX = 12 };

static struct mr_mariadb db;
static struct mr_proc ctl;
static char config[96];

static void configure(const char *yaml)
{
    FILE *file = fopen(config, "we");

    ck_assert_ptr_nonnull(file);
    fputs(yaml, file);
    fclose(file);
}

static void set_up(const char *const *args)
{
    mr_mariadb_start(&db, args);
    snprintf(config, sizeof(config), "%s/millrace.yaml", db.dir);
    configure(db.yaml);
}

/* Starts workerctl with these words and the configuration; its output goes to a log of its own. */
static void start(struct mr_proc *proc, const char *log, const char *const *words)
{
    const char *argv[WORDS_MAX] = {"ops/workerctl", "-c", config};
    char path[160];
    int n = 3;

    while (*words && n < WORDS_MAX - 1)
        argv[n++] = *words++;
    snprintf(path, sizeof(path), "%s/%s.log", db.dir, log);
    unlink(path);
    mr_proc_start(proc, argv, NULL, path);
}

static int run(const char *const *words)
{
    start(&ctl, "ctl", words);
    return mr_proc_exit_status(&ctl, RUN_MS);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void says(const char *text)
{
    bool said = mr_proc_said(&ctl, text);

    if (!said)
        mr_proc_show(&ctl);
    ck_assert_msg(said, "it never said: %s", text);
}

static long long tables(void)
{
    return mr_mariadb_int(&db, "SELECT COUNT(*) FROM information_schema.tables WHERE "
                               "table_schema = DATABASE()");
}

START_TEST(migrating_makes_the_tables_once)
{
    set_up(NULL);
    ck_assert_int_eq(RUN("db", "status"), 1);
    says("pending");
    ck_assert_int_eq(RUN("db", "migrate", "--dry-run"), 0);
    says("0001_core.sql: would be applied (8 statements)");
    ck_assert_int_eq(tables(), 0);
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    says("0001_core.sql: applied");
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM billing_invoices"), 0);
    ck_assert_int_eq(RUN("db", "status"), 0);
    says("applied");
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    says("nothing to do");
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM millrace_migrations"),
                     mr_mariadb_migrations());
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(status_as_json_is_for_programs)
{
    char *at;

    set_up(NULL);
    ck_assert_int_eq(RUN("-o", "json", "db", "status"), 1);
    says("{\"items\":[{\"number\":1,\"name\":\"core\",\"state\":\"pending\",\"applied_at\":"
         "null},");
    says("\"applied_at\":null}],\"next\":null}");
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    ck_assert_int_eq(RUN("-o", "json", "db", "status"), 0);
    at = mr_mariadb_text(&db,
                         "SELECT DATE_FORMAT(applied_at, '\"applied_at\":\"%s\"') FROM "
                         "millrace_migrations WHERE number = 1",
                         "%Y-%m-%dT%TZ");
    says(at);
    free(at);
    mr_mariadb_stop(&db);
}
END_TEST

/* Also where a migration was cut short before it was recorded: it is done over. */
START_TEST(invoices_of_an_older_version_keep_their_numbers)
{
    char *text;

    set_up(NULL);
    mr_mariadb_apply(&db, "0001_core.sql");
    mr_mariadb_do(&db, "INSERT INTO billing_customers (id, name) VALUES ('ann', 'Ann')");
    mr_mariadb_do(&db,
                  "INSERT INTO billing_series (name, last_number) VALUES ('INV', 1000000)");
    mr_mariadb_do(&db,
                  "INSERT INTO billing_invoices (uuid, series, number, customer, currency, "
                  "net_minor, tax_minor, total_minor, created_at) VALUES "
                  "('a', 'INV', 42, 'ann', 'EUR', 100, 19, 119, '2025-12-31 23:59:59'), "
                  "('b', 'INV', 1000000, 'ann', 'EUR', 1, 0, 1, '2026-01-01')");
    for (int n = 0; n < 2; n++) {
        ck_assert_int_eq(RUN("db", "migrate"), 0);
        text = mr_mariadb_text(&db, "SELECT GROUP_CONCAT(printed, ' ', year, ' ', issued_on "
                                    "ORDER BY uuid SEPARATOR ', ') FROM billing_invoices");
        ck_assert_str_eq(text, "INV-000042 0 2025-12-31, INV-1000000 0 2026-01-01");
        free(text);
        mr_mariadb_do(&db, "DELETE FROM millrace_migrations");
    }
    ck_assert_int_ne(mysql_query(db.sync, "UPDATE billing_invoices SET total_minor = 7"), 0);
    ck_assert_ptr_nonnull(strstr(mysql_error(db.sync), "billing_invoices_sum"));
    mr_mariadb_stop(&db);
}
END_TEST

/* A table that is in the way: the statement after the ones that could be done fails, and says where. */
START_TEST(a_failing_statement_is_named_and_done_again_when_mended)
{
    set_up(NULL);
    mr_mariadb_do(&db, "CREATE TABLE billing_series (name INT)");
    ck_assert_int_eq(RUN("db", "migrate"), 1);
    says("0001_core.sql:");
    says(": CREATE TABLE IF NOT EXISTS billing_invoices");
    says("errno: 150");
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM billing_customers"), 0);
    ck_assert_int_eq(RUN("db", "status"), 1);
    mr_mariadb_do(&db, "DROP TABLE billing_series");
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    ck_assert_int_eq(RUN("db", "status"), 0);
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(a_file_that_changed_after_it_was_applied_is_refused)
{
    set_up(NULL);
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    mr_mariadb_do(&db, "UPDATE millrace_migrations SET checksum = 'another'");
    ck_assert_int_eq(RUN("db", "migrate"), 1);
    says("0001_core.sql is not the file that was applied at 2");
    ck_assert_int_eq(RUN("db", "status"), 1);
    says("changed");
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(a_database_of_a_newer_version_is_left_as_it_is)
{
    set_up(NULL);
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    mr_mariadb_do(&db, "INSERT INTO millrace_migrations (number, name, checksum) VALUES (9999, "
                       "'tomorrow', 'x')");
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    ck_assert_int_eq(RUN("db", "status"), 0);
    says("tomorrow");
    says("unknown");
    mr_mariadb_stop(&db);
}
END_TEST

/* ---- two at once ---- */

START_TEST(of_two_at_once_one_applies_and_the_other_finds_it_done)
{
    struct mr_proc other;
    const char *const words[] = {"db", "migrate", NULL};

    set_up(NULL);
    start(&ctl, "ctl", words);
    start(&other, "other", words);
    ck_assert_int_eq(mr_proc_exit_status(&ctl, RUN_MS), 0);
    ck_assert_int_eq(mr_proc_exit_status(&other, RUN_MS), 0);
    ck_assert_int_ne(mr_proc_said(&ctl, "0001_core.sql: applied"),
                     mr_proc_said(&other, "0001_core.sql: applied"));
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM millrace_migrations"),
                     mr_mariadb_migrations());
    mr_mariadb_stop(&db);
}
END_TEST

/* The test holds the lock that a migration takes; one that is started waits for it. */
static void migrate_behind_another(void)
{
    ck_assert_int_eq(
        mr_mariadb_int(&db, "SELECT GET_LOCK(CONCAT('millrace.', MD5(DATABASE())), 0)"), 1);
    start(&ctl, "ctl", (const char *const[]){"db", "migrate", NULL});
    mr_wait_for(
        mr_mariadb_int(&db,
                       "SELECT COUNT(*) FROM information_schema.processlist WHERE user = "
                       "'%s' AND info LIKE 'SELECT GET_LOCK%%'",
                       MR_MARIADB_USER) == 1,
        DEADLINE_MS);
}

START_TEST(a_migration_waits_for_the_one_that_runs)
{
    set_up(NULL);
    migrate_behind_another();
    ck_assert_int_eq(tables(), 0);
    mr_mariadb_do(&db, "DO RELEASE_LOCK(CONCAT('millrace.', MD5(DATABASE())))");
    ck_assert_int_eq(mr_proc_exit_status(&ctl, RUN_MS), 0);
    mr_mariadb_stop(&db);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(a_database_that_is_away_is_69)
{
    set_up(NULL);
    mr_mariadb_kill(&db);
    ck_assert_int_eq(RUN("db", "status"), 69);
    says(db.socket);
    ck_assert_int_eq(RUN("db", "migrate"), 69);
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(a_server_that_dies_in_the_middle_is_69)
{
    set_up(NULL);
    migrate_behind_another();
    mr_mariadb_kill(&db);
    ck_assert_int_eq(mr_proc_exit_status(&ctl, RUN_MS), 69);
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(no_database_in_the_configuration_is_78)
{
    set_up(NULL);
    configure("log: { level: info }\n");
    ck_assert_int_eq(RUN("db", "status"), 78);
    says("mysql.database");
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(a_wrong_password_is_78_and_not_shown)
{
    char yaml[320];

    set_up(NULL);
    snprintf(yaml, sizeof(yaml),
             "mysql: { socket: \"%s\", database: mill, user: miller, password: chaff }\n",
             db.socket);
    configure(yaml);
    ck_assert_int_eq(RUN("db", "status"), 78);
    says("Access denied for user 'miller'");
    ck_assert(!mr_proc_said(&ctl, "chaff"));
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(words_that_make_no_sense_are_64)
{
    set_up(NULL);
    ck_assert_int_eq(RUN("db"), 64);
    says("workerctl db migrate");
    ck_assert_int_eq(RUN("db", "status", "--dry-run"), 64);
    mr_mariadb_stop(&db);
}
END_TEST

/* ---- doctor ---- */

START_TEST(doctor_reads_what_the_database_promises)
{
    static const char *const args[] = {"--innodb-flush-log-at-trx-commit=2", NULL};
    char *yaml = NULL, pending[80];

    set_up(args);
    ck_assert_int_ge(
        asprintf(&yaml, "%spools: { main: { processes: 100, concurrency: 8 } }\n", db.yaml), 0);
    configure(yaml);
    free(yaml);
    ck_assert_int_eq(RUN("doctor"), 1);
    says("the pools here may open 800 at ");
    says(", which takes 151: lower mysql.pool.max");
    says("innodb_flush_log_at_trx_commit is 2");
    snprintf(pending, sizeof(pending), "%u not applied: run workerctl db migrate",
             mr_mariadb_migrations());
    says(pending);
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    RUN("doctor");
    says("all applied");
    mr_mariadb_kill(&db);
    RUN("doctor");
    says(db.socket);
    mr_mariadb_stop(&db);
}
END_TEST

static struct mr_mariadb replica;

/* mysql: { ..., read_hosts: [the replica, one that is nowhere] }, and what else stands in that section. */
static void set_up_replica(const char *const *args, const char *more)
{
    char yaml[600];

    mr_replica_primary_start(&db, args);
    mr_replica_start(&replica, &db, NULL);
    snprintf(config, sizeof(config), "%s/millrace.yaml", db.dir);
    size_t len = strcspn(db.yaml, "}");
    snprintf(yaml, sizeof(yaml), "%.*s, read_hosts: [\"%s\", /nowhere/mariadb.sock]%s }\n",
             (int)len, db.yaml, replica.socket, more);
    configure(yaml);
}

static void tear_down_replica(void)
{
    mr_mariadb_stop(&replica);
    mr_mariadb_stop(&db);
}

START_TEST(doctor_tells_of_each_server_that_is_read_from)
{
    set_up_replica(NULL, ", max_lag: 5m");
    ck_assert_int_eq(RUN("db", "migrate"), 0);
    RUN("doctor");
    says("may not see how far it is behind: grant it REPLICA MONITOR");
    says("passed over: MySQL at /nowhere/mariadb.sock");
    mr_replica_let_look(&db);
    mr_replica_catch_up(&replica, &db);
    RUN("doctor");
    says("0 s behind; read-only");
    mr_replica_lag(&replica, &db, 600);
    RUN("doctor");
    says(" s behind, and is passed over (mysql.max_lag); read-only");
    mr_mariadb_do(&replica, "STOP SLAVE SQL_THREAD");
    mr_mariadb_do(&replica, "SET GLOBAL read_only = 0");
    RUN("doctor");
    says("replication does not run there");
    says("; not read-only");
    tear_down_replica();
}
END_TEST

START_TEST(doctor_tells_of_a_write_host_that_takes_no_writes)
{
    static const char *const args[] = {"--binlog-format=STATEMENT", NULL};

    set_up_replica(args, "");
    ck_assert_int_eq(RUN("doctor"), 1);
    says("takes writes");
    says("binlog_format is STATEMENT");
    mr_mariadb_do(&db, "SET GLOBAL read_only = 1");
    ck_assert_int_eq(RUN("doctor"), 1);
    says("is read-only: what writes waits");
    tear_down_replica();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {migrating_makes_the_tables_once,                         0},
        {status_as_json_is_for_programs,                          0},
        {invoices_of_an_older_version_keep_their_numbers,         0},
        {a_failing_statement_is_named_and_done_again_when_mended, 0},
        {a_file_that_changed_after_it_was_applied_is_refused,     0},
        {a_database_of_a_newer_version_is_left_as_it_is,          0},
        {of_two_at_once_one_applies_and_the_other_finds_it_done,  0},
        {a_migration_waits_for_the_one_that_runs,                 0},
        {a_database_that_is_away_is_69,                           0},
        {a_server_that_dies_in_the_middle_is_69,                  0},
        {no_database_in_the_configuration_is_78,                  0},
        {a_wrong_password_is_78_and_not_shown,                    0},
        {words_that_make_no_sense_are_64,                         0},
        {doctor_reads_what_the_database_promises,                 0},
        {doctor_tells_of_each_server_that_is_read_from,           0},
        {doctor_tells_of_a_write_host_that_takes_no_writes,       0},
    };

    return mr_suite_run_slow("database", tests, 120);
}
