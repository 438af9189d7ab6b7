#include "ops/workerctl/commands.h"
#include "ops/workerctl/database.h"
#include "ops/workerctl/render.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { LOCK_S = 60 };

static int look(struct mr_database *database)
{
    struct mr_err err;
    enum mr_code code = mr_database_look(database, &err);

    return code == MR_OK ? 0 : mr_session_fail(mr_database_status(code), "%s", err.text);
}

/* ---- status ---- */

static const char *const states[] = {
    [MR_MIGRATION_PENDING] = "pending",
    [MR_MIGRATION_APPLIED] = "applied",
    [MR_MIGRATION_CHANGED] = "changed",
    [MR_MIGRATION_UNKNOWN] = "unknown",
};

static json_t *describe(const struct mr_database *database)
{
    json_t *items = json_array();

    for (size_t i = 0; i < database->n_rows; i++) {
        const struct mr_migration_row *row = &database->rows[i];

        json_array_append_new(
            items, json_pack("{s:i, s:s, s:s, s:s?}", "number",
                             row->migration ? row->migration->number : row->applied->number,
                             "name", row->migration ? row->migration->name : row->applied->name,
                             "state", states[row->state], "applied_at",
                             row->applied ? row->applied->at : NULL));
    }
    return items;
}

static void print_table(const json_t *items)
{
    static const char *const titles[] = {">NUMBER", "NAME", "STATE", "APPLIED"};
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)(uintptr_t)items, i, item)
    {
        char number[16];

        snprintf(number, sizeof(number), "%04d",
                 (int)json_integer_value(json_object_get(item, "number")));
        mr_table_add(table, (const char *const[]){
                                number, json_string_value(json_object_get(item, "name")),
                                json_string_value(json_object_get(item, "state")),
                                json_string_value(json_object_get(item, "applied_at"))});
    }
    mr_table_say(table);
}

static void print_status(const struct mr_session *session, const struct mr_database *database)
{
    json_t *items = describe(database);

    if (mr_session_wants_json(session)) {
        fputs("{\"items\":", stdout);
        json_dumpf(items, stdout, JSON_COMPACT);
        puts(",\"next\":null}");
    } else {
        print_table(items);
    }
    json_decref(items);
}

static int show_status(struct mr_session *session, struct mr_database *database, void *arg)
{
    int status = look(database);

    (void)arg;
    if (status)
        return status;
    print_status(session, database);
    return mr_database_count(database, MR_MIGRATION_PENDING) +
               mr_database_count(database, MR_MIGRATION_CHANGED) >
           0;
}

int mr_command_db_status(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mr_database_with(session, show_status, NULL);
}

/* ---- migrate ---- */

/* As much of a statement as says which it is: its first line, cut. */
static int brief(struct mr_bytes sql)
{
    enum { WIDE = 60 };
    size_t len = strcspn(sql.at, "\n");

    len = len < sql.len ? len : sql.len;
    return (int)(len < WIDE ? len : WIDE);
}

static enum mr_code say(struct mr_database *database, const char *sql, struct mr_err *err)
{
    MYSQL_RES *result = NULL;
    enum mr_code code =
        mr_mysql_ask(database->mysql, &database->server, mr_bytes_of(sql), &result, err);

    mysql_free_result(result);
    return code;
}

/* Whoever else migrates this database waits here until we are done; the server frees the lock when we are gone. */
static int lock(struct mr_database *database)
{
    char sql[120], *got = NULL;
    struct mr_err err;

    snprintf(sql, sizeof(sql), "SELECT GET_LOCK(CONCAT('millrace.', MD5(DATABASE())), %d)",
             (int)LOCK_S);
    enum mr_code code = mr_database_value(database, sql, &got, &err);
    bool ours = got && strcmp(got, "1") == 0;
    free(got);
    if (code != MR_OK)
        return mr_session_fail(mr_database_status(code), "%s", err.text);
    if (ours)
        return 0;
    return mr_session_fail(EX_TEMPFAIL,
                           "another migration of this database has been running for %d s; try "
                           "again when it is done",
                           (int)LOCK_S);
}

