#include "jobs/email/mail.h"

#include "proto/base/mem.h"
#include "proto/base/uuid.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ADDRESS_MAX = 320, /* RFC 3696 errata: 64 of the local part, @, 255 of the domain */
    RECIPIENTS_MAX = 100,
    ENCODED_BYTES =
        42, /* of text in one encoded word: with base64 and =?utf-8?B?..?= it stays below 75 */
    LINE_MAX = 76,
};

/* ---- header lines ---- */

static bool is_plain(const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            return false;
    return !strstr(value, "=?");
}

static void add_base64(struct mr_buf *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t word = (uint32_t)bytes[i] << 16;

        word |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
        word |= i + 2 < len ? (uint32_t)bytes[i + 2] : 0;
        mr_buf_char(out, digits[word >> 18]);
        mr_buf_char(out, digits[word >> 12 & 63]);
        mr_buf_char(out, i + 1 < len ? digits[word >> 6 & 63] : '=');
        mr_buf_char(out, i + 2 < len ? digits[word & 63] : '=');
    }
}

/* Encoded words of RFC 2047, cut between characters, one a line. */
static void add_encoded(struct mr_buf *out, const char *value)
{
    size_t left = strlen(value);

    for (const char *at = value; left > 0;) {
        size_t n = left < ENCODED_BYTES ? left : ENCODED_BYTES;

        while (n < left && n > 1 && ((unsigned char)at[n] & 0xc0) == 0x80)
            n--;
        if (at != value)
            mr_buf_text(out, "\r\n ");
        mr_buf_text(out, "=?utf-8?B?");
        add_base64(out, (const unsigned char *)at, n);
        mr_buf_text(out, "?=");
        at += n;
        left -= n;
    }
}

/* Folded at blanks; a word longer than a line stays whole. */
static void add_folded(struct mr_buf *out, const char *value, size_t column)
{
    while (*value) {
        size_t word = strcspn(value, " ");

        if (column + 1 + word > LINE_MAX && column > 1) {
            mr_buf_text(out, "\r\n");
            column = 0;
        }
        if (column == 0 || out->at[out->len - 1] != ' ')
            mr_buf_char(out, ' ');
        mr_buf_add(out, value, word);
        column += 1 + word;
        value += word;
        value += strspn(value, " ");
    }
}

void mr_mail_header(struct mr_buf *out, const char *name, const char *value)
{
    mr_buf_printf(out, "%s:", name);
    if (is_plain(value)) {
        add_folded(out, value, strlen(name) + 1);
        return;
    }
    mr_buf_char(out, ' ');
    add_encoded(out, value);
}

/* ---- addresses ---- */

/* "Ann <ann@example.org>" or "ann@example.org": the bare part, borrowed. */
static struct mr_bytes bare_part(const char *address)
{
    const char *open = strrchr(address, '<');
    size_t len = strlen(address);

    if (open && address[len - 1] == '>')
        return (struct mr_bytes){open + 1, len - (size_t)(open + 1 - address) - 1};
    return (struct mr_bytes){address, len};
}

static bool is_address(struct mr_bytes bare)
{
    const char *at = memchr(bare.at, '@', bare.len);

    if (bare.len > ADDRESS_MAX || !at || at == bare.at || at + 1 == bare.at + bare.len)
        return false;
    for (size_t i = 0; i < bare.len; i++) {
        unsigned char c = (unsigned char)bare.at[i];

        if (c <= 0x20 || c == 0x7f || strchr("<>()[],;:\\\"", c) ||
            (c == '@' && bare.at + i != at))
            return false;
    }
    return true;
}

/* JSON strings may hold \r, \n and \u0000: in a header they would forge further headers. */
static enum mr_code check_text(const char *member, json_t *value, const char **out,
                               struct mr_err *err)
{
    if (!json_is_string(value))
        return mr_fail(err, MR_EINVAL, "data.%s must be a string", member);
    const char *text = json_string_value(value);

    if (strlen(text) != json_string_length(value) || strpbrk(text, "\r\n"))
        return mr_fail(err, MR_EINVAL, "data.%s must not hold a line end or a NUL", member);
    *out = text;
    return MR_OK;
}

static enum mr_code check_address(const char *member, json_t *value, const char **out,
                                  struct mr_err *err)
{
    enum mr_code code = check_text(member, value, out, err);

    if (code == MR_OK && !is_address(bare_part(*out)))
        return mr_fail(err, MR_EINVAL, "data.%s: \"%.80s\" is not an e-mail address", member,
                       *out);
    return code;
}

