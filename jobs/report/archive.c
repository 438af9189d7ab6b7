#include "jobs/report/archive.h"

#include "jobs/report/archive_table.h"
#include "jobs/report/progress.h"
#include "jobs/services/mysql.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <uv.h>

enum {
    LOOK_MS = 20, /* how soon a pause sees that the job was stopped */
    BATCH_ROOM =
        4, /* another batch begins when there is time for so many as the longest took */
    ROOM_MIN_MS = 1000,
};

/* One archive on its way. */
struct moving {
    struct mr_mysql *mysql;
    struct mr_job *job;
    const struct mr_report_archive *archive;
    const char *uuid;
    uint64_t timeout_ms;
    struct mr_archive_sql sql;
    struct mr_buf cutoff; /* rows before it are old */
    struct mr_buf behind; /* the last key of the batch before, if there was one */
    struct mr_buf last;   /* of this batch, if there still is an old row */
    bool has_behind, has_last;
    uint64_t n_expected; /* 0: unknown */
    uint64_t longest_ms; /* a batch took */
    uint64_t moved;      /* by this batch */
    struct mr_archived *out;
};

static enum mr_code on_text(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct mr_buf *out = arg;

    (void)err;
    mr_buf_clear(out);
    mr_buf_add(out, row->values[0].at ? row->values[0].at : "", row->values[0].len);
    return MR_OK;
}

/* ---- before the first batch ---- */

/* The server's clock decides, once: what grows old meanwhile waits for the next time. */
static enum mr_code find_cutoff(struct moving *m, struct mr_mysql_conn *conn,
                                struct mr_err *err)
{
    const struct mr_sql_value age = mr_sql_int((int64_t)(m->archive->older_than_ms / 1000));

    return mr_mysql_query(conn, "SELECT UTC_TIMESTAMP() - INTERVAL ? SECOND", &age, 1, NULL,
                          on_text, &m->cutoff, err);
}

/* Outside of a transaction: a table that is made ends one. */
static enum mr_code prepare(struct moving *m, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(m->mysql, MR_MYSQL_WRITE, m->job, &conn, err);

    if (code != MR_OK)
        return code;
    m->out->begun = true;
    code = mr_archive_look(m->archive, conn, &m->sql, err);
    if (code == MR_OK)
        code = find_cutoff(m, conn, err);
    mr_mysql_give(conn);
    return code;
}

static struct mr_sql_value text_of(const struct mr_buf *buf)
{
    return mr_sql_bytes((struct mr_bytes){buf->at, buf->len});
}

static enum mr_code count_old(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct moving *m = arg;
    const struct mr_sql_value cutoff = text_of(&m->cutoff);
    struct mr_buf count = {0};
    enum mr_code code =
        mr_mysql_query(conn, m->sql.count, &cutoff, 1, NULL, on_text, &count, err);

    if (code == MR_OK && count.at)
        m->n_expected = strtoull(count.at, NULL, 10);
    mr_buf_fini(&count);
    return code;
}

/* ---- a batch ---- */

/* The greatest of no keys is SQL's NULL. */
static enum mr_code on_last(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct moving *m = arg;

    m->has_last = row->values[0].at != NULL;
    return on_text(&m->last, row, err);
}

/* A number is compared as one: as a text, it might become a double on the way. */
static struct mr_sql_value key_value(const struct moving *m, const struct mr_buf *key)
{
    int64_t number;

    if (m->sql.number && mr_option_parse_int(key->at, &number))
        return mr_sql_int(number);
    return text_of(key);
}

/* Runs one of the statements over the batch's range. */
static enum mr_code run_over(struct moving *m, struct mr_mysql_conn *conn, const char *first,
                             const char *next, uint64_t *out_n, struct mr_err *err)
{
    struct mr_sql_value values[3];
    unsigned n = 0;

    values[n++] = text_of(&m->cutoff);
    if (m->has_behind)
        values[n++] = key_value(m, &m->behind);
    values[n++] = key_value(m, &m->last);
    return mr_mysql_run(conn, m->has_behind ? next : first, values, n, out_n, NULL, err);
}

static enum mr_code find_last(struct moving *m, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct mr_sql_value values[2];
    unsigned n = 0;

    values[n++] = text_of(&m->cutoff);
    if (m->has_behind)
        values[n++] = key_value(m, &m->behind);
    m->has_last = false;
    return mr_mysql_query(conn, m->has_behind ? m->sql.next : m->sql.first, values, n, NULL,
                          on_last, m, err);
}

