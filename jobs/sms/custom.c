#include "jobs/sms/custom.h"

#include "jobs/services/form.h"
#include "jobs/services/http_text.h"
#include "jobs/services/members.h"
#include "jobs/services/template.h"
#include "proto/base/mem.h"
#include "proto/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JSON_TYPE "Content-Type: application/json"

enum { HEADERS_MAX = MR_POSTING_HEADERS - 3, PART_MAX = 64 * 1024, VALUE_MAX = 64 };

struct header {
    const char *name;
    struct mr_template *value;
};

/* Rules are borrowed from the configuration; NULL where they are absent. */
struct mr_custom {
    const char *method;
    bool json; /* what body is; else a form */
    struct mr_template *url, *body;
    struct header headers[HEADERS_MAX];
    unsigned n_headers;
    const json_t *ok, *ok_when, *refused, *refused_when;
    const char *id, *code;
};

/* ---- the configuration ---- */

static enum mr_code compile(const char *text, const char *section, const char *option,
                            struct mr_template **out, struct mr_err *err)
{
    char *name = mr_asprintf("%s.%s", section, option);
    enum mr_code code = mr_template_compile(text, strlen(text), name, out, err);

    free(name);
    return code;
}

static enum mr_code read_headers(const json_t *headers, const char *section,
                                 struct mr_custom *out, struct mr_err *err)
{
    enum mr_code code = MR_OK;
    const char *name;
    json_t *value;

    if (json_object_size(headers) > HEADERS_MAX)
        return mr_fail(err, MR_EFAULT, "%s.headers has more than %d", section, HEADERS_MAX);
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        if (!mr_http_is_token(name, strlen(name)))
            return mr_fail(err, MR_EFAULT, "%s.headers: '%s' is no header's name", section,
                           name);
        struct header *header = &out->headers[out->n_headers++];

        header->name = name;
        code = compile(json_string_value(value), section, "headers", &header->value, err);
        if (code != MR_OK)
            return code;
    }
    return code;
}

enum mr_code mr_custom_new(const json_t *options, const char *section, struct mr_custom **out,
                           struct mr_err *err)
{
    struct mr_custom *custom = mr_zalloc(sizeof(*custom));
    const char *format = mr_members_text(options, "format", NULL),
               *body = mr_members_text(options, "body", NULL);

    custom->method = mr_members_text(options, "method", NULL);
    custom->json = !format || strcmp(format, "json") == 0;
    custom->ok = json_object_get(options, "ok");
    custom->ok_when = json_object_get(options, "ok_when");
    custom->refused = json_object_get(options, "refused");
    custom->refused_when = json_object_get(options, "refused_when");
    custom->id = mr_members_text(options, "id", NULL);
    custom->code = mr_members_text(options, "code", NULL);
    enum mr_code code =
        compile(mr_members_text(options, "url", NULL), section, "url", &custom->url, err);
    if (code == MR_OK && body && *body)
        code = compile(body, section, "body", &custom->body, err);
    if (code == MR_OK)
        code = read_headers(json_object_get(options, "headers"), section, custom, err);
    if (code == MR_OK)
        *out = custom;
    else
        mr_custom_free(custom);
    return code;
}

void mr_custom_free(struct mr_custom *custom)
{
    if (!custom)
        return;
    for (unsigned i = 0; i < custom->n_headers; i++)
        mr_template_unref(custom->headers[i].value);
    mr_template_unref(custom->url);
    mr_template_unref(custom->body);
    free(custom);
}

/* ---- the request ---- */

/* All that a template may name. */
static json_t *view_of(const struct mr_order *order, const char *sender)
{
    const struct mr_message *message = order->message;
    const char *callback = order->callback ? order->callback : "";

    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:s}", "to", message->to, "to_digits",
                     message->to + (*message->to == '+'), "from", sender, "text", message->text,
                     "uuid", order->uuid, "channel", order->channel, "segments",
                     (int)message->segments, "callback", callback);
}

/* What is missing is an error: a misspelt name would send a message without its text. */
static enum mr_code render(const struct mr_template *template, json_t *view,
                           enum mr_template_target target, struct mr_buf *out,
                           struct mr_err *err)
{
    const struct mr_template_task task = {
        .view = view, .target = target, .strict = true, .max_bytes = PART_MAX};

    return mr_template_render(template, &task, out, err);
}

static enum mr_code add_header(const struct header *header, json_t *view,
                               struct mr_posting *out, struct mr_err *err)
{
    struct mr_buf value = {0};
    enum mr_code code = render(header->value, view, MR_TEMPLATE_HEADER, &value, err);

    if (code == MR_OK)
        mr_posting_add_header(out,
                              mr_asprintf("%s: %s", header->name, value.at ? value.at : ""));
    mr_buf_fini(&value);
    return code;
}

