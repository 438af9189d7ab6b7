/*
 * report.generate: the SELECT of a definition becomes a file, reports/<report>-<uuid>.csv in the storage, and a row of report_runs. The file
 * is there whole or not at all; a job that comes twice makes the same file again. A definition may also be of an archive: then old rows move.
 */
#include "jobs/report/archive.h"
#include "jobs/report/make.h"
#include "jobs/report/runs.h"
#include "jobs/services/pdf.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "worker/handler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AWAY_MIN_MS = 2000, AWAY_SPREAD_MS = 3000 };

/* One report on its way, on a thread of its own. */
struct attempt {
    const struct mr_workshop *shop;
    struct mr_job *job;
    struct mr_request request;
    struct mr_made made;
    struct mr_archived archived;
    char format[16];
    uint64_t from_ms;
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
    struct mr_workshop *shop = mr_zalloc(sizeof(*shop));
    shop->dir = dir;
    shop->tmpdir = json_string_value(json_object_get(config, "tmpdir"));
    shop->max_rows = (uint64_t)json_integer_value(json_object_get(config, "max_rows"));
    shop->max_bytes = (uint64_t)json_integer_value(json_object_get(config, "max_size_bytes"));
    enum mr_code code = mr_storage_get(host, &shop->storage, err);
    if (code == MR_OK)
        code = mr_mysql_get(host, &shop->mysql, err);
    if (code == MR_OK)
        code = mr_pdf_press_get(host, &shop->press, err);
    if (code == MR_OK)
        *out_state = shop;
    else
        close_reports(shop);
    return code;
}

/* ---- the row of report_runs ---- */

/* That our own statement is refused is no fault of the job: the table is not as this version wants it. */
static enum mr_code note(struct attempt *a, struct mr_job *job, enum mr_report_state state,
                         const char *reason, struct mr_err *err)
{
    const struct mr_report_run run = {.uuid = a->request.uuid,
                                      .report = a->request.name,
                                      .params = a->request.params,
                                      .elapsed_ms = mr_clock_ms() - a->from_ms,
                                      .state = state,
                                      .place = a->request.place,
                                      .format = a->request.place ? a->format : NULL,
                                      .sha256 = a->request.place ? a->made.kept.sha256 : NULL,
                                      .keeps_rows = a->request.report.archive.from != NULL,
                                      .rows = a->made.rows,
                                      .bytes = a->made.kept.bytes,
                                      .reason = reason};
    struct mr_err why;
    enum mr_code code = mr_report_run_note(a->shop->mysql, job, &run, &why);

    if (code == MR_OK)
        return MR_OK;
    return mr_fail(err, code == MR_EREFUSED ? MR_EFAULT : code, "report_runs: %s", why.text);
}

/* Best effort: the job's own outcome says it too. Whoever was cancelled has no time of his own left, but the worker's grace. */
static void note_end(struct attempt *a, const char *reason)
{
    bool stopped = mr_job_cancelled(a->job);
    bool late = mr_clock_ms() >= mr_job_deadline_ms(a->job);
    enum mr_report_state state = stopped && !late ? MR_REPORT_CANCELLED : MR_REPORT_FAILED;
    struct mr_err err;

    if (stopped)
        reason = late ? "it ran longer than its job may" : "the job was stopped";
    if (note(a, stopped ? NULL : a->job, state, reason, &err) != MR_OK)
        mr_job_log(a->job, 1, "report.not_recorded", "error=%s", err.text);
}

/* ---- the job ---- */

/* "csv.gz" */
static void name_format(struct attempt *a)
{
    snprintf(a->format, sizeof(a->format), "%s%s", mr_report_format_word(a->request.format),
             mr_compress_suffix(a->request.compress));
}

static enum mr_code mail(struct attempt *a, struct mr_err *err)
{
    const struct mr_report *report = &a->request.report;
    const struct mr_report_news news = {.report = a->request.name,
                                        .title =
                                            report->title ? report->title : a->request.name,
                                        .place = a->request.place,
                                        .format = a->format,
                                        .sha256 = a->made.kept.sha256,
                                        .rows = a->made.rows,
                                        .bytes = a->made.kept.bytes};

