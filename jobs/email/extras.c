#include "jobs/email/extras.h"

#include "jobs/email/header.h"
#include "proto/base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 50, NAME_MAX_BYTES = 76, IDS_MAX = 50, ID_MAX = 500, URL_MAX = 900 };

struct work {
    json_t *data;
    void (*add)(void *arg, struct mr_buf *taken);
    void *arg;
};

static void add(const struct work *work, const char *name, const char *value)
{
    struct mr_buf line = {0};

    mr_header_add(&line, name, value);
    work->add(work->arg, &line);
}

/* What programs read. */
static void add_tokens(const struct work *work, const char *name, const char *value)
{
    struct mr_buf line = {0};

    mr_header_add_tokens(&line, name, value);
    work->add(work->arg, &line);
}

static json_t *given(const struct work *work, const char *member)
{
    json_t *value = json_object_get(work->data, member);

    return json_is_null(value) ? NULL : value;
}

/* ---- headers of the job's own ---- */

/* What a mail has already, and by which member; NULL: it is not to be set by anybody. */
static const struct {
    const char *name, *member;
} taken[] = {
    {"From",                   "from"            },
    {"To",                     "to"              },
    {"Cc",                     "cc"              },
    {"Bcc",                    "bcc"             },
    {"Reply-To",               "reply_to"        },
    {"Subject",                "subject"         },
    {"Importance",             "priority"        },
    {"Priority",               "priority"        },
    {"X-Priority",             "priority"        },
    {"List-Unsubscribe",       "list_unsubscribe"},
    {"List-Unsubscribe-Post",  "list_unsubscribe"},
    {"In-Reply-To",            "in_reply_to"     },
    {"References",             "references"      },
    {"Sender",                 NULL              },
    {"Date",                   NULL              },
    {"Message-ID",             NULL              },
    {"MIME-Version",           NULL              },
    {"Return-Path",            NULL              },
    {"Received",               NULL              },
    {"Delivered-To",           NULL              },
    {"DKIM-Signature",         NULL              },
    {"Authentication-Results", NULL              },
    {"X-Millrace-Uuid",        NULL              },
};

static enum mr_code check_name(const char *name, struct mr_err *err)
{
    size_t len =
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    if (len == 0 || name[len] || len > NAME_MAX_BYTES)
        return mr_fail(err, MR_EINVAL,
                       "data.headers: \"%.80s\" is no header's name: 1 to %d of A-Z a-z 0-9 -",
                       name, NAME_MAX_BYTES);
    for (size_t i = 0; i < MR_COUNT(taken); i++) {
        if (strcasecmp(name, taken[i].name) != 0)
            continue;
        if (taken[i].member)
            return mr_fail(err, MR_EINVAL, "data.headers: %s is written by data.%s", name,
                           taken[i].member);
        return mr_fail(err, MR_EINVAL, "data.headers: %s is not a job's to set", name);
    }
    if (strncasecmp(name, "Content-", 8) == 0 || strncasecmp(name, "Resent-", 7) == 0 ||
        strncasecmp(name, "ARC-", 4) == 0)
        return mr_fail(err, MR_EINVAL, "data.headers: %s is not a job's to set", name);
    return MR_OK;
}

static enum mr_code add_own(const struct work *work, struct mr_err *err)
{
    json_t *headers = given(work, "headers"), *value;
    const char *name, *text;
    char member[100];

    if (!headers)
        return MR_OK;
    if (!json_is_object(headers) || json_object_size(headers) > HEADERS_MAX)
        return mr_fail(err, MR_EINVAL,
                       "data.headers must be an object of at most %d names and values",
                       HEADERS_MAX);
    json_object_foreach(headers, name, value)
    {
        enum mr_code code = check_name(name, err);

        snprintf(member, sizeof(member), "headers.%s", name);
        if (code == MR_OK)
            code = mr_header_text(member, value, &text, err);
        if (code != MR_OK)
            return code;
        add(work, name, text);
    }
    return MR_OK;
}

/* ---- priority: three headers, for three kinds of readers ---- */

static enum mr_code add_priority(const struct work *work, struct mr_err *err)
{
    json_t *value = given(work, "priority");
    const char *priority = json_string_value(value);

    if (!value || (priority && strcmp(priority, "normal") == 0))
        return MR_OK;
    if (!priority || (strcmp(priority, "high") != 0 && strcmp(priority, "low") != 0))
        return mr_fail(err, MR_EINVAL, "data.priority must be \"high\", \"normal\" or \"low\"");
    bool high = *priority == 'h';
    add_tokens(work, "X-Priority", high ? "1" : "5");
    add_tokens(work, "Importance", priority);
    add_tokens(work, "Priority", high ? "urgent" : "non-urgent");
    return MR_OK;
}

