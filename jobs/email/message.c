#include "jobs/email/message.h"

#include <string.h>

enum { LINE_MAX_BYTES = 76 }; /* RFC 2045, 6.7 */

static bool is_plain(unsigned char c)
{
    return c == ' ' || c == '\t' || (c > ' ' && c < 127 && c != '=');
}

/* A soft line end, where n more characters have no room before a last "=". */
static void make_room(struct mr_buf *out, size_t *column, size_t n)
{
    if (*column + n < LINE_MAX_BYTES)
        return;
    mr_buf_text(out, "=\r\n");
    *column = 0;
}

/* Lines of text end in CRLF. A space before a line end would not survive the way. */
static void add_quoted(struct mr_buf *out, const char *text)
{
    size_t column = 0;

    for (const char *c = text; *c; c++) {
        bool at_end =
            (*c == ' ' || *c == '\t') && (c[1] == '\0' || strncmp(c + 1, "\r\n", 2) == 0);

        if (c[0] == '\r' && c[1] == '\n') {
            mr_buf_text(out, "\r\n");
            column = 0;
            c++;
        } else if (is_plain((unsigned char)*c) && !at_end) {
            make_room(out, &column, 1);
            mr_buf_char(out, *c);
            column++;
        } else {
            make_room(out, &column, 3);
            mr_buf_printf(out, "=%02X", (unsigned char)*c);
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
