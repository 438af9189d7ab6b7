/* Statements: prepared once a connection, values bound, rows read one at a time. */
#include "jobs/services/mysql_conn.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEPT_MAX = 32,     /* prepared statements of one connection */
    SHORT_BYTES = 256, /* room for a value; a longer one is fetched again */
    DRAIN_ROWS = 1000, /* what is left of a result that nobody wants: read, if it is no more */
    VALUE_MAX_BYTES = 64 * 1024 * 1024,
};

struct prepared {
    struct mr_list node;
    char *sql;
    MYSQL_STMT *stmt;
};

/* One column of the result that is being read. */
struct column {
    char shorty[SHORT_BYTES];
    unsigned long len;
    mr_my_bool is_null, is_cut;
    struct mr_buf whole; /* a value that is longer */
};

struct result {
    MYSQL_RES *meta; /* holds the names */
    MYSQL_BIND *binds;
    struct column *columns;
    struct mr_bytes *values;
    const char **names;
    struct mr_sql_row row;
};

/* Who wants the rows. */
struct reader {
    mr_sql_row_fn *on_columns, *on_row;
    void *arg;
};

/* ---- values ---- */

struct mr_sql_value mr_sql_null(void)
{
    return (struct mr_sql_value){.type = MR_SQL_NULL};
}

struct mr_sql_value mr_sql_int(int64_t number)
{
    return (struct mr_sql_value){.type = MR_SQL_INT, .integer = number};
}

struct mr_sql_value mr_sql_double(double number)
{
    return (struct mr_sql_value){.type = MR_SQL_DOUBLE, .real = number};
}

struct mr_sql_value mr_sql_text(const char *text)
{
    return text ? mr_sql_bytes(mr_bytes_of(text)) : mr_sql_null();
}

struct mr_sql_value mr_sql_bytes(struct mr_bytes bytes)
{
    return (struct mr_sql_value){.type = MR_SQL_TEXT, .text = bytes};
}

/* The library only reads what it is given here. */
static void bind_value(const struct mr_sql_value *value, MYSQL_BIND *out)
{
    switch (value->type) {
    case MR_SQL_NULL:
        out->buffer_type = MYSQL_TYPE_NULL;
        return;
    case MR_SQL_INT:
        out->buffer_type = MYSQL_TYPE_LONGLONG;
        out->buffer = (void *)(uintptr_t)&value->integer;
        return;
    case MR_SQL_DOUBLE:
        out->buffer_type = MYSQL_TYPE_DOUBLE;
        out->buffer = (void *)(uintptr_t)&value->real;
        return;
    case MR_SQL_TEXT:
        out->buffer_type = MYSQL_TYPE_STRING;
        out->buffer = (void *)(uintptr_t)value->text.at;
        out->buffer_length = value->text.len;
        out->length = &out->buffer_length;
        return;
    }
}

static enum mr_code check_values(const struct mr_mysql_conn *conn, MYSQL_STMT *stmt,
                                 const struct mr_sql_value *values, unsigned n,
                                 struct mr_err *err)
{
    unsigned long wanted = mysql_stmt_param_count(stmt);

    if (wanted != n)
        return mr_fail(err, MR_EREFUSED,
                       "MySQL at %s: the statement has %lu places for values, %u were given",
                       conn->server->name, wanted, n);
    for (unsigned i = 0; i < n; i++)
        if (values[i].type == MR_SQL_TEXT && !values[i].text.at)
            return mr_fail(err, MR_EREFUSED, "MySQL at %s: value %u is a text without bytes",
                           conn->server->name, i + 1);
    return MR_OK;
}

/* ---- prepared statements, kept ---- */

static void forget(struct mr_mysql_conn *conn, struct prepared *p)
{
    mr_list_remove(&p->node);
    conn->n_statements--;
    mysql_stmt_close(p->stmt);
    free(p->sql);
    free(p);
}

