#include "jobs/email/mail.h"

#include "jobs/email/address.h"
#include "jobs/email/extras.h"
#include "jobs/email/header.h"
#include "proto/base/mem.h"
#include "proto/base/uuid.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { REPLY_TO_MAX = 10, UUID_MAX = 200 };

static void add_line(struct mr_mail *mail, struct mr_buf *line)
{
    mail->headers = mr_realloc(mail->headers, (mail->n_headers + 1) * sizeof(*mail->headers));
    mail->headers[mail->n_headers++] = mr_buf_steal(line);
}

static void add_header(struct mr_mail *mail, const char *name, const char *value)
{
    struct mr_buf line = {0};

    mr_header_add(&line, name, value);
    add_line(mail, &line);
}

/* Appends a mailbox to a header that has others, or its name and a blank alone. */
static void add_to_list(struct mr_buf *line, const struct mr_mailbox *box)
{
    if (line->len > 0 && line->at[line->len - 1] != ' ')
        mr_buf_text(line, ",\r\n ");
    mr_mailbox_add(line, box);
}

/* The same mailbox: domains know no upper case, what is in front of the @ may. */
static bool has_recipient(const struct mr_mail *mail, const char *address)
{
    size_t local = strcspn(address, "@");

    for (unsigned i = 0; i < mail->n_recipients; i++)
        if (strncmp(mail->recipients[i], address, local + 1) == 0 &&
            strcasecmp(mail->recipients[i] + local, address + local) == 0)
            return true;
    return false;
}

static void add_address(struct mr_mail *mail, const char *address)
{
    mail->recipients = mr_realloc(mail->recipients, (mail->n_recipients + 1) * sizeof(char *));
    mail->recipients[mail->n_recipients++] = mr_strdup(address);
}

/* A mailbox of to, cc or bcc; line gets it as the header tells it. */
static enum mr_code add_recipient(struct mr_mail *mail, const struct mr_mail_rules *rules,
                                  const char *member, json_t *value, struct mr_buf *line,
                                  struct mr_err *err)
{
    struct mr_mailbox box = {0};
    enum mr_code code = mr_mailbox_read(member, value, &box, err);

    if (code != MR_OK)
        return code;
    if (mail->n_named++ == rules->max_recipients) {
        mr_mailbox_fini(&box);
        return mr_fail(err, MR_EINVAL,
                       "data: more than %u recipients in one mail (email.max_recipients)",
                       rules->max_recipients);
    }
    if (!has_recipient(mail, box.address))
        add_address(mail, box.address);
    add_to_list(line, &box);
    mr_mailbox_fini(&box);
    return MR_OK;
}

/* One mailbox or a list of them: the i-th, NULL behind the last. */
static json_t *nth(json_t *value, size_t i)
{
    if (json_is_array(value))
        return json_array_get(value, i);
    return i == 0 && !json_is_null(value) ? value : NULL;
}

/* to, cc, bcc. The recipients of bcc are not told. */
static enum mr_code add_recipients(struct mr_mail *mail, const struct mr_mail_rules *rules,
                                   json_t *data, const char *member, const char *header,
                                   struct mr_err *err)
{
    json_t *value = json_object_get(data, member), *one;
    unsigned n_before = mail->n_named;
    struct mr_buf line = {0};
    enum mr_code code = MR_OK;

    mr_buf_printf(&line, "%s: ", header ? header : member);
    for (size_t i = 0; code == MR_OK && (one = nth(value, i)); i++)
        code = add_recipient(mail, rules, member, one, &line, err);
    if (code == MR_OK && header && mail->n_named > n_before)
        add_line(mail, &line);
    mr_buf_fini(&line);
    return code;
}

static enum mr_code add_sender(struct mr_mail *mail, json_t *data,
                               const struct mr_mail_rules *rules, struct mr_err *err)
{
    json_t *value = json_object_get(data, "from");
    struct mr_buf line = {0};
    struct mr_mailbox box = {0};
    enum mr_code code;

    if (value && !json_is_null(value))
        code = mr_mailbox_read("from", value, &box, err);
    else if (rules->from)
        code = mr_mailbox_of("email.from", rules->from, &box, err);
    else
        code =
            mr_fail(err, MR_EINVAL, "data.from is missing, and email.from is not configured");
    if (code != MR_OK)
        return code;
    mail->sender = mr_strdup(box.address);
    mr_buf_text(&line, "From: ");
    mr_mailbox_add(&line, &box);
    add_line(mail, &line);
    mr_mailbox_fini(&box);
    return MR_OK;
}

static enum mr_code add_reply_to(struct mr_mail *mail, json_t *data, struct mr_err *err)
{
    json_t *value = json_object_get(data, "reply_to"), *one;
    struct mr_buf line = {0};
    enum mr_code code = MR_OK;