static bool has_header(const struct mr_custom *custom, const char *name)
{
    for (unsigned i = 0; i < custom->n_headers; i++)
        if (strcasecmp(custom->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_own_headers(const struct mr_custom *custom, const char *uuid,
                            struct mr_posting *out)
{
    if (custom->body && !has_header(custom, "Content-Type"))
        mr_posting_add_header(out, mr_strdup(custom->json ? JSON_TYPE : MR_FORM_TYPE));
    if (*uuid && !has_header(custom, "Idempotency-Key"))
        mr_posting_add_header(out, mr_asprintf("Idempotency-Key: %s", uuid));
}

enum mr_code mr_custom_write(const struct mr_custom *custom, const struct mr_order *order,
                             const char *sender, struct mr_posting *out, struct mr_err *err)
{
    json_t *view = view_of(order, sender);
    struct mr_buf url = {0};
    enum mr_code code = render(custom->url, view, MR_TEMPLATE_URL, &url, err);

    if (code == MR_OK && custom->body)
        code = render(custom->body, view, custom->json ? MR_TEMPLATE_JSON : MR_TEMPLATE_URL,
                      &out->body, err);
    for (unsigned i = 0; code == MR_OK && i < custom->n_headers; i++)
        code = add_header(&custom->headers[i], view, out, err);
    out->method = custom->method;
    out->url = mr_buf_steal(&url);
    add_own_headers(custom, order->uuid, out);
    json_decref(view);
    return code;
}

/* ---- the answer ---- */

/* The member that path leads to: names and places in lists, parted by dots. */
static const json_t *find(const json_t *body, const char *path)
{
    while (body && *path) {
        size_t len = strcspn(path, ".");
        char *name = mr_strndup(path, len);

        body = json_is_array(body) ? json_array_get(body, strspn(name, "0123456789") == len
                                                              ? strtoul(name, NULL, 10)
                                                              : SIZE_MAX)
                                   : json_object_get(body, name);
        free(name);
        path += len + (path[len] == '.');
    }
    return body;
}

/* A value as a condition writes it; "" for what has no such form. */
static const char *print_value(const json_t *value, char out[VALUE_MAX])
{
    out[0] = '\0';
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        snprintf(out, VALUE_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(out, VALUE_MAX, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(out, VALUE_MAX, "%s", json_is_true(value) ? "true" : "false");
    else if (json_is_null(value))
        snprintf(out, VALUE_MAX, "null");
    return out;
}

static bool holds(const json_t *body, const char *condition)
{
    size_t len = strcspn(condition, "=");
    char *path = mr_strndup(condition, len), text[VALUE_MAX];
    const json_t *value = find(body, path);
    bool equal = value && strcmp(print_value(value, text), condition + len + 1) == 0;

    free(path);
    return equal;
}

static bool any_holds(const json_t *body, const json_t *conditions)
{
    json_t *condition;
    size_t i;

    json_array_foreach(conditions, i, condition)
    {
        if (holds(body, json_string_value(condition)))
            return true;
    }
    return false;
}

static bool is_listed(const json_t *statuses, long status)
{
    json_t *one;
    size_t i;

    json_array_foreach(statuses, i, one)
    {
        if (json_integer_value(one) == status)
            return true;
    }
    return false;
}

static bool is_ok(const struct mr_custom *custom, long status, const json_t *body)
{
    bool good = custom->ok ? is_listed(custom->ok, status) : status / 100 == 2;

    return good && (!custom->ok_when || any_holds(body, custom->ok_when));
}

static void copy_member(const json_t *body, const char *path,
                        const struct mr_reply_context *context, char *out, size_t size)
{
    char value[VALUE_MAX];
    struct mr_buf shown = {0};

    if (!path)
        return;
    mr_reply_add_words(&shown, print_value(find(body, path), value), context);
    if (shown.at)
        snprintf(out, size, "%.*s", (int)mr_str_cut(shown.at, size - 1), shown.at);
    mr_buf_fini(&shown);
}

static void judge(const struct mr_custom *custom, const struct mr_http_answer *answer,
                  const json_t *body, const struct mr_reply_context *context,
                  struct mr_reply *out)
{
    const char *words = *out->code ? out->code : "without a code";
    long status = answer->status;

    if (is_ok(custom, status, body)) {
        out->end = MR_REPLY_SENT;
        copy_member(body, custom->id, context, out->id, sizeof(out->id));
    } else if (is_listed(custom->refused, status) || any_holds(body, custom->refused_when)) {
        mr_reply_say(out, MR_REPLY_REFUSED, "the provider refused it for good: %ld, %s", status,
                     words);
    } else if (!mr_reply_read_doorkeeper(answer, context, words, out)) {
        mr_reply_say(out, MR_REPLY_UNABLE,
                     "nothing sent: what answers at %s.url does not take messages: %ld, %s",
                     context->section, status, words);
    }
}

void mr_custom_read(const struct mr_custom *custom, const struct mr_http_answer *answer,
                    const struct mr_reply_context *context, struct mr_reply *out)
{
    *out = (struct mr_reply){.after_ms = -1};
    if (mr_reply_read_silence(answer, context, out))
        return;
    json_t *body = answer->truncated || !answer->body.at
                       ? NULL
                       : json_loadb(answer->body.at, answer->body.len, JSON_DECODE_ANY, NULL);
    copy_member(body, custom->code, context, out->code, sizeof(out->code));
    judge(custom, answer, body, context, out);
    if (out->end == MR_REPLY_SENT)
        out->code[0] = '\0';
    json_decref(body);
}
