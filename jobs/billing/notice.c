#include "jobs/billing/notice.h"

#include "jobs/billing/issued.h"
#include "jobs/services/members.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INFO = 2 };

/* ---- configuration ---- */

enum mr_code mr_notice_check_template(struct mr_host *host, const char *name,
                                      const char *option, struct mr_err *err)
{
    const char *dir = mr_members_text(mr_host_config(host, "templates"), "dir", NULL);

    if (!name)
        return MR_OK;
    if (!dir)
        return mr_fail(err, MR_EINVAL, "%s is \"%s\", but templates.dir is not configured",
                       option, name);
    char *path = mr_asprintf("%s/%s.subject.mustache", dir, name);
    bool found = access(path, R_OK) == 0;
    enum mr_code code = MR_OK;

    if (!found)
        code = mr_fail(err, MR_EINVAL, "%s is \"%s\", but there is no %s that can be read",
                       option, name, path);
    free(path);
    return code;
}

enum mr_code mr_notice_read(struct mr_host *host, struct mr_notice *out, struct mr_err *err)
{
    json_t *billing = mr_host_config(host, "billing");
    struct mr_notice notice = {
        .refused = mr_members_text(billing, "dunning_mail", NULL),
        .suspended = mr_members_text(billing, "suspended_mail", NULL),
    };
    enum mr_code code =
        mr_notice_check_template(host, notice.refused, "billing.dunning_mail", err);

    if (code == MR_OK)
        code = mr_notice_check_template(host, notice.suspended, "billing.suspended_mail", err);
    if (code == MR_OK)
        code = mr_terms_read(billing, &notice.terms, err);
    if (code == MR_OK)
        *out = notice;
    return code;
}

void mr_notice_fini(struct mr_notice *notice)
{
    mr_terms_fini(&notice->terms);
}

/* ---- a mail ---- */

static json_t *vars_of(const struct mr_notice *notice, enum mr_dunning_mail mail,
                       const struct mr_notice_of *about, const struct mr_issued *issued)
{
    char amount[MR_MONEY_PRINT], next[MR_DAY] = "", last[MR_DAY];

    mr_money_print(issued->invoice.total_minor, issued->invoice.currency, amount);
    mr_day_add(about->period->end, -1, last);
    if (mail == MR_DUNNING_REFUSED_MAIL)
        mr_zone_day(notice->terms.zone, about->next_at_s, next);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s}", "name", issued->name,
                     "subscription", about->subscription, "invoice", issued->printed, "amount",
                     amount, "period_start", about->period->start, "period_end", last, "charge",
                     (int)about->step + 1, "next_on", next);
}

/* The data go with vars, which it takes. */
static enum mr_code push(struct mr_job *job, const char *queue, const char *template,
                         const struct mr_issued *issued, const char *uuid, json_t *vars,
                         struct mr_err *err)
{
    char mail_uuid[MR_SUBSCRIPTION_UUID + 8];
    json_t *data =
        json_pack("{s:s, s:s, s:o}", "to", issued->email, "template", template, "vars", vars);
    const struct mr_push push = {
        .queue = queue, .job = "email.send", .uuid = mail_uuid, .data = data};

    snprintf(mail_uuid, sizeof(mail_uuid), "%s.mail", uuid);
    enum mr_code code = mr_job_push(job, &push, err);
    json_decref(data);
    return code;
}

static enum mr_code find_issued(struct mr_mysql *mysql, struct mr_job *job, const char *invoice,
                                struct mr_issued *out, struct mr_err *err)
{
    struct mr_mysql_conn *conn = NULL;
    enum mr_code code = mr_mysql_take(mysql, MR_MYSQL_WRITE, job, &conn, err);

    if (code == MR_OK)
        code = mr_issued_find(conn, invoice, out, err);
    mr_mysql_give(conn);
    return code;
}

enum mr_code mr_notice_push(const struct mr_notice *notice, struct mr_mysql *mysql,
                            struct mr_job *job, enum mr_dunning_mail mail,
                            const struct mr_notice_of *about, struct mr_err *err)
{
    const char *template =
        mail == MR_DUNNING_SUSPENDED_MAIL ? notice->suspended : notice->refused;
    struct mr_issued issued = {0};

    if (mail == MR_DUNNING_NO_MAIL || !template)
        return MR_OK;
    enum mr_code code = find_issued(mysql, job, about->period->invoice, &issued, err);
    if (code == MR_OK && !*issued.email)
        mr_job_log(job, INFO, "subscription.no_address", "subscription=%s",
                   about->subscription);
    else if (code == MR_OK)
        code = push(job, notice->terms.mail_queue, template, &issued, about->uuid,
                    vars_of(notice, mail, about, &issued), err);
    mr_issued_fini(&issued);
    return code;
}
