#include "jobs/email/from_template.h"

#include "jobs/services/template_store.h"
#include "proto/base/mem.h"

/* The parts of a template, each a member of data and what its text is for. */
static const struct {
    const char *name;
    enum mr_template_target target;
} parts[] = {
    {"subject", MR_TEMPLATE_HEADER},
    {"text",    MR_TEMPLATE_TEXT  },
    {"html",    MR_TEMPLATE_HTML  },
};
enum { SUBJECT, TEXT, HTML };

struct work {
    struct mr_template_store *store;
    const char *name;
    json_t *vars, *mail;
};

static bool is_given(json_t *data, const char *member)
{
    json_t *value = json_object_get(data, member);

    return value && !json_is_null(value);
}

static enum mr_code check_bodies(json_t *data, struct mr_err *err)
{
    for (size_t i = TEXT; i < MR_COUNT(parts); i++)
        if (is_given(data, parts[i].name))
            return mr_fail(err, MR_EINVAL,
                           "data.%s and data.template: a mail's text comes from one of them",
                           parts[i].name);
    return MR_OK;
}

static enum mr_code add_part(const struct work *work, size_t part, struct mr_err *err)
{
    struct mr_buf text = {0};
    enum mr_code code = mr_template_store_render(work->store, work->name, parts[part].name,
                                                 parts[part].target, work->vars, &text, err);

    if (code == MR_OK)
        json_object_set_new(work->mail, parts[part].name, json_stringn(text.at, text.len));
    mr_buf_fini(&text);
    return code;
}

/* The two are one text twice, so either may be missing. Without both, it is the text that is told. */
static enum mr_code add_bodies(const struct work *work, struct mr_err *err)
{
    struct mr_err about_html;
    enum mr_code text = add_part(work, TEXT, err);

    if (text != MR_OK && text != MR_ENOTFOUND)
        return text;
    enum mr_code html = add_part(work, HTML, &about_html);
    if (html == MR_OK || html == MR_ENOTFOUND)
        return html == MR_OK ? MR_OK : text;
    return mr_fail(err, html, "%s", about_html.text);
}

enum mr_code mr_mail_from_template(json_t *data, struct mr_template_store *store, json_t **out,
                                   struct mr_err *err)
{
    struct work work = {.store = store};
    enum mr_code code = mr_template_store_asked(data, &work.name, &work.vars, err);

    if (code == MR_OK && !work.name) {
        *out = json_incref(data);
        return MR_OK;
    }
    if (code == MR_OK)
        code = check_bodies(data, err);
    work.mail = json_copy(data);
    if (code == MR_OK && !is_given(data, "subject"))
        code = add_part(&work, SUBJECT, err);
    if (code == MR_OK)
        code = add_bodies(&work, err);
    if (code == MR_OK)
        *out = work.mail;
    else
        json_decref(work.mail);
    return code;
}
