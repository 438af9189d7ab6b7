#include "jobs/report/archive_table.h"

#include "jobs/services/mysql.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A table as information_schema calls it. */
struct table {
    const char *name; /* as the definition writes it */
    char *database;   /* NULL: the session's */
    const char *table;
    char *quoted; /* `shop`.`calls` */
};

/* Two tables on their way to being known well enough. */
struct look {
    const struct mr_report_archive *archive;
    struct mr_mysql_conn *conn;
    struct table from, to;
    struct mr_buf columns; /* `a`, `b`: what is copied */
    struct mr_buf text;    /* the first value of an answer */
    bool found;
};

static void table_init(struct table *table, const char *name)
{
    const char *dot = strchr(name, '.');

    table->name = name;
    table->database = dot ? mr_strndup(name, (size_t)(dot - name)) : NULL;
    table->table = dot ? dot + 1 : name;
    table->quoted = dot ? mr_asprintf("`%s`.`%s`", table->database, table->table)
                        : mr_asprintf("`%s`", table->table);
}

static void table_fini(struct table *table)
{
    free(table->database);
    free(table->quoted);
}

/* ---- asking ---- */

static enum mr_code on_text(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct look *look = arg;

    (void)err;
    look->found = true;
    mr_buf_clear(&look->text);
    mr_buf_add(&look->text, row->values[0].at ? row->values[0].at : "", row->values[0].len);
    return MR_OK;
}

/* One of the questions below: places are a database, a table and, where there is one, a column. */
static enum mr_code ask(struct look *look, const char *sql, const struct table *table,
                        const char *column, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(table->database),
                                          mr_sql_text(table->table), mr_sql_text(column)};

    look->found = false;
    mr_buf_clear(&look->text);
    mr_buf_add(&look->text, "", 0);
    return mr_mysql_query(look->conn, sql, values, column ? 3 : 2, NULL, on_text, look, err);
}

#define OF_TABLE " table_schema = COALESCE(?, DATABASE()) AND table_name = ?"

/* ---- tables ---- */

static enum mr_code make_table(struct look *look, struct mr_err *err)
{
    char *sql = mr_asprintf("CREATE TABLE IF NOT EXISTS %s LIKE %s", look->to.quoted,
                            look->from.quoted);
    enum mr_code code = mr_mysql_run(look->conn, sql, NULL, 0, NULL, NULL, err);

    free(sql);
    return code;
}

/* Only what can be rolled back is moved. */
static enum mr_code check_engine(struct look *look, const struct table *table, bool create,
                                 struct mr_err *err)
{
    enum mr_code code = ask(look,
                            "SELECT engine FROM information_schema.tables WHERE" OF_TABLE
                            " AND table_type = 'BASE TABLE'",
                            table, NULL, err);

    if (code != MR_OK)
        return code;
    if (!look->found && create) {
        code = make_table(look, err);
        return code == MR_OK ? check_engine(look, table, false, err) : code;
    }
    if (!look->found)
        return mr_fail(err, MR_EFAULT, "archive: there is no table %s%s", table->name,
                       table == &look->to ? ": make it, or say archive.create: true" : "");
    if (strcmp(look->text.at, "InnoDB") != 0)
        return mr_fail(err, MR_EFAULT, "archive: %s is of engine %s: it must be InnoDB",
                       table->name, look->text.at);
    return MR_OK;
}

/* ---- columns ---- */

/* The name of a column that the first table has and the second has not, or has otherwise. */
static const char differing_sql[] =
    "SELECT a.column_name FROM information_schema.columns a LEFT JOIN"
    " information_schema.columns b ON b.table_schema = COALESCE(?, DATABASE()) AND "
    "b.table_name = ?"
    " AND b.column_name = a.column_name AND b.column_type = a.column_type"
    " AND b.is_nullable = a.is_nullable AND b.collation_name <=> a.collation_name"
    " WHERE a.table_schema = COALESCE(?, DATABASE()) AND a.table_name = ?"
    " AND b.column_name IS NULL LIMIT 1";

static enum mr_code check_partner(struct look *look, const struct table *one,
                                  const struct table *other, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(other->database),
                                          mr_sql_text(other->table), mr_sql_text(one->database),
                                          mr_sql_text(one->table)};

    look->found = false;
    enum mr_code code = mr_mysql_query(look->conn, differing_sql, values, MR_COUNT(values),
                                       NULL, on_text, look, err);
    if (code != MR_OK || !look->found)
        return code;
    return mr_fail(err, MR_EFAULT,
                   "archive: %s has no column %s of the same type as %s: both tables must "
                   "have the same columns",
                   other->name, look->text.at, one->name);
}

static enum mr_code on_column(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct look *look = arg;

    (void)err;
    mr_buf_text(&look->columns, look->columns.len > 0 ? ", `" : "`");
    for (size_t i = 0; i < row->values[0].len; i++) {
        if (row->values[0].at[i] == '`')
            mr_buf_char(&look->columns, '`');
        mr_buf_char(&look->columns, row->values[0].at[i]);
    }
    mr_buf_char(&look->columns, '`');
    return MR_OK;
}

/* All but those that the server works out by itself. */
static enum mr_code list_columns(struct look *look, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_text(look->from.database),
                                          mr_sql_text(look->from.table)};

    return mr_mysql_query(look->conn,
                          "SELECT column_name FROM information_schema.columns WHERE" OF_TABLE
                          " AND COALESCE(generation_expression, '') = '' ORDER BY "
                          "ordinal_position",
                          values, MR_COUNT(values), NULL, on_column, look, err);
}

