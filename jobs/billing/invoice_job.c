/*
 * billing.invoice: an invoice with the next number of its series, in the books, and on paper. The number is given and used in one transaction
 * together with the job's inbox row, so that no attempt gives a second one; the PDF follows, from what the database has, and
 * an attempt that finds it drawn and stored makes no other.
 */
#include "jobs/billing/books.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/issue.h"
#include "jobs/billing/paper.h"
#include "jobs/billing/trouble.h"
#include "proto/base/mem.h"

#include <stdlib.h>

enum { DEBUG = 3 };

/* Module state; strings are borrowed from the configuration. */
struct desk {
    struct mr_host *host;
    struct mr_mysql *mysql;
    struct mr_paper paper;
    const char *series;
};

static const char *text_of(json_t *config, const char *name)
{
    return json_string_value(json_object_get(config, name));
}

static void close_desk(void *state)
{
    free(state);
}

/* Without a place for the PDF nothing is issued at all. A series that is none is the configuration's fault, and no job's. */
static enum mr_code open_desk(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *billing = mr_host_config(host, "billing");
    const char *series = text_of(billing, "series");

    if (series && mr_invoice_check_series(series, "billing.series", err) != MR_OK)
        return MR_EINVAL;
    struct desk *desk = mr_zalloc(sizeof(*desk));
    desk->host = host;
    desk->series = series ? series : "INV";
    desk->paper.seller = text_of(billing, "seller");
    enum mr_code code = mr_mysql_get(host, &desk->mysql, err);
    if (code == MR_OK)
        code = mr_pdf_press_get(host, &desk->paper.press, err);
    if (code == MR_OK)
        code = mr_storage_get(host, &desk->paper.storage, err);
    if (code == MR_OK)
        *out_state = desk;
    else
        free(desk);
    return code;
}

/* ---- the paper ---- */

static enum mr_code read_issued(struct desk *desk, struct mr_job *job, struct mr_issued *out,
                                struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(desk->mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_issued_find(conn, mr_job_uuid(job), out, err);
    if (code == MR_OK)
        code = mr_issued_read_lines(conn, out, err);
    mr_mysql_give(conn);
    return code;
}

static enum mr_code mark_drawn(struct desk *desk, struct mr_job *job, struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(mr_job_uuid(job));
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(desk->mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_mysql_run(conn,
                            "UPDATE billing_invoices SET pdf_at = CURRENT_TIMESTAMP(3) "
                            "WHERE uuid = ? AND pdf_at IS NULL",
                            &value, 1, NULL, NULL, err);
    mr_mysql_give(conn);
    return code;
}

/*
 * The invoice stands, whatever comes of the paper: later attempts need only draw it. A file under its name that the database knows
 * nothing of may be another's, from before the numbers began anew: it is drawn over.
 */
static enum mr_code put_on_paper(struct desk *desk, struct mr_job *job,
                                 struct mr_issued *issued, struct mr_err *err)
{
    struct mr_err why = {0};
    enum mr_code code = MR_ENOTFOUND;

    if (issued->drawn)
        code = mr_storage_find(desk->paper.storage, issued->pdf_key, job, NULL, &why);
    if (code == MR_OK)
        return MR_OK;
    if (code == MR_ENOTFOUND)
        code = mr_paper_make(&desk->paper, issued, job, &why);
    if (code != MR_OK)
        return mr_fail(err, code, "invoice %s is issued, but its PDF is not stored: %s",
                       issued->printed, why.text);
    mr_host_counter(desk->host, "invoices_drawn", 1);
    mr_job_log(job, DEBUG, "invoice.drawn", "number=%s", issued->printed);
    return mark_drawn(desk, job, err);
}

/* ---- the job ---- */

static struct mr_outcome issue(struct desk *desk, struct mr_job *job,
                               const struct mr_invoice *invoice)
{
    struct mr_issued issued = {0};
    struct mr_err err = {0};
    bool began = false;
    enum mr_code code = mr_issue(desk->mysql, job, mr_job_uuid(job), invoice, &began, &err);

    if (code == MR_OK)
        code = read_issued(desk, job, &issued, &err);
    if (code == MR_OK)
        code = put_on_paper(desk, job, &issued, &err);
    mr_issued_fini(&issued);
    return code == MR_OK ? mr_outcome_done() : mr_trouble_outcome(job, code, began, &err);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct desk *desk = state;
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};

    if (mr_books_check_uuid(mr_job_uuid(job), &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    json_t *data = mr_job_data(job, &err);
    if (!data || mr_invoice_read(data, desk->series, &invoice, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    struct mr_outcome outcome = issue(desk, job, &invoice);
    mr_invoice_fini(&invoice);
    return outcome;
}

const struct mr_handler mr_billing_invoice = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.invoice",
    .open = open_desk,
    .close = close_desk,
    .run = run,
};
