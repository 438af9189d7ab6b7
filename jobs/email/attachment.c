#include "jobs/email/attachment.h"

#include "jobs/email/base64.h"
#include "jobs/email/header.h"
#include "proto/base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 255, TYPE_MAX = 127, CID_MAX = 200, MEMBER_MAX = 64 };

/* What a file's name says of its type; the rest is bytes. */
static const struct {
    const char *ending, *type;
} types[] = {
    {"csv",  "text/csv"                                                               },
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"gif",  "image/gif"                                                              },
    {"gz",   "application/gzip"                                                       },
    {"htm",  "text/html"                                                              },
    {"html", "text/html"                                                              },
    {"ics",  "text/calendar"                                                          },
    {"jpeg", "image/jpeg"                                                             },
    {"jpg",  "image/jpeg"                                                             },
    {"json", "application/json"                                                       },
    {"pdf",  "application/pdf"                                                        },
    {"png",  "image/png"                                                              },
    {"svg",  "image/svg+xml"                                                          },
    {"txt",  "text/plain"                                                             },
    {"vcf",  "text/vcard"                                                             },
    {"webp", "image/webp"                                                             },
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"      },
    {"xml",  "application/xml"                                                        },
    {"zip",  "application/zip"                                                        },
    {"zst",  "application/zstd"                                                       },
};