/* What stands before the address, without blanks at its end; where it is in quotes, what they hold. The caller's. */
static char *name_of(const char *address, size_t len)
{
    while (len > 0 && address[len - 1] == ' ')
        len--;
    if (len < 2 || address[0] != '"' || address[len - 1] != '"')
        return mr_strndup(address, len);
    char *name = mr_strndup(address + 1, len - 2), *to = name;

    for (const char *c = name; *c; c++) {
        if (*c == '\\' && c[1])
            c++;
        *to++ = *c;
    }
    *to = '\0';
    return name;
}

/* Words stay as they are; other characters, without quotes, would be read as further addresses. */
static void add_name(struct mr_buf *out, const char *name)
{
    if (!is_plain(name)) {
        add_encoded(out, name);
        return;
    }
    if (!strpbrk(name, "()<>[]:;@\\,.\"")) {
        mr_buf_text(out, name);
        return;
    }
    mr_buf_char(out, '"');
    for (const char *c = name; *c; c++) {
        if (*c == '"' || *c == '\\')
            mr_buf_char(out, '\\');
        mr_buf_char(out, *c);
    }
    mr_buf_char(out, '"');
}

/* The name in front is encoded apart from the address, which stays readable for every server. */
static void add_mailbox(struct mr_buf *out, const char *address)
{
    struct mr_bytes bare = bare_part(address);

    if (bare.at == address) {
        mr_buf_add(out, bare.at, bare.len);
        return;
    }
    char *name = name_of(address, (size_t)(bare.at - 1 - address));

    add_name(out, name);
    mr_buf_printf(out, "%s<%.*s>", *name ? " " : "", (int)bare.len, bare.at);
    free(name);
}

/* ---- the mail ---- */

static void add_line(struct mr_mail *mail, struct mr_buf *line)
{
    mail->headers = mr_realloc(mail->headers, (mail->n_headers + 1) * sizeof(*mail->headers));
    mail->headers[mail->n_headers++] = mr_buf_steal(line);
}

static void add_header(struct mr_mail *mail, const char *name, const char *value)
{
    struct mr_buf line = {0};

    mr_mail_header(&line, name, value);
    add_line(mail, &line);
}

static enum mr_code add_recipient(struct mr_mail *mail, const char *member, json_t *value,
                                  struct mr_buf *line, struct mr_err *err)
{
    const char *address;
    enum mr_code code = check_address(member, value, &address, err);

    if (code != MR_OK)
        return code;
    if (mail->n_recipients == RECIPIENTS_MAX)
        return mr_fail(err, MR_EINVAL, "data: more than %d recipients in one mail",
                       RECIPIENTS_MAX);
    struct mr_bytes bare = bare_part(address);
    mail->recipients = mr_realloc(mail->recipients, (mail->n_recipients + 1) * sizeof(char *));
    mail->recipients[mail->n_recipients++] = mr_strndup(bare.at, bare.len);
    if (line->len > 0)
        mr_buf_text(line, ",\r\n ");
    add_mailbox(line, address);
    return MR_OK;
}

/* to, cc, bcc: one address or a list of them. header NULL: the recipients are not told (bcc). */
static enum mr_code add_recipients(struct mr_mail *mail, json_t *data, const char *member,
                                   const char *header, struct mr_err *err)
{
    json_t *value = json_object_get(data, member);
    struct mr_buf boxes = {0}, line = {0};
    enum mr_code code = MR_OK;
    json_t *item;
    size_t i;

    if (!value || json_is_null(value))
        return MR_OK;
    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            code = add_recipient(mail, member, item, &boxes, err);
            if (code != MR_OK)
                goto out;
        }
    } else {
        code = add_recipient(mail, member, value, &boxes, err);
    }
    if (code == MR_OK && header && boxes.len > 0) {
        mr_buf_printf(&line, "%s: %s", header, boxes.at);
        add_line(mail, &line);
    }
out:
    mr_buf_fini(&boxes);
    return code;
}

static enum mr_code add_sender(struct mr_mail *mail, json_t *data, const char *default_from,
                               struct mr_err *err)
{
    json_t *value = json_object_get(data, "from");
    struct mr_buf line = {0};
    const char *from = default_from;

    if (value && !json_is_null(value)) {
        enum mr_code code = check_address("from", value, &from, err);

        if (code != MR_OK)
            return code;
    }
    if (!from || !is_address(bare_part(from)))
        return mr_fail(err, MR_EINVAL,
                       "data.from is missing, and email.from is not configured");
    struct mr_bytes bare = bare_part(from);
    mail->sender = mr_strndup(bare.at, bare.len);
    mr_buf_text(&line, "From: ");
    add_mailbox(&line, from);
    add_line(mail, &line);
    return MR_OK;
}

static enum mr_code add_reply_to(struct mr_mail *mail, json_t *data, struct mr_err *err)
{
    json_t *value = json_object_get(data, "reply_to");
    struct mr_buf line = {0};
    const char *address;

