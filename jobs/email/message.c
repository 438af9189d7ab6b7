#include "jobs/email/message.h"

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

static void add_part(struct mr_buf *out, const char *type, const char *text)
{
    mr_buf_printf(out,
                  "Content-Type: %s; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                  type);
    add_quoted(out, text);
}

/* A boundary holds "=_", which quoted-printable text never does (RFC 2045, 6.7). */
static void add_alternatives(struct mr_buf *out, const struct mr_mail *mail)
{
    static const char boundary[] = "=_millrace";

    mr_buf_printf(out, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\n",
                  boundary, boundary);
    add_part(out, "text/plain", mail->text);
    mr_buf_printf(out, "\r\n--%s\r\n", boundary);
    add_part(out, "text/html", mail->html);
    mr_buf_printf(out, "\r\n--%s--\r\n", boundary);
}

void mr_mail_message(const struct mr_mail *mail, struct mr_buf *out)
{
    for (unsigned i = 0; i < mail->n_headers; i++) {
        mr_buf_text(out, mail->headers[i]);
        mr_buf_text(out, "\r\n");
    }
    mr_buf_text(out, "MIME-Version: 1.0\r\n");
    if (mail->text && mail->html)
        add_alternatives(out, mail);
    else
        add_part(out, mail->text ? "text/plain" : "text/html",
                 mail->text ? mail->text : mail->html);
    if (!(out->len >= 2 && memcmp(out->at + out->len - 2, "\r\n", 2) == 0))
        mr_buf_text(out, "=\r\n"); /* a mail ends with a line end, the text as it was */
}