/* In the batch's own transaction, so that the count is right whenever we are killed. */
static enum mr_code count_in(struct moving *m, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct mr_sql_value values[] = {mr_sql_int((int64_t)m->moved), mr_sql_text(m->uuid)};

    return mr_mysql_run(
        conn, "UPDATE report_runs SET row_count = COALESCE(row_count, 0) + ? WHERE uuid = ?",
        values, MR_COUNT(values), NULL, NULL, err);
}

static enum mr_code move_range(struct moving *m, struct mr_mysql_conn *conn, struct mr_err *err)
{
    uint64_t copied = 0, deleted = 0;
    enum mr_code code =
        run_over(m, conn, m->sql.insert_first, m->sql.insert_next, &copied, err);

    if (code == MR_EEXIST)
        return mr_fail(
            err, MR_EINVAL,
            "archive: %s already has a row that %s has too: compare them, and remove "
            "one",
            m->archive->to, m->archive->from);
    if (code == MR_OK)
        code = run_over(m, conn, m->sql.delete_first, m->sql.delete_next, &deleted, err);
    if (code == MR_OK && copied != deleted)
        return mr_fail(err, MR_EBUSY,
                       "archive: rows of %s changed while they were moved: nothing was",
                       m->archive->from);
    m->moved = copied;
    return code == MR_OK ? count_in(m, conn, err) : code;
}

static enum mr_code move_batch(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct moving *m = arg;

    m->moved = 0;
    mr_mysql_limit(conn, m->timeout_ms);
    enum mr_code code = find_last(m, conn, err);
    return code == MR_OK && m->has_last ? move_range(m, conn, err) : code;
}

/* ---- batch after batch ---- */

static void pause_between(const struct moving *m)
{
    uint64_t end_ms = mr_clock_ms() + m->archive->pause_ms;

    for (uint64_t now_ms = mr_clock_ms(); now_ms < end_ms && !mr_job_cancelled(m->job);
         now_ms = mr_clock_ms())
        uv_sleep((unsigned)(end_ms - now_ms < LOOK_MS ? end_ms - now_ms : LOOK_MS));
}

/* Whoever stops by himself spends no attempt. */
static bool has_time(const struct moving *m)
{
    uint64_t room_ms = m->longest_ms * BATCH_ROOM + m->archive->pause_ms;

    room_ms = room_ms > ROOM_MIN_MS ? room_ms : ROOM_MIN_MS;
    return mr_clock_ms() + room_ms < mr_job_deadline_ms(m->job);
}

static enum mr_code next_batch(struct moving *m, struct mr_err *err)
{
    uint64_t from_ms = mr_clock_ms();
    enum mr_code code = mr_mysql_transact(m->mysql, m->job, move_batch, m, err);
    uint64_t took_ms = mr_clock_ms() - from_ms;

    if (code != MR_OK)
        return code;
    m->longest_ms = took_ms > m->longest_ms ? took_ms : m->longest_ms;
    m->out->rows += m->moved;
    mr_buf_clear(&m->behind);
    mr_buf_add(&m->behind, m->last.at ? m->last.at : "", m->last.len);
    m->has_behind = m->has_last;
    mr_report_progress(m->job, m->out->rows, m->n_expected);
    return MR_OK;
}

static enum mr_code move_all(struct moving *m, struct mr_err *err)
{
    for (;;) {
        enum mr_code code = next_batch(m, err);

        if (code != MR_OK || !m->has_last)
            return code;
        pause_between(m);
        if (mr_job_cancelled(m->job))
            return mr_fail(err, MR_ETIMEDOUT, "the job was stopped");
        if (!has_time(m)) {
            m->out->more = true;
            return MR_OK;
        }
    }
}

enum mr_code mr_archive_move(struct mr_mysql *mysql, struct mr_job *job,
                             const struct mr_report_archive *archive, const char *uuid,
                             uint64_t timeout_ms, struct mr_archived *out, struct mr_err *err)
{
    struct moving m = {.mysql = mysql,
                       .job = job,
                       .archive = archive,
                       .uuid = uuid,
                       .timeout_ms = timeout_ms,
                       .out = out};
    enum mr_code code = prepare(&m, err);

    /* How many there are is good to know, and no more: where a read host cannot say, nobody knows. */
    if (code == MR_OK)
        mr_mysql_read(mysql, job, count_old, &m, NULL);
    if (code == MR_OK)
        code = move_all(&m, err);
    mr_archive_sql_fini(&m.sql);
    mr_buf_fini(&m.cutoff);
    mr_buf_fini(&m.behind);
    mr_buf_fini(&m.last);
    return code;
}