    if (!value || json_is_null(value))
        return MR_OK;
    enum mr_code code = check_address("reply_to", value, &address, err);
    if (code != MR_OK)
        return code;
    mr_buf_text(&line, "Reply-To: ");
    add_mailbox(&line, address);
    add_line(mail, &line);
    return MR_OK;
}

static enum mr_code add_subject(struct mr_mail *mail, json_t *data, struct mr_err *err)
{
    const char *subject;
    enum mr_code code = check_text("subject", json_object_get(data, "subject"), &subject, err);

    if (code == MR_OK)
        add_header(mail, "Subject", subject);
    return code;
}

/* Lines of a mail end in CRLF, whatever the producer's system ends its lines in. */
static char *with_crlf(const char *text)
{
    struct mr_buf out = {0};

    mr_buf_text(&out, "");
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        bool whole = end > text && end[-1] == '\r';

        mr_buf_add(&out, text, (size_t)(end - text) - whole);
        mr_buf_text(&out, "\r\n");
    }
    mr_buf_text(&out, text);
    return mr_buf_steal(&out);
}

static enum mr_code add_body(struct mr_mail *mail, json_t *data, struct mr_err *err)
{
    static const char *const members[] = {"text", "html"};
    char **const into[] = {&mail->text, &mail->html};

    for (size_t i = 0; i < MR_COUNT(members); i++) {
        json_t *value = json_object_get(data, members[i]);

        if (!value || json_is_null(value))
            continue;
        if (!json_is_string(value) ||
            strlen(json_string_value(value)) != json_string_length(value))
            return mr_fail(err, MR_EINVAL, "data.%s must be a string without NUL", members[i]);
        *into[i] = with_crlf(json_string_value(value));
    }
    if (!mail->text && !mail->html)
        return mr_fail(err, MR_EINVAL,
                       "data.text or data.html is needed: the mail has no body");
    return MR_OK;
}

/* What makes a repeated mail recognisable as the same one. */
static void add_identity(struct mr_mail *mail, const char *uuid, uint64_t now_ms)
{
    char made[MR_UUID_LEN + 1], date[64];
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    const char *domain = strrchr(mail->sender, '@') + 1;

    mr_uuid_make(made);
    char *id = mr_asprintf("<%s@%s>", *uuid ? uuid : made, domain);
    add_header(mail, "Message-ID", id);
    free(id);
    if (*uuid)
        add_header(mail, "X-Millrace-Uuid", uuid);
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    add_header(mail, "Date", date);
}

/* The uuid is the producer's, so it is data as well. */
static enum mr_code check_uuid(const char *uuid, struct mr_err *err)
{
    for (const char *c = uuid; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return mr_fail(err, MR_EINVAL,
                           "uuid: only letters, digits, '-', '_' and '.' can name a mail");
    return MR_OK;
}

enum mr_code mr_mail_read(json_t *data, const char *default_from, const char *uuid,
                          uint64_t now_ms, struct mr_mail *out, struct mr_err *err)
{
    struct mr_mail mail = {0};
    enum mr_code code = check_uuid(uuid, err);

    if (code == MR_OK && !json_is_object(data))
        code = mr_fail(err, MR_EINVAL, "data must be an object");
    if (code == MR_OK)
        code = add_sender(&mail, data, default_from, err);
    if (code == MR_OK)
        code = add_recipients(&mail, data, "to", "To", err);
    if (code == MR_OK)
        code = add_recipients(&mail, data, "cc", "Cc", err);
    if (code == MR_OK)
        code = add_recipients(&mail, data, "bcc", NULL, err);
    if (code == MR_OK && mail.n_recipients == 0)
        code = mr_fail(err, MR_EINVAL, "data.to is missing: the mail has no recipient");
    if (code == MR_OK)
        code = add_reply_to(&mail, data, err);
    if (code == MR_OK)
        code = add_subject(&mail, data, err);
    if (code == MR_OK)
        code = add_body(&mail, data, err);
    if (code != MR_OK) {
        mr_mail_fini(&mail);
        return code;
    }
    add_identity(&mail, uuid, now_ms);
    *out = mail;
    return MR_OK;
}

void mr_mail_fini(struct mr_mail *mail)
{
    if (!mail)
        return;
    for (unsigned i = 0; i < mail->n_recipients; i++)
        free(mail->recipients[i]);
    for (unsigned i = 0; i < mail->n_headers; i++)
        free(mail->headers[i]);
    free(mail->recipients);
    free(mail->headers);
    free(mail->sender);
    free(mail->text);
    free(mail->html);
    *mail = (struct mr_mail){0};
}