void mr_mysql_statements_fini(struct mr_mysql_conn *conn)
{
    mr_list_each_safe (node, &conn->statements)
        forget(conn, mr_list_entry(node, struct prepared, node));
}

static struct prepared *find(struct mr_mysql_conn *conn, const char *sql)
{
    mr_list_each (node, &conn->statements) {
        struct prepared *p = mr_list_entry(node, struct prepared, node);

        if (strcmp(p->sql, sql) == 0) {
            mr_list_remove(&p->node);
            mr_list_push_front(&conn->statements, &p->node);
            return p;
        }
    }
    return NULL;
}

static struct prepared *add(struct mr_mysql_conn *conn, const char *sql)
{
    struct prepared *p = mr_zalloc(sizeof(*p));

    if (conn->n_statements == KEPT_MAX)
        forget(conn, mr_list_entry(conn->statements.prev, struct prepared, node));
    p->sql = mr_strdup(sql);
    p->stmt = mysql_stmt_init(conn->mysql);
    if (!p->stmt)
        abort(); /* out of memory, as elsewhere */
    mr_list_push_front(&conn->statements, &p->node);
    conn->n_statements++;
    return p;
}

/* ---- one statement ---- */

/*
 * After leave. A statement that failed is not kept: whatever it was, the next one begins anew. On a retired
 * connection it stays until that is closed, since closing it alone would read its result to the end. What befell a row
 * while it was fetched, MariaDB's library tells of the connection only.
 */
static enum mr_code fail(struct mr_mysql_conn *conn, struct prepared *p,
                         enum mr_mysql_fate fate, struct mr_err *err)
{
    unsigned number = mysql_stmt_errno(p->stmt);
    enum mr_code code =
        number ? mr_mysql_conn_fail(conn, fate, number, mysql_stmt_sqlstate(p->stmt),
                                    mysql_stmt_error(p->stmt), err)
               : mr_mysql_conn_fail(conn, fate, mysql_errno(conn->mysql),
                                    mysql_sqlstate(conn->mysql), mysql_error(conn->mysql), err);

    if (!conn->retired)
        forget(conn, p);
    return code;
}

static bool execute(struct prepared *p, const struct mr_sql_value *values, unsigned n)
{
    MYSQL_BIND *binds = mr_zalloc_array(n + 1, sizeof(*binds));

    for (unsigned i = 0; i < n; i++)
        bind_value(&values[i], &binds[i]);
    bool done = (n == 0 || mysql_stmt_bind_param(p->stmt, binds) == 0) &&
                mysql_stmt_execute(p->stmt) == 0;
    free(binds);
    return done;
}

/* On MR_OK the statement is executed and its result not yet read; the guard is set. */
static enum mr_code begin(struct mr_mysql_conn *conn, const char *sql,
                          const struct mr_sql_value *values, unsigned n, struct prepared **out,
                          struct mr_err *err)
{
    enum mr_code code = mr_mysql_conn_enter(conn, err);

    if (code != MR_OK)
        return code;
    struct prepared *p = find(conn, sql);
    bool done = true;

    if (!p) {
        p = add(conn, sql);
        done = mysql_stmt_prepare(p->stmt, sql, strlen(sql)) == 0;
    }
    code = done ? check_values(conn, p->stmt, values, n, err) : MR_OK;
    if (done && code == MR_OK)
        done = execute(p, values, n);
    if (done && code == MR_OK) {
        *out = p;
        return MR_OK;
    }
    enum mr_mysql_fate fate = mr_mysql_conn_leave(conn);
    return code != MR_OK ? code : fail(conn, p, fate, err);
}

/* Newer libraries take the wish to free a result that a statement does not have for an error. */
static void free_result(struct prepared *p)
{
    if (mysql_stmt_field_count(p->stmt) > 0)
        mysql_stmt_free_result(p->stmt);
}

