#include "jobs/report/make.h"

#include "jobs/report/progress.h"
#include "jobs/report/sheet.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>

enum { SHOW_ROWS = 1000 };

/* One file on its way. */
struct making {
    const struct mr_workshop *shop;
    struct mr_job *job;
    const struct mr_request *request;
    struct mr_sheet sheet;
    uint64_t n_expected; /* rows; 0: nobody knows */
    struct mr_made *made;
};

/* ---- progress ---- */

static void show(const struct making *m)
{
    mr_report_progress(m->job, m->sheet.n_rows, m->n_expected);
}

static enum mr_code on_row(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct making *m = arg;
    enum mr_code code = mr_sheet_on_row(&m->sheet, row, err);

    if (code != MR_OK || m->sheet.n_rows % SHOW_ROWS != 0)
        return code;
    show(m);
    return mr_job_cancelled(m->job) ? mr_fail(err, MR_ETIMEDOUT, "the job was cancelled")
                                    : MR_OK;
}

static enum mr_code on_columns(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct making *m = arg;

    return mr_sheet_on_columns(&m->sheet, row, err);
}

static enum mr_code on_count(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct making *m = arg;

    (void)err;
    if (row->n > 0 && row->values[0].at)
        m->n_expected = strtoull(row->values[0].at, NULL, 10);
    return MR_OK;
}

/* ---- the statement ---- */

static enum mr_code ask(struct making *m, struct mr_mysql_conn *conn,
                        const struct mr_report_query *query, mr_sql_row_fn *columns,
                        mr_sql_row_fn *row, struct mr_err *err)
{
    unsigned n = query->statement.n_places;
    struct mr_sql_value *bound = mr_zalloc_array(n + 1, sizeof(*bound));

    for (unsigned i = 0; i < n; i++)
        bound[i] = m->request->values[query->bound[i]].sql;
    enum mr_code code =
        mr_mysql_query(conn, query->statement.sql, bound, n, columns, row, m, err);
    free(bound);
    return code;
}

/* In a transaction that can only read. */
static enum mr_code select_rows(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    struct making *m = arg;
    const struct mr_report *report = &m->request->report;
    enum mr_code code = MR_OK;

    m->made->begun = true;
    mr_mysql_limit(conn, report->timeout_ms);
    if (report->count.statement.sql)
        code = ask(m, conn, &report->count, NULL, on_count, err);
    if (code == MR_OK)
        code = ask(m, conn, &report->rows, on_columns, on_row, err);
    return code;
}

/* ---- the file ---- */

static enum mr_code fill(struct making *m, struct mr_output *output, struct mr_err *err)
{
    mr_sheet_init(&m->sheet, &m->request->report, output, m->shop->max_rows);
    enum mr_code code = mr_mysql_read(m->shop->mysql, m->job, select_rows, m, err);
    if (code == MR_OK)
        code = mr_sheet_finish(&m->sheet, err);
    show(m);
    m->made->rows = m->sheet.n_rows;
    mr_sheet_fini(&m->sheet);
    return code;
}

static enum mr_code write_file(struct making *m, struct mr_storage_file *file,
                               struct mr_err *err)
{
    const struct mr_report *report = &m->request->report;
    uint64_t max_bytes = report->max_bytes ? report->max_bytes : m->shop->max_bytes;
    struct mr_pipe *pipe = mr_pipe_new(file, m->request->compress, max_bytes);
    const struct mr_output_plan plan = {.report = report,
                                        .pipe = pipe,
                                        .press = m->shop->press,
                                        .tmpdir = m->shop->tmpdir,
                                        .name = m->request->name,
                                        .made_at_ms = mr_clock_wall_ms()};
    struct mr_output *output = NULL;
    enum mr_code code = mr_output_open(m->request->format, &plan, &output, err);

    if (code == MR_OK)
        code = fill(m, output, err);
    if (code == MR_OK)
        code = mr_pipe_finish(pipe, err);
    mr_output_close(output);
    mr_pipe_free(pipe);
    return code;
}

enum mr_code mr_report_make(const struct mr_workshop *shop, struct mr_job *job,
                            const struct mr_request *request, uint64_t n_guess,
                            struct mr_made *out, struct mr_err *err)
{
    struct making m = {
        .shop = shop, .job = job, .request = request, .n_expected = n_guess, .made = out};
    struct mr_storage_file *file = NULL;
    struct mr_err why;
    enum mr_code code = mr_storage_create(shop->storage, request->place, job, &file, err);

    if (code != MR_OK)
        return code;
    code = write_file(&m, file, &why);
    if (code == MR_OK)
        return mr_storage_keep(file, &out->kept, err);
    mr_storage_drop(file);
    return mr_fail(err, code, "%s: %s", request->report.origin, why.text);
}