    if (json_array_size(value) > REPLY_TO_MAX)
        return mr_fail(err, MR_EINVAL, "data.reply_to: more than %d addresses", REPLY_TO_MAX);
    mr_buf_text(&line, "Reply-To: ");
    size_t n_before = line.len;
    for (size_t i = 0; code == MR_OK && (one = nth(value, i)); i++) {
        struct mr_mailbox box = {0};

        code = mr_mailbox_read("reply_to", one, &box, err);
        if (code != MR_OK)
            break;
        add_to_list(&line, &box);
        mr_mailbox_fini(&box);
    }
    if (code == MR_OK && line.len > n_before)
        add_line(mail, &line);
    mr_buf_fini(&line);
    return code;
}

static enum mr_code add_subject(struct mr_mail *mail, json_t *data, struct mr_err *err)
{
    const char *subject;
    enum mr_code code =
        mr_header_text("subject", json_object_get(data, "subject"), &subject, err);

    if (code == MR_OK)
        add_header(mail, "Subject", subject);
    return code;
}

/*
 * Lines of a mail end in CRLF, whatever the producer's system ends its lines in; a lone CR is a line end as well, for servers
 * differ in what they make of one, and a text must not look like the end of a mail to any of them.
 */
static char *with_crlf(const char *text)
{
    struct mr_buf out = {0};

    while (*text) {
        size_t n = strcspn(text, "\r\n");

        mr_buf_add(&out, text, n);
        text += n;
        if (!*text)
            break;
        mr_buf_text(&out, "\r\n");
        text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    }
    return mr_buf_steal(&out);
}

static void add_extra(void *arg, struct mr_buf *taken)
{
    add_line(arg, taken);
}

static enum mr_code add_attachments(struct mr_mail *mail, json_t *data, struct mr_err *err)
{
    enum mr_code code = mr_attachments_read(data, &mail->attachments, err);

    if (code == MR_OK && !mail->html && mr_attachments_inline(&mail->attachments) > 0)
        return mr_fail(
            err, MR_EINVAL,
            "data.attachments: a file with a cid is shown within data.html, which is "
            "missing");
    return code;
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

/* What nobody is told of: a header To there is all the same, for filters that think little of a mail without one. */
static void add_undisclosed(struct mr_mail *mail)
{
    for (unsigned i = 0; i < mail->n_headers; i++)
        if (strncmp(mail->headers[i], "To:", 3) == 0 ||
            strncmp(mail->headers[i], "Cc:", 3) == 0)
            return;
    add_header(mail, "To", "undisclosed-recipients:;");
}

/* What makes a repeated mail recognisable as the same one. */
static void add_identity(struct mr_mail *mail, const char *uuid, uint64_t now_ms)
{
    char made[MR_UUID_LEN + 1], date[64];
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    const char *domain = strrchr(mail->sender, '@') + 1;

    if (!*uuid)
        mr_uuid_make(made);
    char *id = mr_asprintf("<%s@%s>", *uuid ? uuid : made, domain);
    struct mr_buf line = {0};
    mr_header_add_tokens(&line, "Message-ID", id);
    add_line(mail, &line);
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
    if (strlen(uuid) > UUID_MAX)
        return mr_fail(err, MR_EINVAL, "uuid: more than %d bytes cannot name a mail", UUID_MAX);
    for (const char *c = uuid; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return mr_fail(err, MR_EINVAL,
                           "uuid: only letters, digits, '-', '_' and '.' can name a mail");
    return MR_OK;
}

/* In the order in which a person would look for what is wrong. */
static enum mr_code read_all(json_t *data, const struct mr_mail_rules *rules,
                             struct mr_mail *mail, struct mr_err *err)
{
    enum mr_code code = add_sender(mail, data, rules, err);

    if (code == MR_OK)
        code = add_recipients(mail, rules, data, "to", "To", err);
    if (code == MR_OK)
        code = add_recipients(mail, rules, data, "cc", "Cc", err);
    if (code == MR_OK)
        code = add_recipients(mail, rules, data, "bcc", NULL, err);
    if (code == MR_OK && mail->n_recipients == 0)
        code = mr_fail(err, MR_EINVAL, "data.to is missing: the mail has no recipient");
    if (code == MR_OK)
        add_undisclosed(mail);
    if (code == MR_OK)
        code = add_reply_to(mail, data, err);
    if (code == MR_OK)
        code = add_subject(mail, data, err);
    if (code == MR_OK)
        code = mr_mail_extras(data, add_extra, mail, err);
    if (code == MR_OK)
        code = add_body(mail, data, err);
    if (code == MR_OK)
        code = add_attachments(mail, data, err);
    return code;
}

enum mr_code mr_mail_read(json_t *data, const struct mr_mail_rules *rules, const char *uuid,
                          uint64_t now_ms, struct mr_mail *out, struct mr_err *err)
{
    struct mr_mail mail = {0};
    enum mr_code code = check_uuid(uuid, err);

    if (code == MR_OK && !json_is_object(data))
        code = mr_fail(err, MR_EINVAL, "data must be an object");
    if (code == MR_OK)
        code = read_all(data, rules, &mail, err);
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
    mr_attachments_fini(&mail->attachments);
    *mail = (struct mr_mail){0};
}
