#include "jobs/email/message.h"

#include "jobs/email/base64.h"

#include <inttypes.h>
#include <string.h>

enum { LINE_MAX_BYTES = 76 }; /* RFC 2045, 6.7 */

static bool is_plain(unsigned char c)
{
    return c == ' ' || c == '\t' || (c > ' ' && c < 127 && c != '=');
}

/* How many characters from here on stand for themselves. A space before a line end would not survive the way. */
static size_t plain_len(const char *text)
{
    size_t len = 0;

    while (is_plain((unsigned char)text[len]))
        len++;
    bool at_end = text[len] == '\0' || text[len] == '\r';
    return at_end && len > 0 && text[len - 1] <= ' ' ? len - 1 : len;
}

/* A soft line end, where n more characters have no room before a last "=". */
static void make_room(struct mr_buf *out, size_t *column, size_t n)
{
    if (*column + n < LINE_MAX_BYTES)
        return;
    mr_buf_text(out, "=\r\n");
    *column = 0;
}

static void add_plain(struct mr_buf *out, size_t *column, const char *text, size_t len)
{
    while (len > 0) {
        make_room(out, column, 1);
        size_t room = LINE_MAX_BYTES - 1 - *column, n = len < room ? len : room;

        mr_buf_add(out, text, n);
        *column += n;
        text += n;
        len -= n;
    }
}

/* Lines of text end in CRLF. */
static void add_quoted(struct mr_buf *out, const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t len = plain_len(text);

        add_plain(out, &column, text, len);
        text += len;
        if (text[0] == '\r' && text[1] == '\n') {
            mr_buf_text(out, "\r\n");
            column = 0;
            text += 2;
        } else if (*text) {
            make_room(out, &column, 3);
            mr_buf_printf(out, "=%02X", (unsigned char)*text++);
            column += 3;
        }
    }
}

/* Which of the two encodings is shorter: the first can be read by people, too. */
static bool is_mostly_ascii(const char *text)
{
    size_t n = 0, n_odd = 0;

    for (const char *c = text; *c; c++, n++)
        n_odd += !is_plain((unsigned char)*c) && *c != '\r' && *c != '\n';
    return n_odd * 6 <= n + 6; /* 2 more characters each, against a third of all */
}

static void add_text_part(struct mr_buf *out, const char *type, const char *text)
{
    bool quoted = is_mostly_ascii(text);
    struct mr_base64 state = {0};

    mr_buf_printf(out,
                  "Content-Type: %s; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: %s\r\n\r\n",
                  type, quoted ? "quoted-printable" : "base64");
    if (quoted) {
        add_quoted(out, text);
        return;
    }
    mr_base64_piece(&state, out, text, strlen(text));
    mr_base64_end(&state, out);
}

/* ---- the tree of parts ---- */

/* Boundaries hold "=_", which neither encoding ever does (RFC 2045, 6.7). */
static const char mixed[] = "=_millrace-mixed";
static const char alternative[] = "=_millrace-alternative";
static const char related[] = "=_millrace-related";

struct tree {
    const struct mr_mail *mail;
    mr_mail_fetch_fn *fetch;
    void *arg;
    uint64_t max_size;
    struct mr_buf *out;
    struct mr_err *err;
};

static void open_multipart(const struct tree *tree, const char *kind, const char *more,
                           const char *boundary)
{
    mr_buf_printf(tree->out, "Content-Type: multipart/%s;%s\r\n boundary=\"%s\"\r\n", kind,
                  more, boundary);
}

static void next_part(const struct tree *tree, const char *boundary)
{
    mr_buf_printf(tree->out, "\r\n--%s\r\n", boundary);
}

static void close_multipart(const struct tree *tree, const char *boundary)
{
    mr_buf_printf(tree->out, "\r\n--%s--\r\n", boundary);
}

/* The files that are shown within the HTML, or those beside it. */
static enum mr_code add_files(const struct tree *tree, bool shown, const char *boundary)
{
    const struct mr_attachments *files = &tree->mail->attachments;
    enum mr_code code = MR_OK;

    for (unsigned i = 0; code == MR_OK && i < files->n; i++) {
        if ((files->items[i].cid != NULL) != shown)
            continue;
        next_part(tree, boundary);
        code = mr_attachment_add(tree->out, &files->items[i], tree->fetch, tree->arg,
                                 tree->max_size, tree->err);
    }
    return code;
}

static enum mr_code add_html(const struct tree *tree)
{
    if (mr_attachments_inline(&tree->mail->attachments) == 0) {
        add_text_part(tree->out, "text/html", tree->mail->html);
        return MR_OK;
    }
    open_multipart(tree, "related", " type=\"text/html\";", related);
    next_part(tree, related);
    add_text_part(tree->out, "text/html", tree->mail->html);
    enum mr_code code = add_files(tree, true, related);
    close_multipart(tree, related);
    return code;
}

static enum mr_code add_bodies(const struct tree *tree)
{
    if (!tree->mail->html) {
        add_text_part(tree->out, "text/plain", tree->mail->text);
        return MR_OK;
    }
    if (!tree->mail->text)
        return add_html(tree);
    open_multipart(tree, "alternative", "", alternative);
    next_part(tree, alternative);
    add_text_part(tree->out, "text/plain", tree->mail->text);
    next_part(tree, alternative);
    enum mr_code code = add_html(tree);
    close_multipart(tree, alternative);
    return code;
}

static enum mr_code add_tree(const struct tree *tree)
{
    const struct mr_attachments *files = &tree->mail->attachments;

    if (mr_attachments_inline(files) == files->n)
        return add_bodies(tree);
    open_multipart(tree, "mixed", "", mixed);
    next_part(tree, mixed);
    enum mr_code code = add_bodies(tree);
    if (code == MR_OK)
        code = add_files(tree, false, mixed);
    close_multipart(tree, mixed);
    return code;
}

enum mr_code mr_mail_message(const struct mr_mail *mail, mr_mail_fetch_fn *fetch, void *arg,
                             uint64_t max_size, struct mr_buf *out, struct mr_err *err)
{
    struct tree tree = {mail, fetch, arg, max_size, out, err};

    for (unsigned i = 0; i < mail->n_headers; i++) {
        mr_buf_text(out, mail->headers[i]);
        mr_buf_text(out, "\r\n");
    }
    mr_buf_text(out, "MIME-Version: 1.0\r\n");
    enum mr_code code = add_tree(&tree);
    if (code != MR_OK)
        return code;
    if (!(out->len >= 2 && memcmp(out->at + out->len - 2, "\r\n", 2) == 0))
        mr_buf_text(out, "=\r\n"); /* a mail ends with a line end, the text as it was */
    if (out->len > max_size)
        return mr_fail(err, MR_EINVAL,
                       "the mail has %zu bytes, and email.max_size allows %" PRIu64, out->len,
                       max_size);
    return MR_OK;
}
