#include "jobs/email/header.h"

#include "jobs/email/base64.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

enum {
    LINE_MAX = 76,   /* with an encoded word in it; others may have 78 (RFC 2047, 2) */
    WORD_FRAME = 12, /* =?utf-8?B??= */
    WORD_ROOM = 36,  /* what is left of a line where encoded words begin */
    WORD_MAX = 900,  /* a line holds 998 bytes at most (RFC 5322, 2.1.1) */
    PIECE_MAX = 60   /* characters of a parameter in one piece */
};

bool mr_header_is_plain(const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            return false;
    return !strstr(value, "=?");
}

/* Characters in the last line. */
static size_t column_of(const struct mr_buf *out)
{
    size_t n = 0;

    while (n < out->len && out->at[out->len - 1 - n] != '\n')
        n++;
    return n;
}

static void add_gap(struct mr_buf *out, size_t n_blanks, size_t len)
{
    if (column_of(out) + n_blanks + len > LINE_MAX)
        mr_buf_text(out, "\r\n");
    while (n_blanks-- > 0)
        mr_buf_char(out, ' ');
}

void mr_header_gap(struct mr_buf *out, size_t len)
{
    add_gap(out, 1, len);
}

/* How many bytes of text one encoded word takes that begins here; no character is cut in two. */
static size_t word_bytes(const struct mr_buf *out, const char *text, size_t len)
{
    size_t column = column_of(out);

    assert(column + WORD_ROOM <= LINE_MAX);
    size_t n = (LINE_MAX - column - WORD_FRAME) / 4 * 3;
    if (n >= len)
        return len;
    while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

void mr_header_words(struct mr_buf *out, const char *text)
{
    size_t left = strlen(text);

    for (const char *at = text; left > 0;) {
        if (at != text)
            mr_buf_text(out, "\r\n ");
        size_t n = word_bytes(out, at, left);

        mr_buf_text(out, "=?utf-8?B?");
        mr_base64_add(out, at, n);
        mr_buf_text(out, "?=");
        at += n;
        left -= n;
    }
}

/* Folded at blanks, of which none is lost between words; a word longer than a line stays whole. */
static void add_folded(struct mr_buf *out, const char *value)
{
    size_t n_blanks = 1;

    for (value += strspn(value, " "); *value; value += n_blanks) {
        size_t word = strcspn(value, " ");

        add_gap(out, n_blanks, word);
        mr_buf_add(out, value, word);
        value += word;
        n_blanks = strspn(value, " ");
    }
}

/* With the blanks in front of it. */
static bool has_long_word(const char *value)
{
    size_t word = 0;

    for (; word <= WORD_MAX && *value; value += word) {
        word = strspn(value, " ");
        word += strcspn(value + word, " ");
    }
    return word > WORD_MAX;
}

void mr_header_add(struct mr_buf *out, const char *name, const char *value)
{
    if (mr_header_is_plain(value) && !has_long_word(value)) {
        mr_header_add_tokens(out, name, value);
        return;
    }
    mr_buf_printf(out, "%s:", name);
    mr_header_gap(out, WORD_ROOM);
    mr_header_words(out, value);
}

void mr_header_add_tokens(struct mr_buf *out, const char *name, const char *value)
{
    mr_buf_printf(out, "%s:", name);
    add_folded(out, value);
}

/* ---- parameters ---- */

static void add_quoted(struct mr_buf *out, const char *value)
{
    mr_buf_char(out, '"');
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            mr_buf_char(out, '\\');
        mr_buf_char(out, *c);
    }
    mr_buf_char(out, '"');
}

/* attribute-char of RFC 2231. */
static bool stays(unsigned char c)
{
    return isalnum(c) || (c < 0x80 && c > 0x20 && strchr("!#$&+-.^_`{|}~", c));
}

/* name*0*=utf-8''..; name*1*=..: an octet is never cut in two. */
static void add_pieces(struct mr_buf *out, const char *name, const char *value)
{
    for (unsigned piece = 0; *value || piece == 0; piece++) {
        size_t end;

        mr_buf_printf(out, ";\r\n %s*%u*=%s", name, piece, piece == 0 ? "utf-8''" : "");
        end = out->len + PIECE_MAX;
        for (; *value && out->len < end; value++) {
            if (stays((unsigned char)*value))
                mr_buf_char(out, *value);
            else
                mr_buf_printf(out, "%%%02X", (unsigned char)*value);
        }
    }
}

void mr_header_param(struct mr_buf *out, const char *name, const char *value)
{
    if (mr_header_is_plain(value) && strlen(value) <= PIECE_MAX) {
        mr_buf_printf(out, ";\r\n %s=", name);
        add_quoted(out, value);
    } else {
        add_pieces(out, name, value);
    }
}

/* ---- what comes from a job ---- */

enum mr_code mr_header_text(const char *member, const json_t *value, const char **out,
                            struct mr_err *err)
{
    if (!json_is_string(value))
        return mr_fail(err, MR_EINVAL, "data.%s must be a string", member);
    const char *text = json_string_value(value);

    if (strlen(text) != json_string_length(value) || strpbrk(text, "\r\n"))
        return mr_fail(err, MR_EINVAL, "data.%s must not hold a line end or a NUL", member);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return mr_fail(err, MR_EINVAL, "data.%s must not hold a control character", member);
    *out = text;
    return MR_OK;
}
