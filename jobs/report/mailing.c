#include "jobs/report/mailing.h"

#include "jobs/services/storage.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is wanted ---- */

static bool is_addresses(const json_t *to)
{
    size_t i;
    json_t *one;

    if (json_is_string(to))
        return json_string_length(to) > 0;
    json_array_foreach(to, i, one)
    {
        if (!json_is_string(one) && !json_is_object(one))
            return false;
    }
    return json_array_size(to) > 0;
}

static json_t *list_of(char *const *texts, unsigned n)
{
    json_t *list = n > 0 ? json_array() : NULL;

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

static enum mr_code read_text(const json_t *mail, const char *member, const char **out,
                              struct mr_err *err)
{
    const json_t *text = json_object_get(mail, member);

    if (!text)
        return MR_OK;
    if (!json_is_string(text) || json_string_length(text) == 0)
        return mr_fail(err, MR_EINVAL, "data.mail.%s must be text", member);
    *out = json_string_value(text);
    return MR_OK;
}

static enum mr_code read_as(const json_t *mail, struct mr_report_mailing *out,
                            struct mr_err *err)
{
    const json_t *as = json_object_get(mail, "as");
    const char *word = json_string_value(as);

    if (!as)
        return MR_OK;
    if (!word || (strcmp(word, "attachment") != 0 && strcmp(word, "link") != 0))
        return mr_fail(err, MR_EINVAL, "data.mail.as must be attachment or link");
    out->as = strcmp(word, "link") == 0 ? MR_MAIL_LINK : MR_MAIL_ATTACHMENT;
    return MR_OK;
}

static enum mr_code read_expires(const json_t *mail, struct mr_report_mailing *out,
                                 struct mr_err *err)
{
    const json_t *expires = json_object_get(mail, "expires");
    uint64_t ms = 0;

    if (!expires)
        return MR_OK;
    if (!json_is_string(expires) ||
        mr_duration_parse(json_string_value(expires), &ms, NULL) != MR_OK || ms < 1000 ||
        ms > MR_STORAGE_LINK_MAX_S * 1000ull)
        return mr_fail(
            err, MR_EINVAL,
            "data.mail.expires must be a span of time such as \"2d\", within 1s..7d");
    out->expires_ms = ms;
    return MR_OK;
}

static enum mr_code read_given(const json_t *mail, struct mr_report_mailing *out,
                               struct mr_err *err)
{
    json_t *to = json_object_get(mail, "to");

    if (to && !is_addresses(to))
        return mr_fail(err, MR_EINVAL, "data.mail.to must be an address or a list of them");
    if (to) {
        json_decref(out->to);
        out->to = json_incref(to);
    }
    if (!out->to)
        return mr_fail(err, MR_EINVAL, "data.mail.to must say to whom");
    enum mr_code code = read_text(mail, "subject", &out->subject, err);
    if (code == MR_OK)
        code = read_text(mail, "template", &out->template, err);
    if (code == MR_OK)
        code = read_text(mail, "queue", &out->queue, err);
    if (code == MR_OK)
        code = read_as(mail, out, err);
    return code == MR_OK ? read_expires(mail, out, err) : code;
}

enum mr_code mr_report_mailing_read(const struct mr_report *report, const json_t *mail,
                                    struct mr_report_mailing *out, struct mr_err *err)
{
    const struct mr_report_mail *usual = &report->mail;

    if (json_is_false(mail))
        return MR_OK;
    *out = (struct mr_report_mailing){.to = list_of(usual->to, usual->n_to),
                                      .subject = usual->subject,
                                      .template = usual->template,
                                      .queue = usual->queue,
                                      .as = usual->as,
                                      .expires_ms = usual->expires_ms};
    if (!mail || json_is_null(mail))
        return MR_OK;
    if (!json_is_object(mail))
        return mr_fail(err, MR_EINVAL, "data.mail must be an object, or false for none");
    return read_given(mail, out, err);
}

void mr_report_mailing_fini(struct mr_report_mailing *mailing)
{
    json_decref(mailing->to);
    *mailing = (struct mr_report_mailing){0};
}

/* ---- the link ---- */

static enum mr_code make_link(const struct mr_report_mailing *mailing,
                              struct mr_storage *storage, const char *place, char **out,
                              struct mr_err *err)
{
    if (!mailing->to || mailing->as != MR_MAIL_LINK)
        return MR_OK;
    return mr_storage_link(storage, place, (unsigned)(mailing->expires_ms / 1000), out, err);
}

enum mr_code mr_report_mailing_check(const struct mr_report_mailing *mailing,
                                     struct mr_storage *storage, const char *place,
                                     struct mr_err *err)
{
    char *link = NULL;
    enum mr_code code = make_link(mailing, storage, place, &link, err);

    free(link);
    return code;
}

/* ---- the mail ---- */

static const char *file_name(const char *place)
{
    const char *slash = strrchr(place, '/');

    return slash ? slash + 1 : place;
}

/* Of a mail without a template. */
static void add_words(json_t *data, const struct mr_report_mailing *mailing,
                      const struct mr_report_news *news, const char *link)
{
    char size[32];

    mr_size_print(news->bytes, size);
    char *text = mr_asprintf("%s: %" PRIu64 " rows, %s.\n\n%s%s\n%sSHA-256: %s\n", news->title,
                             news->rows, size, link ? link : file_name(news->place),
                             link ? "\n" : "", link ? "" : "\n", news->sha256);
    json_object_set_new(data, "subject",
                        json_string(mailing->subject ? mailing->subject : news->title));
    json_object_set_new(data, "text", json_string(text));
    free(text);
}

static void add_template(json_t *data, const struct mr_report_mailing *mailing,
                         const struct mr_report_news *news, const char *link)
{
    json_t *vars = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I}", "report", news->report, "title",
                             news->title, "file", file_name(news->place), "format",
                             news->format, "sha256", news->sha256, "rows",
                             (json_int_t)news->rows, "bytes", (json_int_t)news->bytes);

    json_object_set_new(vars, "link", link ? json_string(link) : json_false());
    json_object_set_new(data, "template", json_string(mailing->template));
    json_object_set_new(data, "vars", vars);
}

static json_t *write_mail(const struct mr_report_mailing *mailing,
                          const struct mr_report_news *news, const char *link)
{
    json_t *data = json_object();

    json_object_set(data, "to", mailing->to);
    if (mailing->template)
        add_template(data, mailing, news, link);
    else
        add_words(data, mailing, news, link);
    if (!link)
        json_object_set_new(
            data, "attachments",
            json_pack("[{s:s,s:s}]", "name", file_name(news->place), "storage", news->place));
    return data;
}

enum mr_code mr_report_mailing_push(const struct mr_report_mailing *mailing, struct mr_job *job,
                                    struct mr_storage *storage,
                                    const struct mr_report_news *news, struct mr_err *err)
{
    char *link = NULL;

    if (!mailing->to)
        return MR_OK;
    enum mr_code code = make_link(mailing, storage, news->place, &link, err);
    if (code != MR_OK)
        return code;
    json_t *data = write_mail(mailing, news, link);
    const struct mr_push push = {
        .queue = mailing->queue, .job = "email.send", .data = data, .name = "mail"};
    code = mr_job_push(job, &push, err);
    json_decref(data);
    free(link);
    return code;
}