static const char *type_of(const char *name)
{
    const char *dot = name ? strrchr(name, '.') : NULL;

    for (size_t i = 0; dot && i < MR_COUNT(types); i++)
        if (strcasecmp(dot + 1, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* ---- one of data.attachments ---- */

/* A string, NULL where it is not given; member is its place in data. */
static enum mr_code text_of(const json_t *item, unsigned i, const char *name, const char **out,
                            struct mr_err *err)
{
    const json_t *value = json_object_get(item, name);
    char member[MEMBER_MAX];

    *out = NULL;
    if (!value || json_is_null(value))
        return MR_OK;
    snprintf(member, sizeof(member), "attachments[%u].%s", i, name);
    return mr_header_text(member, value, out, err);
}

/* token "/" token of RFC 2045; a whole message or a multipart would need an encoding of its own. */
static bool is_type(const char *type)
{
    const char *slash = strchr(type, '/');

    if (!slash || slash == type || !slash[1] || strchr(slash + 1, '/') ||
        strlen(type) > TYPE_MAX || strncasecmp(type, "multipart/", 10) == 0 ||
        strncasecmp(type, "message/", 8) == 0)
        return false;
    for (const char *c = type; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("/!#$&-^_.+", *c))
            return false;
    return true;
}

static bool is_cid(const char *cid)
{
    if (!*cid || strlen(cid) > CID_MAX)
        return false;
    for (const char *c = cid; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.@", *c))
            return false;
    return true;
}

static enum mr_code check(const struct mr_attachment *a, unsigned i, struct mr_err *err)
{
    if (!a->key == !a->base64)
        return mr_fail(
            err, MR_EINVAL,
            "data.attachments[%u] needs either storage, the key of a file, or base64", i);
    if (!a->name && !a->cid)
        return mr_fail(err, MR_EINVAL, "data.attachments[%u].name is missing", i);
    if (a->name && (!a->name[0] || strlen(a->name) > NAME_MAX_BYTES || strpbrk(a->name, "/\\")))
        return mr_fail(err, MR_EINVAL,
                       "data.attachments[%u].name must be a file's name: 1 to %d bytes without "
                       "slashes",
                       i, NAME_MAX_BYTES);
    if (!is_type(a->type))
        return mr_fail(err, MR_EINVAL,
                       "data.attachments[%u].type: \"%.80s\" is no type of a file: write "
                       "image/png",
                       i, a->type);
    if (a->cid && !is_cid(a->cid))
        return mr_fail(err, MR_EINVAL,
                       "data.attachments[%u].cid must be 1 to %d of A-Z a-z 0-9 - _ . @", i,
                       CID_MAX);
    return MR_OK;
}

static enum mr_code read_base64(struct mr_attachment *a, unsigned i, struct mr_err *err)
{
    const json_t *value = json_object_get(a->item, "base64");

    if (!value || json_is_null(value))
        return MR_OK;
    if (!json_is_string(value))
        return mr_fail(err, MR_EINVAL, "data.attachments[%u].base64 must be a string", i);
    a->base64 = json_string_value(value);
    a->base64_len = json_string_length(value);
    return MR_OK;
}

static enum mr_code read_one(struct mr_attachment *a, unsigned i, struct mr_err *err)
{
    enum mr_code code = text_of(a->item, i, "name", &a->name, err);

    if (!json_is_object(a->item))
        return mr_fail(err, MR_EINVAL, "data.attachments[%u] must be an object", i);
    if (code == MR_OK)
        code = text_of(a->item, i, "type", &a->type, err);
    if (code == MR_OK)
        code = text_of(a->item, i, "cid", &a->cid, err);
    if (code == MR_OK)
        code = text_of(a->item, i, "storage", &a->key, err);
    if (code == MR_OK)
        code = read_base64(a, i, err);
    if (code != MR_OK)
        return code;
    if (!a->type)
        a->type = type_of(a->name ? a->name : a->key);
    return check(a, i, err);
}

/* The HTML could show but one of two files of the same cid. */
static enum mr_code check_cid(const struct mr_attachments *all, struct mr_err *err)
{
    const char *cid = all->items[all->n - 1].cid;

    for (unsigned i = 0; cid && i + 1 < all->n; i++)
        if (all->items[i].cid && strcmp(all->items[i].cid, cid) == 0)
            return mr_fail(err, MR_EINVAL,
                           "data.attachments[%u].cid: \"%.80s\" is that of attachments[%u] too",
                           all->n - 1, cid, i);
    return MR_OK;
}

enum mr_code mr_attachments_read(json_t *data, struct mr_attachments *out, struct mr_err *err)
{
    json_t *list = json_object_get(data, "attachments");
    struct mr_attachments all = {0};
    size_t n = json_array_size(list);
    enum mr_code code = MR_OK;

    *out = all;
    if (!list || json_is_null(list))
        return MR_OK;
    if (!json_is_array(list) || n > MR_ATTACHMENTS_MAX)
        return mr_fail(err, MR_EINVAL, "data.attachments must be a list of at most %d files",
                       MR_ATTACHMENTS_MAX);
    all.items = mr_zalloc_array(n ? n : 1, sizeof(*all.items));
    while (code == MR_OK && all.n < n) {
        struct mr_attachment *a = &all.items[all.n];

        a->item = json_incref(json_array_get(list, all.n));
        code = read_one(a, all.n, err);
        all.n++;
        if (code == MR_OK)
            code = check_cid(&all, err);
    }
    if (code == MR_OK)
        *out = all;
    else
        mr_attachments_fini(&all);
    return code;
}

void mr_attachments_fini(struct mr_attachments *attachments)
{
    for (unsigned i = 0; i < attachments->n; i++)
        json_decref(attachments->items[i].item);
    free(attachments->items);
    *attachments = (struct mr_attachments){0};
}

unsigned mr_attachments_inline(const struct mr_attachments *attachments)
{
    unsigned n = 0;

    for (unsigned i = 0; i < attachments->n; i++)
        n += attachments->items[i].cid != NULL;
    return n;
}

/* ---- as a part ---- */

static void add_head(struct mr_buf *out, const struct mr_attachment *a)
{
    mr_buf_printf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n", a->type);
    if (a->cid)
        mr_buf_printf(out, "Content-ID: <%s>\r\n", a->cid);
    mr_buf_printf(out, "Content-Disposition: %s", a->cid ? "inline" : "attachment");
    if (a->name)
        mr_header_param(out, "filename", a->name);
    mr_buf_text(out, "\r\n\r\n");
}

struct stored {
    struct mr_base64 state;
    struct mr_buf *out;
};

static enum mr_code on_bytes(void *to, const void *bytes, size_t len, struct mr_err *err)
{
    struct stored *stored = to;

    (void)err;
    mr_base64_piece(&stored->state, stored->out, bytes, len);
    return MR_OK;
}

/* How many bytes of a file still fit, once they are base64. */
static uint64_t room_for(const struct mr_buf *out, uint64_t max_size)
{
    return out->len < max_size ? (max_size - out->len) / 78 * 57 : 0;
}

static enum mr_code add_stored(struct mr_buf *out, const struct mr_attachment *a,
                               mr_mail_fetch_fn *fetch, void *arg, uint64_t max_size,
                               struct mr_err *err)
{
    struct stored stored = {.out = out};

    if (!fetch)
        return mr_fail(err, MR_EFAULT, "attachment %.200s: no storage is configured", a->key);
    enum mr_code code = fetch(arg, a->key, room_for(out, max_size), on_bytes, &stored, err);
    if (code == MR_OK)
        mr_base64_end(&stored.state, out);
    return code;
}

enum mr_code mr_attachment_add(struct mr_buf *out, const struct mr_attachment *attachment,
                               mr_mail_fetch_fn *fetch, void *arg, uint64_t max_size,
                               struct mr_err *err)
{
    struct mr_err why;

    add_head(out, attachment);
    if (attachment->key)
        return add_stored(out, attachment, fetch, arg, max_size, err);
    if (mr_base64_lines(out, attachment->base64, attachment->base64_len, &why) == MR_OK)
        return MR_OK;
    return mr_fail(err, MR_EINVAL, "attachment \"%.100s\": base64 %s",
                   attachment->name ? attachment->name : attachment->cid, why.text);
}
