/* Any data of a mail: no value ends a header's line, and no address is more than one. */
#include "jobs/email/mail.h"
#include "jobs/email/message.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>

static const struct mr_mail_rules rules = {
    .from = "Shop <shop@example.org>", .max_recipients = 100, .max_size = 1 << 20};

/* The longest of its lines. */
static size_t line_max(const char *text)
{
    size_t longest = 0;

    while (*text) {
        size_t n = strcspn(text, "\n");

        longest = n > longest ? n : longest;
        text += n + (text[n] != '\0');
    }
    return longest;
}

/* One header: a name, and lines of which each but the first begins with a blank. */
static void check_header(const char *header)
{
    size_t name = strcspn(header, ":");

    must(name > 0 &&
         strspn(header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") ==
             name);
    must(header[name] == ':');
    must(line_max(header) <= 998);
    for (const char *c = header; *c; c++) {
        must(*c != '\n' || (c > header && c[-1] == '\r' && c[1] == ' '));
        must(*c != '\r' || c[1] == '\n');
    }
}

static void check_address(const char *address)
{
    const char *at = strchr(address, '@');

    must(at && at != address && at[1] && !strchr(at + 1, '@'));
    must(!strpbrk(address, "<>,; \t\r\n\"") && strlen(address) <= 320);
}

static void check_body(const char *body)
{
    for (const char *c = body; c && *c; c++)
        must(*c != '\n' || (c > body && c[-1] == '\r'));
}

/* Headers from here to the empty line that ends them: lines that do not go on with the one before. */
static unsigned count_headers(const char *at)
{
    unsigned n = 0;

    while (*at != '\r') {
        n += *at != ' ';
        must(strstr(at, "\r\n") != NULL);
        at = strstr(at, "\r\n") + 2;
    }
    return n;
}

/* Every line ends in CRLF, none is longer than mail allows, and the headers end before the body begins. */
static void check_message(const struct mr_mail *mail)
{
    struct mr_buf out = {0};
    struct mr_err err = {0};

    if (mr_mail_message(mail, NULL, NULL, rules.max_size, &out, &err) == MR_OK) {
        must(out.len <= rules.max_size && strlen(out.at) == out.len);
        must(line_max(out.at) <= 999); /* its CR counts here */
        check_body(out.at);
        /* MIME-Version, Content-Type and, without parts, Content-Transfer-Encoding */
        bool whole = mail->attachments.n == 0 && !(mail->text && mail->html);
        must(count_headers(out.at) == mail->n_headers + 2 + whole);
        for (const char *c = out.at; *c; c++)
            must(*c != '\r' || c[1] == '\n');
        must(strcmp(out.at + out.len - 2, "\r\n") == 0);
    } else {
        must(err.text[0]);
    }
    mr_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_mail mail = {0};
    struct mr_err err = {0};
    json_t *data = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (!data)
        return 0;
    if (mr_mail_read(data, &rules, "u-1", 1795437139754, &mail, &err) == MR_OK) {
        must(mail.n_recipients >= 1 && mail.n_recipients <= 100 && (mail.text || mail.html));
        check_address(mail.sender);
        for (unsigned i = 0; i < mail.n_recipients; i++)
            check_address(mail.recipients[i]);
        for (unsigned i = 0; i < mail.n_headers; i++)
            check_header(mail.headers[i]);
        check_body(mail.text);
        check_body(mail.html);
        check_message(&mail);
    } else {
        must(err.text[0] && !mail.headers && !mail.recipients);
    }
    mr_mail_fini(&mail);
    json_decref(data);
    return 0;
}
