/*
 * report.generate: the SELECT of a definition becomes a CSV file, reports/<report>-<uuid>.csv in the storage, and a row of report_runs. The file
 * is there whole or not at all; a job that comes twice makes the same file again.
 */
#include "jobs/report/catalog.h"
#include "jobs/report/runs.h"
#include "jobs/report/sheet.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "proto/base/uuid.h"
#include "worker/handler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UUID_MAX = 64, AWAY_MIN_MS = 2000, AWAY_SPREAD_MS = 3000 };

/* Module state: where reports come from and where they go. */
struct reports {
    const char *dir; /* a borrow of the configuration */
    struct mr_mysql *mysql;
    struct mr_storage *storage;
    uint64_t max_rows, max_bytes;
};

/* One report on its way, on a thread of its own. */
struct attempt {
    struct reports *reports;
    struct mr_job *job;
    struct mr_report report;
    struct mr_param_value *values; /* of the definition's parameters */
    char uuid[UUID_MAX + 1];
    char *params, *place; /* what run borrows */
    struct mr_report_run run;
    struct mr_sheet sheet;
    uint64_t from_ms;
    bool begun; /* the database has been asked for the report */
};

/* ---- the module ---- */

static void close_reports(void *state)
{
    free(state);
}

static enum mr_code open_reports(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "reports");
    const char *dir = json_string_value(json_object_get(config, "dir"));

    if (!dir)
        return mr_fail(err, MR_EINVAL,
                       "reports.dir is not configured: no folder of definitions");
    struct reports *reports = mr_zalloc(sizeof(*reports));
    reports->dir = dir;
    reports->max_rows = (uint64_t)json_integer_value(json_object_get(config, "max_rows"));
    reports->max_bytes =
        (uint64_t)json_integer_value(json_object_get(config, "max_size_bytes"));
    enum mr_code code = mr_storage_get(host, &reports->storage, err);
    if (code == MR_OK)
        code = mr_mysql_get(host, &reports->mysql, err);
    if (code == MR_OK)
        *out_state = reports;
    else
        close_reports(reports);
    return code;
}

/* ---- what is asked for ---- */

/* The uuid names the file and the row. A job without one gets a name of this attempt's own: the worst is a file more. */
static enum mr_code name_run(struct attempt *a, struct mr_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_.-";
    const char *uuid = mr_job_uuid(a->job);
    size_t len = strlen(uuid);

    if (len > UUID_MAX || strspn(uuid, letters) != len)
        return mr_fail(err, MR_EINVAL,
                       "uuid: it names the file, so it must be 1 to 64 of A-Z a-z 0-9 _ . -");
    if (len > 0)
        memcpy(a->uuid, uuid, len + 1);
    else
        mr_uuid_make(a->uuid);
    return MR_OK;
}

/* The names under which all that comes of it will be found. */
static enum mr_code read_names(struct attempt *a, const json_t *data, struct mr_err *err)
{
    const json_t *name = json_object_get(data, "report");
    const json_t *params = json_object_get(data, "params");

    if (!json_is_string(name) || !mr_catalog_is_name((struct mr_bytes){
                                     json_string_value(name), json_string_length(name)}))
        return mr_fail(err, MR_EINVAL,
                       "data.report must be the name of a report: 1 to 64 of A-Z a-z 0-9 _ -");
    enum mr_code code = name_run(a, err);
    if (code != MR_OK)
        return code;
    a->params = params ? json_dumps(params, JSON_COMPACT | JSON_ENCODE_ANY) : mr_strdup("{}");
    a->place = mr_asprintf("reports/%s-%s.csv", json_string_value(name), a->uuid);
    a->run = (struct mr_report_run){.uuid = a->uuid,
                                    .report = json_string_value(name),
                                    .params = a->params,
                                    .place = a->place};
    return MR_OK;
}

/* What is asked for, and with which values. */
static enum mr_code read_job(struct attempt *a, struct mr_err *err)
{
    const json_t *data = mr_job_data(a->job, err);

    if (!data)
        return MR_EINVAL;
    enum mr_code code = read_names(a, data, err);
    if (code == MR_OK)
        code = mr_catalog_read(a->reports->dir, a->run.report, &a->report, err);
    if (code == MR_OK)
        code = mr_params_read(a->report.params, a->report.n_params,
                              json_object_get(data, "params"), &a->values, err);
    return code;
}

/* ---- the file ---- */

/* In a transaction that can only read. */
static enum mr_code select_rows(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct attempt *a = arg;
    const struct mr_report *report = &a->report;
    unsigned n = report->statement.n_places;
    struct mr_sql_value *bound = mr_zalloc_array(n + 1, sizeof(*bound));

    a->begun = true;
    for (unsigned i = 0; i < n; i++)
        bound[i] = a->values[report->bound[i]].sql;
    mr_mysql_limit(conn, report->timeout_ms);
    enum mr_code code = mr_mysql_query(conn, report->statement.sql, bound, n,
                                       mr_sheet_on_columns, mr_sheet_on_row, &a->sheet, err);
    free(bound);
    return code;
}