/* What a procedure may send behind its result is nobody's. */
static void read_rest(struct mr_mysql_conn *conn, struct prepared *p)
{
    free_result(p);
    while (mysql_more_results(conn->mysql) && mysql_stmt_next_result(p->stmt) == 0)
        free_result(p);
}

static void set(uint64_t *out, uint64_t value)
{
    if (out)
        *out = value;
}

/*
 * It ended well although KILL QUERY was sent. Alone it stands, and that is the truth; inside of a transaction the KILL may
 * still meet what comes next: nothing comes.
 */
static bool is_too_late(const struct mr_mysql_conn *conn, enum mr_mysql_fate fate)
{
    return fate != MR_MYSQL_LEFT_ALONE && conn->in_transaction;
}

enum mr_code mr_mysql_run(struct mr_mysql_conn *conn, const char *sql,
                          const struct mr_sql_value *values, unsigned n, uint64_t *out_changed,
                          uint64_t *out_id, struct mr_err *err)
{
    struct prepared *p = NULL;
    enum mr_code code = begin(conn, sql, values, n, &p, err);

    if (code == MR_OK || code == MR_EUNKNOWN)
        mr_mysql_conn_note_write(conn);
    if (code != MR_OK)
        return code;
    uint64_t changed = mysql_stmt_affected_rows(p->stmt), id = mysql_stmt_insert_id(p->stmt);
    read_rest(conn, p);
    enum mr_mysql_fate fate = mr_mysql_conn_leave(conn);
    if (mysql_stmt_errno(p->stmt) != 0)
        return fail(conn, p, fate, err);
    if (is_too_late(conn, fate))
        return mr_mysql_conn_fail_late(conn, err);
    set(out_changed, changed);
    set(out_id, id);
    return MR_OK;
}

/* ---- results ---- */

static void result_init(struct result *r, MYSQL_STMT *stmt, MYSQL_RES *meta)
{
    unsigned n = mysql_num_fields(meta);
    const MYSQL_FIELD *fields = mysql_fetch_fields(meta);

    r->meta = meta;
    r->binds = mr_zalloc_array(n, sizeof(*r->binds));
    r->columns = mr_zalloc_array(n, sizeof(*r->columns));
    r->values = mr_zalloc_array(n, sizeof(*r->values));
    r->names = mr_zalloc_array(n, sizeof(*r->names));
    for (unsigned i = 0; i < n; i++) {
        struct column *column = &r->columns[i];

        r->names[i] = fields[i].name;
        r->binds[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                                   .buffer = column->shorty,
                                   .buffer_length = SHORT_BYTES,
                                   .length = &column->len,
                                   .is_null = &column->is_null,
                                   .error = &column->is_cut};
    }
    r->row = (struct mr_sql_row){.n = n, .values = r->values, .names = r->names};
    mysql_stmt_bind_result(stmt, r->binds);
}

static void result_fini(struct result *r)
{
    for (unsigned i = 0; i < r->row.n; i++)
        mr_buf_fini(&r->columns[i].whole);
    free(r->binds);
    free(r->columns);
    free(r->values);
    free(r->names);
    mysql_free_result(r->meta);
}

/* The row's packet is in memory already: asking for a value again costs a copy, no trip. */
static enum mr_code fetch_whole(const struct mr_mysql_conn *conn, struct prepared *p,
                                struct result *r, unsigned i, struct mr_err *err)
{
    struct column *column = &r->columns[i];

    if (column->len > VALUE_MAX_BYTES)
        return mr_fail(err, MR_EREFUSED,
                       "MySQL at %s: a value of column %s has %lu bytes, more than 64 MiB",
                       conn->server->name, r->names[i], column->len);
    mr_buf_clear(&column->whole);
    mr_buf_reserve(&column->whole, column->len);
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING,
                       .buffer = column->whole.at,
                       .buffer_length = column->len,
                       .length = &column->len,
                       .is_null = &column->is_null,
                       .error = &column->is_cut};

    if (mysql_stmt_fetch_column(p->stmt, &bind, i, 0) != 0)
        return mr_fail(err, MR_EIO, "MySQL at %s: a value of column %s cannot be read",
                       conn->server->name, r->names[i]);
    r->values[i] = (struct mr_bytes){column->whole.at, column->len};
    return MR_OK;
}

