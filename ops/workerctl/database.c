#include "ops/workerctl/database.h"

#include "proto/base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Login and server are read. On failure nothing is left. */
static enum mr_code connect_to(struct mr_database *database, struct mr_err *err)
{
    enum mr_code code =
        mr_mysql_dial(&database->server, &database->login, database->login.connect_timeout_ms,
                      0, &database->mysql, err);

    if (code == MR_OK)
        code = mr_mysql_settle_in(database->mysql, &database->server, &database->login, err);
    if (code != MR_OK)
        mr_database_close(database);
    return code;
}

enum mr_code mr_database_open(const struct mr_config *config, struct mr_database *out,
                              struct mr_err *err)
{
    struct mr_database database = {0};
    enum mr_code code = mr_mysql_options_read(json_object_get(config->sections, "mysql"),
                                              &database.login, &database.server, err);

    if (code == MR_OK)
        code = connect_to(&database, err);
    if (code == MR_OK)
        *out = database;
    return code;
}

enum mr_code mr_database_open_read(const struct mr_config *config, const char *host,
                                   struct mr_database *out, struct mr_err *err)
{
    struct mr_database database = {0};
    struct mr_mysql_server write;
    enum mr_code code = mr_mysql_options_read(json_object_get(config->sections, "mysql"),
                                              &database.login, &write, err);

    if (code != MR_OK)
        return code;
    code = mr_mysql_server_parse(host, write.port, &database.server, err);
    mr_mysql_server_fini(&write);
    if (code == MR_OK)
        code = connect_to(&database, err);
    if (code == MR_OK)
        *out = database;
    return code;
}

int mr_database_status(enum mr_code code)
{
    switch (code) {
    case MR_EDOWN:
    case MR_EBUSY:
    case MR_EUNKNOWN:
        return EX_UNAVAILABLE;
    case MR_EINVAL:
    case MR_EFAULT:
        return EX_CONFIG;
    default:
        return 1;
    }
}

int mr_database_with(struct mr_session *session, mr_database_fn *fn, void *arg)
{
    const struct mr_config *config = mr_session_config(session);
    struct mr_database database;
    struct mr_err err;

    if (!config)
        return EX_CONFIG;
    enum mr_code code = mr_database_open(config, &database, &err);
    if (code != MR_OK)
        return mr_session_fail(mr_database_status(code), "%s", err.text);
    int status = fn(session, &database, arg);
    mr_database_close(&database);
    return status;
}

static void forget(struct mr_database *database)
{
    for (size_t i = 0; i < database->n_applied; i++) {
        free(database->applied[i].name);
        free(database->applied[i].checksum);
        free(database->applied[i].at);
    }
    free(database->applied);
    free(database->rows);
    database->applied = NULL;
    database->rows = NULL;
    database->n_applied = database->n_rows = 0;
}

void mr_database_close(struct mr_database *database)
{
    forget(database);
    if (database->mysql)
        mysql_close(database->mysql);
    mr_mysql_server_fini(&database->server);
}

enum mr_code mr_database_ask(struct mr_database *database, const char *sql, MYSQL_RES **out,
                             struct mr_err *err)
{
    return mr_mysql_ask(database->mysql, &database->server, mr_bytes_of(sql), out, err);
}

enum mr_code mr_database_do(struct mr_database *database, const char *sql,
                            uint64_t *out_changed, struct mr_err *err)
{
    MYSQL_RES *result = NULL;
    enum mr_code code = mr_database_ask(database, sql, &result, err);

    mysql_free_result(result);
    if (code == MR_OK && out_changed)
        *out_changed = mysql_affected_rows(database->mysql);
    return code;
}

char *mr_database_quote(struct mr_database *database, const char *text)
{
    if (!text)
        return mr_strdup("NULL");
    size_t len = strlen(text);
    char *quoted = mr_zalloc(2 * len + 3);

    quoted[0] = '\'';
    unsigned long n = mysql_real_escape_string(database->mysql, quoted + 1, text, len);
    quoted[n + 1] = '\'';
    return quoted;
}

enum mr_code mr_database_value(struct mr_database *database, const char *sql, char **out,
                               struct mr_err *err)
{
    MYSQL_RES *result = NULL;
    enum mr_code code = mr_database_ask(database, sql, &result, err);

    if (code != MR_OK)
        return code;
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    *out = mr_strdup(row ? row[0] : NULL);
    mysql_free_result(result);
    return MR_OK;
}

static enum mr_code knows_migrations(struct mr_database *database, bool *out,
                                     struct mr_err *err)
{
    char *n = NULL;
    enum mr_code code =
        mr_database_value(database,
                          "SELECT COUNT(*) FROM information_schema.tables WHERE "
                          "table_schema = DATABASE() AND table_name = "
                          "'millrace_migrations'",
                          &n, err);

    *out = n && strcmp(n, "0") != 0;
    free(n);
    return code;
}

static void take_rows(struct mr_database *database, MYSQL_RES *result)
{
    database->applied = mr_zalloc_array(mysql_num_rows(result) + 1, sizeof(*database->applied));
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));)
        database->applied[database->n_applied++] =
            (struct mr_applied){.number = (unsigned)strtoul(row[0], NULL, 10),
                                .name = mr_strdup(row[1]),
                                .checksum = mr_strdup(row[2]),
                                .at = mr_strdup(row[3])};
}

enum mr_code mr_database_look(struct mr_database *database, struct mr_err *err)
{
    static const char sql[] = "SELECT number, name, checksum, DATE_FORMAT(applied_at, "
                              "'%Y-%m-%dT%TZ') FROM millrace_migrations ORDER BY number";
    MYSQL_RES *result = NULL;
    bool any = false;

    forget(database);
    enum mr_code code = knows_migrations(database, &any, err);
    if (code == MR_OK && any)
        code = mr_database_ask(database, sql, &result, err);
    if (code != MR_OK)
        return code;
    if (result)
        take_rows(database, result);
    mysql_free_result(result);
    database->rows =
        mr_zalloc_array(mr_n_migrations + database->n_applied + 1, sizeof(*database->rows));
    database->n_rows = mr_migrate_compare(mr_migrations, mr_n_migrations, database->applied,
                                          database->n_applied, database->rows);
    return MR_OK;
}

unsigned mr_database_count(const struct mr_database *database, enum mr_migration_state state)
{
    unsigned n = 0;

    for (size_t i = 0; i < database->n_rows; i++)
        n += database->rows[i].state == state;
    return n;
}