static enum mr_code fill(struct attempt *a, struct mr_storage_file *file, struct mr_err *err)
{
    struct mr_err why;

    mr_sheet_init(&a->sheet, &a->report, file, a->reports->max_rows, a->reports->max_bytes);
    enum mr_code code = mr_mysql_read(a->reports->mysql, a->job, select_rows, a, &why);
    a->run.rows = a->sheet.n_rows;
    a->run.bytes = mr_storage_written(file);
    mr_sheet_fini(&a->sheet);
    return code == MR_OK ? MR_OK : mr_fail(err, code, "%s: %s", a->report.origin, why.text);
}

static enum mr_code make_file(struct attempt *a, struct mr_err *err)
{
    struct mr_storage_file *file = NULL;
    enum mr_code code = mr_storage_create(a->reports->storage, a->place, a->job, &file, err);

    if (code != MR_OK)
        return code;
    code = fill(a, file, err);
    if (code == MR_OK)
        return mr_storage_keep(file, NULL, err);
    mr_storage_drop(file);
    return code;
}

/* ---- the row of report_runs ---- */

/* That our own statement is refused is no fault of the job: the table is not as this version wants it. */
static enum mr_code note(struct attempt *a, enum mr_report_state state, struct mr_err *err)
{
    struct mr_err why;

    a->run.state = state;
    a->run.elapsed_ms = mr_clock_ms() - a->from_ms;
    enum mr_code code = mr_report_run_note(a->reports->mysql, a->job, &a->run, &why);
    if (code == MR_OK)
        return MR_OK;
    return mr_fail(err, code == MR_EREFUSED ? MR_EFAULT : code, "report_runs: %s", why.text);
}

/* Best effort: the job's own outcome says it too. */
static void note_failure(struct attempt *a, const char *reason)
{
    struct mr_err err;

    a->run.reason = reason;
    if (note(a, MR_REPORT_FAILED, &err) != MR_OK)
        mr_job_log(a->job, 1, "report.not_recorded", "error=%s", err.text);
}

/* ---- the job ---- */

static enum mr_code generate(struct attempt *a, struct mr_err *err)
{
    enum mr_code code = read_job(a, err);

    if (code == MR_OK)
        code = note(a, MR_REPORT_RUNNING, err);
    if (code == MR_OK)
        code = make_file(a, err);
    if (code == MR_OK)
        code = note(a, MR_REPORT_DONE, err);
    return code;
}

/* Nothing was done and the job is not to blame. Not all come back at once. */
static struct mr_outcome come_back(struct attempt *a, const struct mr_err *err)
{
    uint32_t roll;

    mr_random_bytes(&roll, sizeof(roll));
    mr_job_log(a->job, 1, "report.database_away", "error=%s", err->text);
    return mr_outcome_release(AWAY_MIN_MS + roll % AWAY_SPREAD_MS, "%s", err->text);
}

static struct mr_outcome judge(struct attempt *a, enum mr_code code, const struct mr_err *err)
{
    switch (code) {
    case MR_OK:
        return mr_outcome_done();
    case MR_EDOWN:
    case MR_EBUSY:
        return a->begun ? mr_outcome_retry("%s", err->text) : come_back(a, err);
    case MR_EINVAL:
    case MR_ENOTFOUND:
    case MR_EREFUSED:
        return mr_outcome_fail("%s", err->text);
    default:
        return mr_outcome_retry("%s", err->text);
    }
}

static void attempt_fini(struct attempt *a)
{
    mr_params_free(a->values, a->report.n_params);
    mr_report_fini(&a->report);
    free(a->params);
    free(a->place);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct attempt a = {.reports = state, .job = job, .from_ms = mr_clock_ms()};
    struct mr_err err = {0};

    enum mr_code code = generate(&a, &err);
    struct mr_outcome outcome = judge(&a, code, &err);
    bool failed = outcome.kind == MR_OUTCOME_FAIL || outcome.kind == MR_OUTCOME_RETRY;
    if (code == MR_OK)
        mr_job_log(job, 3, "report.made", "place=%s rows=%" PRIu64 " bytes=%" PRIu64, a.place,
                   a.run.rows, a.run.bytes);
    else if (failed && a.run.uuid && !mr_job_cancelled(job))
        note_failure(&a, outcome.reason);
    attempt_fini(&a);
    return outcome;
}

static const struct mr_handler report_generate = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "report.generate",
    .open = open_reports,
    .close = close_reports,
    .run = run,
};

const struct mr_handler *const mr_handlers[] = {&report_generate, NULL};