    return mr_report_mailing_push(&a->request.mailing, a->job, a->shop->storage, &news, err);
}

static enum mr_code make(struct attempt *a, struct mr_err *err)
{
    uint64_t n_guess = 0;
    enum mr_code code =
        mr_report_mailing_check(&a->request.mailing, a->shop->storage, a->request.place, err);

    if (code == MR_OK)
        code = note(a, a->job, MR_REPORT_RUNNING, NULL, err);
    if (code == MR_OK && !a->request.report.count.statement.sql)
        code = mr_report_run_rows(a->shop->mysql, a->job, a->request.name, a->request.params,
                                  &n_guess, err);
    if (code == MR_OK)
        code = mr_report_make(a->shop, a->job, &a->request, n_guess, &a->made, err);
    if (code == MR_OK)
        code = mail(a, err);
    if (code == MR_OK)
        code = note(a, a->job, MR_REPORT_DONE, NULL, err);
    return code;
}

/* To be continued is not to be done: the row goes on saying that it runs. */
static enum mr_code archive(struct attempt *a, struct mr_err *err)
{
    const struct mr_report *report = &a->request.report;
    struct mr_err why;
    enum mr_code code = note(a, a->job, MR_REPORT_RUNNING, NULL, err);

    if (code != MR_OK)
        return code;
    code = mr_archive_move(a->shop->mysql, a->job, &report->archive, a->request.uuid,
                           report->timeout_ms, &a->archived, &why);
    if (code != MR_OK)
        return mr_fail(err, code, "%s: %s", report->origin, why.text);
    return a->archived.more ? MR_OK : note(a, a->job, MR_REPORT_DONE, NULL, err);
}

static enum mr_code generate(struct attempt *a, struct mr_err *err)
{
    enum mr_code code = mr_request_read(a->job, a->shop->dir, &a->request, err);

    if (code != MR_OK)
        return code;
    if (a->request.report.archive.from)
        return archive(a, err);
    name_format(a);
    return make(a, err);
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
        return a->archived.more ? mr_outcome_release(0, "more rows are to be moved")
                                : mr_outcome_done();
    case MR_EDOWN:
    case MR_EBUSY:
        return a->made.begun || a->archived.begun ? mr_outcome_retry("%s", err->text)
                                                  : come_back(a, err);
    case MR_EINVAL:
    case MR_ENOTFOUND:
    case MR_EREFUSED:
        return mr_outcome_fail("%s", err->text);
    default:
        return mr_outcome_retry("%s", err->text);
    }
}

static void log_made(const struct attempt *a)
{
    if (!a->request.place) {
        mr_job_log(a->job, 2, "report.archived", "rows=%" PRIu64 " more=%d ms=%" PRIu64,
                   a->archived.rows, a->archived.more, mr_clock_ms() - a->from_ms);
        return;
    }
    mr_job_log(a->job, 2, "report.made",
               "place=%s storage=%s format=%s rows=%" PRIu64 " bytes=%" PRIu64
               " sha256=%s ms=%" PRIu64,
               a->request.place, mr_storage_name(a->shop->storage), a->format, a->made.rows,
               a->made.kept.bytes, a->made.kept.sha256, mr_clock_ms() - a->from_ms);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct attempt a = {.shop = state, .job = job, .from_ms = mr_clock_ms()};
    struct mr_err err = {0};

    enum mr_code code = generate(&a, &err);
    struct mr_outcome outcome = judge(&a, code, &err);
    if (code == MR_OK)
        log_made(&a);
    else if (a.request.uuid[0] && outcome.kind != MR_OUTCOME_RELEASE &&
             !(code == MR_EDOWN && mr_job_cancelled(job)))
        note_end(&a, outcome.reason);
    mr_request_fini(&a.request);
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