static enum mr_code take_row(const struct mr_mysql_conn *conn, struct prepared *p,
                             struct result *r, struct mr_err *err)
{
    enum mr_code code = MR_OK;

    for (unsigned i = 0; i < r->row.n && code == MR_OK; i++) {
        const struct column *column = &r->columns[i];

        if (column->is_null)
            r->values[i] = (struct mr_bytes){0};
        else if (column->len <= SHORT_BYTES)
            r->values[i] = (struct mr_bytes){column->shorty, column->len};
        else
            code = fetch_whole(conn, p, r, i, err);
    }
    return code;
}

/* Reads what is left when it is little; a connection with more of it is worth less than the reading. */
static void drain(struct mr_mysql_conn *conn, struct prepared *p)
{
    int status = 0;

    for (int n = 0; n < DRAIN_ROWS && (status == 0 || status == MYSQL_DATA_TRUNCATED); n++)
        status = mysql_stmt_fetch(p->stmt);
    if (status != MYSQL_NO_DATA)
        conn->retired = true;
}

/* Each row to the reader. Its code when it, or we, had enough; *out_failed: the server said no. */
static enum mr_code read_rows(struct mr_mysql_conn *conn, struct prepared *p, struct result *r,
                              const struct reader *reader, bool *out_failed, struct mr_err *err)
{
    enum mr_code code =
        reader->on_columns
            ? reader->on_columns(reader->arg,
                                 &(struct mr_sql_row){.n = r->row.n, .names = r->names}, err)
            : MR_OK;

    while (code == MR_OK) {
        int status = mysql_stmt_fetch(p->stmt);

        if (status == MYSQL_NO_DATA)
            return MR_OK;
        if (status != 0 && status != MYSQL_DATA_TRUNCATED) {
            *out_failed = true;
            return MR_OK;
        }
        code = take_row(conn, p, r, err);
        if (code == MR_OK)
            code = reader->on_row(reader->arg, &r->row, err);
    }
    drain(conn, p);
    return code;
}

static enum mr_code read_result(struct mr_mysql_conn *conn, struct prepared *p,
                                const struct reader *reader, bool *out_failed,
                                struct mr_err *err)
{
    MYSQL_RES *meta = mysql_stmt_result_metadata(p->stmt);
    struct result r = {0};

    if (!meta)
        return MR_OK; /* a statement without a result */
    result_init(&r, p->stmt, meta);
    enum mr_code code = read_rows(conn, p, &r, reader, out_failed, err);
    result_fini(&r);
    return code;
}

enum mr_code mr_mysql_query(struct mr_mysql_conn *conn, const char *sql,
                            const struct mr_sql_value *values, unsigned n,
                            mr_sql_row_fn *on_columns, mr_sql_row_fn *on_row, void *arg,
                            struct mr_err *err)
{
    const struct reader reader = {on_columns, on_row, arg};
    struct prepared *p = NULL;
    bool failed = false;
    enum mr_code code = begin(conn, sql, values, n, &p, err);

    if (code != MR_OK)
        return code;
    code = read_result(conn, p, &reader, &failed, err);
    if (!failed && !conn->retired)
        read_rest(conn, p);
    enum mr_mysql_fate fate = mr_mysql_conn_leave(conn);
    if (failed)
        return fail(conn, p, fate, err);
    /* Oracle's SLEEP, killed, gives a row and no error: what came late is not to be trusted. */
    if (code == MR_OK && fate != MR_MYSQL_LEFT_ALONE)
        return mr_mysql_conn_fail_late(conn, err);
    return code;
}
