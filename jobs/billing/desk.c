#include "jobs/billing/desk.h"

#include "jobs/billing/issued.h"
#include "proto/base/mem.h"

#include <stdlib.h>

enum { INFO = 2, DEBUG = 3 };

void mr_desk_close(void *desk)
{
    struct mr_desk *own = desk;

    if (!own)
        return;
    mr_terms_fini(&own->terms);
    free(own);
}

enum mr_code mr_desk_open(struct mr_host *host, void **out_desk, struct mr_err *err)
{
    struct mr_desk *desk = mr_zalloc(sizeof(*desk));

    desk->host = host;
    enum mr_code code = mr_terms_read(mr_host_config(host, "billing"), &desk->terms, err);
    if (code == MR_OK)
        code = mr_mysql_get(host, &desk->mysql, err);
    if (code == MR_OK)
        code = mr_pdf_press_get(host, &desk->paper.press, err);
    if (code == MR_OK)
        code = mr_storage_get(host, &desk->paper.storage, err);
    if (code != MR_OK) {
        mr_desk_close(desk);
        return code;
    }
    desk->paper.seller = desk->terms.seller;
    desk->paper.notes = desk->terms.notes;
    *out_desk = desk;
    return MR_OK;
}

/* ---- the paper ---- */

static enum mr_code read_issued(struct mr_desk *desk, struct mr_job *job, const char *uuid,
                                struct mr_issued *out, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(desk->mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_issued_find(conn, uuid, out, err);
    if (code == MR_OK)
        code = mr_issued_read_lines(conn, out, err);
    mr_mysql_give(conn);
    return code;
}

static enum mr_code mark_drawn(struct mr_desk *desk, struct mr_job *job, const char *uuid,
                               struct mr_err *err)
{
    const struct mr_sql_value value = mr_sql_text(uuid);
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
static enum mr_code put_on_paper(struct mr_desk *desk, struct mr_job *job,
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
    return mark_drawn(desk, job, issued->uuid, err);
}

enum mr_code mr_desk_finish(struct mr_desk *desk, struct mr_job *job, const char *uuid,
                            struct mr_err *err)
{
    struct mr_issued issued = {0};
    enum mr_code code = read_issued(desk, job, uuid, &issued, err);

    if (code == MR_OK)
        code = put_on_paper(desk, job, &issued, err);
    mr_issued_fini(&issued);
    return code;
}

static enum mr_code push_mail(const struct mr_desk *desk, struct mr_job *job,
                              const struct mr_mailing *mailing, json_t *data,
                              struct mr_err *err)
{
    const struct mr_push push = {
        .queue = mailing->queue ? mailing->queue : desk->terms.mail_queue,
        .job = "email.send",
        .uuid = mailing->uuid,
        .name = "mail",
        .data = data,
    };

    return mr_job_push(job, &push, err);
}

static enum mr_code compose_and_push(const struct mr_desk *desk, struct mr_job *job,
                                     const struct mr_mailing *mailing,
                                     const struct mr_issued *issued, struct mr_err *err)
{
    json_t *data = NULL;
    enum mr_code code = mr_mailing_compose(mailing, &desk->terms, issued, &data, err);

    if (code == MR_OK)
        code = push_mail(desk, job, mailing, data, err);
    json_decref(data);
    return code;
}

enum mr_code mr_desk_mail(struct mr_desk *desk, struct mr_job *job, const char *uuid,
                          const struct mr_mailing *mailing, struct mr_err *err)
{
    struct mr_issued issued = {0};

    if (!mailing->wanted)
        return MR_OK;
    enum mr_code code = read_issued(desk, job, uuid, &issued, err);
    if (code == MR_OK && mailing->if_addressed && !*issued.email)
        mr_job_log(job, INFO, "invoice.no_address", "number=%s", issued.printed);
    else if (code == MR_OK)
        code = compose_and_push(desk, job, mailing, &issued, err);
    mr_issued_fini(&issued);
    return code;
}