static enum mr_code check_age(struct look *look, struct mr_err *err)
{
    const char *column = look->archive->column;
    enum mr_code code =
        ask(look,
            "SELECT data_type FROM information_schema.columns WHERE" OF_TABLE
            " AND column_name = ? AND data_type IN ('date', 'datetime', 'timestamp')",
            &look->from, column, err);

    if (code == MR_OK && !look->found)
        return mr_fail(
            err, MR_EFAULT,
            "archive.column: %s has no column %s of type DATE, DATETIME or TIMESTAMP",
            look->from.name, column);
    return code;
}

static enum mr_code check_key(struct look *look, bool *out_number, struct mr_err *err)
{
    const char *column = look->archive->key;
    enum mr_code code =
        ask(look,
            "SELECT data_type FROM information_schema.columns c WHERE" OF_TABLE
            " AND column_name = ? AND is_nullable = 'NO' AND EXISTS (SELECT 1 FROM"
            " information_schema.statistics s WHERE s.table_schema = c.table_schema AND"
            " s.table_name = c.table_name AND s.column_name = c.column_name AND"
            " s.seq_in_index = 1)",
            &look->from, column, err);

    if (code == MR_OK && !look->found)
        return mr_fail(err, MR_EFAULT,
                       "archive.key: %s has no column %s that leads an index and is NOT NULL",
                       look->from.name, column);
    *out_number = look->found && strstr(look->text.at, "int") != NULL;
    return code;
}

/* Deleting a row must delete that row, and change nothing else. */
static enum mr_code check_references(struct look *look, struct mr_err *err)
{
    enum mr_code code =
        ask(look,
            "SELECT r.table_name FROM information_schema.referential_constraints r WHERE"
            " r.unique_constraint_schema = COALESCE(?, DATABASE()) AND"
            " r.referenced_table_name = ? AND r.delete_rule IN ('CASCADE', 'SET NULL') LIMIT 1",
            &look->from, NULL, err);

    if (code == MR_OK && look->found)
        return mr_fail(
            err, MR_EFAULT,
            "archive: a foreign key of table %s would delete or change its rows with "
            "those of %s",
            look->text.at, look->from.name);
    return code;
}

/* ---- statements ---- */

static char *batch_end(const struct look *look, const char *behind)
{
    const struct mr_report_archive *a = look->archive;

    return mr_asprintf("SELECT MAX(k) FROM (SELECT `%s` AS k FROM %s WHERE `%s` < ?%s ORDER BY "
                       "`%s` LIMIT %llu) AS batch",
                       a->key, look->from.quoted, a->column, behind, a->key,
                       (unsigned long long)a->batch);
}

/* FOR UPDATE: what is copied can change no more before it is deleted. */
static char *copying(const struct look *look, const char *behind)
{
    const struct mr_report_archive *a = look->archive;

    return mr_asprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE `%s` < ?%s AND `%s` <= ? "
                       "FOR UPDATE",
                       look->to.quoted, look->columns.at, look->columns.at, look->from.quoted,
                       a->column, behind, a->key);
}

static char *deleting(const struct look *look, const char *behind)
{
    const struct mr_report_archive *a = look->archive;

    return mr_asprintf("DELETE FROM %s WHERE `%s` < ?%s AND `%s` <= ?", look->from.quoted,
                       a->column, behind, a->key);
}

static void write_statements(const struct look *look, bool number, struct mr_archive_sql *out)
{
    char *behind = mr_asprintf(" AND `%s` > ?", look->archive->key);

    *out = (struct mr_archive_sql){
        .count = mr_asprintf("SELECT COUNT(*) FROM %s WHERE `%s` < ?", look->from.quoted,
                             look->archive->column),
        .first = batch_end(look, ""),
        .next = batch_end(look, behind),
        .insert_first = copying(look, ""),
        .insert_next = copying(look, behind),
        .delete_first = deleting(look, ""),
        .delete_next = deleting(look, behind),
        .number = number,
    };
    free(behind);
}

void mr_archive_sql_fini(struct mr_archive_sql *sql)
{
    free(sql->count);
    free(sql->first);
    free(sql->next);
    free(sql->insert_first);
    free(sql->insert_next);
    free(sql->delete_first);
    free(sql->delete_next);
    *sql = (struct mr_archive_sql){0};
}

enum mr_code mr_archive_look(const struct mr_report_archive *archive,
                             struct mr_mysql_conn *conn, struct mr_archive_sql *out,
                             struct mr_err *err)
{
    struct look look = {.archive = archive, .conn = conn};
    bool number = false;

    table_init(&look.from, archive->from);
    table_init(&look.to, archive->to);
    enum mr_code code = check_engine(&look, &look.from, false, err);
    if (code == MR_OK)
        code = check_engine(&look, &look.to, archive->create, err);
    if (code == MR_OK)
        code = check_partner(&look, &look.from, &look.to, err);
    if (code == MR_OK)
        code = check_partner(&look, &look.to, &look.from, err);
    if (code == MR_OK)
        code = check_age(&look, err);
    if (code == MR_OK)
        code = check_key(&look, &number, err);
    if (code == MR_OK)
        code = check_references(&look, err);
    if (code == MR_OK)
        code = list_columns(&look, err);
    if (code == MR_OK)
        write_statements(&look, number, out);
    table_fini(&look.from);
    table_fini(&look.to);
    mr_buf_fini(&look.columns);
    mr_buf_fini(&look.text);
    return code;
}