/* ---- unsubscribing ---- */

static bool is_url(const char *url, const char *scheme)
{
    size_t len = strlen(url);

    if (strncmp(url, scheme, strlen(scheme)) != 0 || len == strlen(scheme) || len > URL_MAX)
        return false;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c > 0x7e || strchr("<>,\"", *c))
            return false;
    return true;
}

static enum mr_code add_way(json_t *value, const char *member, const char *scheme,
                            struct mr_buf *ways, struct mr_err *err)
{
    const char *url;

    if (!value || json_is_null(value))
        return MR_OK;
    enum mr_code code = mr_header_text(member, value, &url, err);
    if (code != MR_OK)
        return code;
    if (!is_url(url, scheme))
        return mr_fail(err, MR_EINVAL, "data.%s must begin with %s, without blanks or <>",
                       member, scheme);
    mr_buf_printf(ways, "%s<%s>", ways->len > 0 ? ", " : "", url);
    return MR_OK;
}

/* {url?, mailto?, one_click?}: one_click says that a POST to url does it, without asking anything (RFC 8058). */
static enum mr_code add_unsubscribe(const struct work *work, struct mr_err *err)
{
    json_t *value = given(work, "list_unsubscribe");
    struct mr_buf ways = {0};

    if (!value)
        return MR_OK;
    if (!json_is_object(value))
        return mr_fail(err, MR_EINVAL,
                       "data.list_unsubscribe must be an object {url?, mailto?, one_click?}");
    json_t *url = json_object_get(value, "url");
    bool one_click = json_is_true(json_object_get(value, "one_click"));
    enum mr_code code = add_way(url, "list_unsubscribe.url", "https://", &ways, err);

    if (code == MR_OK)
        code = add_way(json_object_get(value, "mailto"), "list_unsubscribe.mailto",
                       "mailto:", &ways, err);
    if (code == MR_OK && (ways.len == 0 || (one_click && !json_is_string(url))))
        code = mr_fail(err, MR_EINVAL, "data.list_unsubscribe needs a url%s",
                       one_click ? "" : " or a mailto");
    if (code == MR_OK)
        add_tokens(work, "List-Unsubscribe", ways.at);
    if (code == MR_OK && one_click)
        add_tokens(work, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    mr_buf_fini(&ways);
    return code;
}

/* ---- the thread it belongs to ---- */

static bool is_id(const char *id)
{
    size_t len = strlen(id);

    if (len < 5 || len > ID_MAX || id[0] != '<' || id[len - 1] != '>' || !strchr(id, '@'))
        return false;
    for (size_t i = 1; i < len - 1; i++)
        if ((unsigned char)id[i] <= 0x20 || (unsigned char)id[i] > 0x7e || strchr("<>", id[i]))
            return false;
    return true;
}

static enum mr_code add_id(const char *member, json_t *value, struct mr_buf *ids,
                           struct mr_err *err)
{
    const char *id;
    enum mr_code code = mr_header_text(member, value, &id, err);

    if (code == MR_OK && !is_id(id))
        return mr_fail(err, MR_EINVAL, "data.%s: \"%.80s\" is no Message-ID: write <x@y>",
                       member, id);
    if (code == MR_OK)
        mr_buf_printf(ids, "%s%s", ids->len > 0 ? " " : "", id);
    return code;
}

static enum mr_code add_ids(const struct work *work, const char *member, const char *header,
                            struct mr_err *err)
{
    json_t *value = given(work, member);
    struct mr_buf ids = {0};
    enum mr_code code = MR_OK;

    if (!value)
        return MR_OK;
    if (!json_is_array(value))
        code = add_id(member, value, &ids, err);
    else if (json_array_size(value) > IDS_MAX)
        code = mr_fail(err, MR_EINVAL, "data.%s: more than %d of them", member, IDS_MAX);
    for (size_t i = 0; code == MR_OK && i < json_array_size(value); i++)
        code = add_id(member, json_array_get(value, i), &ids, err);
    if (code == MR_OK && ids.len > 0)
        add_tokens(work, header, ids.at);
    mr_buf_fini(&ids);
    return code;
}

enum mr_code mr_mail_extras(json_t *data, void (*add_line)(void *arg, struct mr_buf *taken),
                            void *arg, struct mr_err *err)
{
    struct work work = {data, add_line, arg};
    enum mr_code code = add_priority(&work, err);

    if (code == MR_OK)
        code = add_unsubscribe(&work, err);
    if (code == MR_OK)
        code = add_ids(&work, "in_reply_to", "In-Reply-To", err);
    if (code == MR_OK)
        code = add_ids(&work, "references", "References", err);
    if (code == MR_OK)
        code = add_own(&work, err);
    return code;
}