static int make_table(struct mr_database *database)
{
    struct mr_err err;
    enum mr_code code =
        say(database,
            "CREATE TABLE IF NOT EXISTS millrace_migrations ("
            "number INT UNSIGNED NOT NULL PRIMARY KEY, "
            "name VARCHAR(100) NOT NULL, "
            "checksum CHAR(64) CHARACTER SET ascii NOT NULL COMMENT 'SHA-256 of the file', "
            "applied_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)"
            ") ENGINE = InnoDB DEFAULT CHARSET = utf8mb4",
            &err);

    return code == MR_OK ? 0 : mr_session_fail(mr_database_status(code), "%s", err.text);
}

static int record(struct mr_database *database, const struct mr_migration *migration)
{
    struct mr_err err;
    char *sql = mr_asprintf(
        "INSERT INTO millrace_migrations (number, name, checksum) VALUES (%u, '%s', '%s')",
        migration->number, migration->name, migration->checksum);
    enum mr_code code = say(database, sql, &err);

    free(sql);
    return code == MR_OK
               ? 0
               : mr_session_fail(mr_database_status(code), "%s: done, but not recorded: %s",
                                 migration->file, err.text);
}

static int run_statement(struct mr_database *database, const struct mr_migration *migration,
                         const struct mr_migration_statement *statement)
{
    struct mr_err err;
    MYSQL_RES *result = NULL;
    enum mr_code code =
        mr_mysql_ask(database->mysql, &database->server, statement->text, &result, &err);

    mysql_free_result(result);
    if (code == MR_OK)
        return 0;
    return mr_session_fail(
        code == MR_EUNKNOWN ? EX_UNAVAILABLE : 1,
        "%s:%u: %.*s...: %s\nwhat stands before it is done; when the reason is mended, run "
        "workerctl db migrate again",
        migration->file, statement->line, brief(statement->text), statement->text.at, err.text);
}

static int apply(struct mr_database *database, const struct mr_migration *migration)
{
    struct mr_migration_reader reader = {migration->text, 1};
    struct mr_migration_statement statement;
    struct mr_err err;
    enum mr_code code;
    int status = 0;

    while (!status && (code = mr_migrate_next(&reader, &statement, &err)) != MR_ENOTFOUND)
        status = code == MR_OK
                     ? run_statement(database, migration, &statement)
                     : mr_session_fail(EX_SOFTWARE, "%s: %s", migration->file, err.text);
    if (!status)
        status = record(database, migration);
    if (!status)
        printf("%s: applied\n", migration->file);
    return status;
}

/* A file that was applied and is another now cannot be made true any more: somebody must look. */
static int refuse_changed(const struct mr_database *database)
{
    for (size_t i = 0; i < database->n_rows; i++) {
        const struct mr_migration_row *row = &database->rows[i];

        if (row->state == MR_MIGRATION_CHANGED)
            return mr_session_fail(
                1,
                "%s is not the file that was applied at %s: nothing was done; a change of the "
                "schema goes into a new file, with the next number",
                row->migration->file, row->applied->at);
    }
    return 0;
}

static int apply_pending(struct mr_database *database)
{
    int status = 0;

    for (size_t i = 0; i < database->n_rows && !status; i++)
        if (database->rows[i].state == MR_MIGRATION_PENDING)
            status = apply(database, database->rows[i].migration);
    return status;
}

static void print_plan(const struct mr_database *database)
{
    for (size_t i = 0; i < database->n_rows; i++)
        if (database->rows[i].state == MR_MIGRATION_PENDING)
            printf("%s: would be applied (%u statements)\n", database->rows[i].migration->file,
                   mr_migrate_count(database->rows[i].migration->text));
}

static int migrate(struct mr_session *session, struct mr_database *database, void *arg)
{
    bool for_real = !session->options.dry_run;
    int status = for_real ? lock(database) : 0;

    (void)arg;
    if (!status && for_real)
        status = make_table(database);
    if (!status)
        status = look(database);
    if (!status)
        status = refuse_changed(database);
    if (status)
        return status;
    if (mr_database_count(database, MR_MIGRATION_PENDING) == 0)
        puts("nothing to do: every migration has been applied");
    else if (for_real)
        status = apply_pending(database);
    else
        print_plan(database);
    return status;
}

int mr_command_db_migrate(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mr_database_with(session, migrate, NULL);
}
