#include "jobs/report/runs.h"

#include "proto/base/mem.h"

#include <stdlib.h>

/* A column of a row that is there: what it is, or what it shall be. */
#define UPDATE(column)                                                                         \
    column " = IF(state = 'done' AND VALUES(state) <> 'done', " column ", VALUES(" column "))"

/* Both ends of a run are read from the server's clock. state is compared by all, so it changes last. */
/* clang-format off */
static const char note_sql[] =
    "INSERT INTO report_runs (uuid, report, params, state, row_count, bytes, place, format, sha256,"
    " reason, elapsed_ms, started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND,"
    " IF(?, NULL, UTC_TIMESTAMP(3))) ON DUPLICATE KEY UPDATE "
    UPDATE("report") ", " UPDATE("params") ", row_count = IF(?, COALESCE(row_count, 0), IF(state = 'done' AND"
    " VALUES(state) <> 'done', row_count, VALUES(row_count))), " UPDATE("bytes") ", "
    UPDATE("place") ", " UPDATE("format") ", " UPDATE("sha256") ", " UPDATE("reason") ", "
    UPDATE("elapsed_ms") ", " UPDATE("started_at") ", " UPDATE("ended_at") ", "
    UPDATE("state");
/* clang-format on */

static enum mr_code write_row(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    static const char *const states[] = {
        [MR_REPORT_RUNNING] = "running",
        [MR_REPORT_DONE] = "done",
        [MR_REPORT_FAILED] = "failed",
        [MR_REPORT_CANCELLED] = "cancelled",
    };
    const struct mr_report_run *run = arg;
    bool done = run->state == MR_REPORT_DONE, running = run->state == MR_REPORT_RUNNING;
    const struct mr_sql_value values[] = {
        mr_sql_text(run->uuid),
        mr_sql_text(run->report),
        mr_sql_text(run->params),
        mr_sql_text(states[run->state]),
        run->keeps_rows ? mr_sql_int(0)
        : done          ? mr_sql_int((int64_t)run->rows)
                        : mr_sql_null(),
        done && run->place ? mr_sql_int((int64_t)run->bytes) : mr_sql_null(),
        done ? mr_sql_text(run->place) : mr_sql_null(),
        done ? mr_sql_text(run->format) : mr_sql_null(),
        done ? mr_sql_text(run->sha256) : mr_sql_null(),
        done || running ? mr_sql_null() : mr_sql_text(run->reason),
        running ? mr_sql_null() : mr_sql_int((int64_t)run->elapsed_ms),
        mr_sql_int((int64_t)run->elapsed_ms),
        mr_sql_int(running),
        mr_sql_int(run->keeps_rows),
    };

    mr_mysql_aside(conn);
    return mr_mysql_run(conn, note_sql, values, MR_COUNT(values), NULL, NULL, err);
}

enum mr_code mr_report_run_note(struct mr_mysql *mysql, struct mr_job *job,
                                const struct mr_report_run *run, struct mr_err *err)
{
    struct mr_report_run copy = *run;

    return mr_mysql_transact(mysql, job, write_row, &copy, err);
}

/* ---- the last time ---- */

struct last {
    const char *report, *params;
    uint64_t rows;
};

static enum mr_code on_rows(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct last *last = arg;

    (void)err;
    if (row->values[0].at)
        last->rows = strtoull(row->values[0].at, NULL, 10);
    return MR_OK;
}

static enum mr_code read_last(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct last *last = arg;
    const struct mr_sql_value values[] = {mr_sql_text(last->report), mr_sql_text(last->params)};

    return mr_mysql_query(conn,
                          "SELECT row_count FROM report_runs WHERE report = ? AND params = ? "
                          "AND state = 'done' ORDER BY started_at DESC LIMIT 1",
                          values, MR_COUNT(values), NULL, on_rows, last, err);
}

enum mr_code mr_report_run_rows(struct mr_mysql *mysql, struct mr_job *job, const char *report,
                                const char *params, uint64_t *out, struct mr_err *err)
{
    struct last last = {.report = report, .params = params};
    enum mr_code code = mr_mysql_transact(mysql, job, read_last, &last, err);

    if (code == MR_OK)
        *out = last.rows;
    return code;
}
