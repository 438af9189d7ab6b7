#include "jobs/report/runs.h"

#include "proto/base/mem.h"

/* A column of a row that is there: what it is, or what it shall be. */
#define UPDATE(column)                                                                         \
    column " = IF(state = 'done' AND VALUES(state) <> 'done', " column ", VALUES(" column "))"

/* Both ends of a run are read from the server's clock. state is compared by all, so it changes last. */
/* clang-format off */
static const char note_sql[] =
    "INSERT INTO report_runs (uuid, report, params, state, row_count, bytes, place, reason,"
    " started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?,"
    " UTC_TIMESTAMP(3) - INTERVAL ? * 1000 MICROSECOND,"
    " IF(?, NULL, UTC_TIMESTAMP(3))) ON DUPLICATE KEY UPDATE "
    UPDATE("report") ", " UPDATE("params") ", " UPDATE("row_count") ", " UPDATE("bytes") ", "
    UPDATE("place") ", " UPDATE("reason") ", " UPDATE("started_at") ", " UPDATE("ended_at") ", "
    UPDATE("state");
/* clang-format on */

static enum mr_code write_row(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    static const char *const states[] = {
        [MR_REPORT_RUNNING] = "running",
        [MR_REPORT_DONE] = "done",
        [MR_REPORT_FAILED] = "failed",
    };
    const struct mr_report_run *run = arg;
    bool done = run->state == MR_REPORT_DONE;
    const struct mr_sql_value values[] = {
        mr_sql_text(run->uuid),
        mr_sql_text(run->report),
        mr_sql_text(run->params),
        mr_sql_text(states[run->state]),
        done ? mr_sql_int((int64_t)run->rows) : mr_sql_null(),
        done ? mr_sql_int((int64_t)run->bytes) : mr_sql_null(),
        done ? mr_sql_text(run->place) : mr_sql_null(),
        run->state == MR_REPORT_FAILED ? mr_sql_text(run->reason) : mr_sql_null(),
        mr_sql_int((int64_t)run->elapsed_ms),
        mr_sql_int(run->state == MR_REPORT_RUNNING),
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
