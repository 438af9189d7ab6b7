/* Any data of a mail: no value ends a header's line, and no address is more than one. */
#include "jobs/email/mail.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>

/* One header: a name, and lines of which each but the first begins with a blank. */
static void check_header(const char *header)
{
    size_t name = strcspn(header, ":");

    must(name > 0 &&
         strspn(header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == name);
    must(header[name] == ':');
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_mail mail = {0};
    struct mr_err err = {0};
    json_t *data = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (!data)
        return 0;
    if (mr_mail_read(data, "Shop <shop@example.org>", "u-1", 1795437139754, &mail, &err) ==
        MR_OK) {
        must(mail.n_recipients >= 1 && mail.n_recipients <= 100 && (mail.text || mail.html));
        check_address(mail.sender);
        for (unsigned i = 0; i < mail.n_recipients; i++)
            check_address(mail.recipients[i]);
        for (unsigned i = 0; i < mail.n_headers; i++)
            check_header(mail.headers[i]);
        check_body(mail.text);
        check_body(mail.html);
    } else {
        must(err.text[0] && !mail.headers && !mail.recipients);
    }
    mr_mail_fini(&mail);
    json_decref(data);
    return 0;
}
