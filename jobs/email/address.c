#include "jobs/email/address.h"

#include "jobs/email/header.h"
#include "proto/base/mem.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

enum {
    ADDRESS_MAX = 320, /* RFC 3696 errata: 64 of the local part, @, 255 of the domain */
    NAME_PLAIN_MAX =
        60 /* a longer one is cut into encoded words, so that its line can be folded */
};

/* ---- the bare address ---- */

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text > 0x7e)
            return false;
    return true;
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

/* The domain as the name system knows it (RFC 5891, UTS 46); NULL when it has no such form. */
static char *to_idna(const char *domain)
{
    char *ascii = NULL;

    if (is_ascii(domain))
        return mr_strdup(domain);
    if (idn2_to_ascii_8z(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    char *copy = mr_strdup(ascii);
    idn2_free(ascii);
    return copy;
}

/* what: "data.to", to begin the message with. */
static enum mr_code set_address(struct mr_mailbox *box, const char *what, struct mr_bytes bare,
                                struct mr_err *err)
{
    if (memchr(bare.at, '"', bare.len) && memchr(bare.at, '@', bare.len))
        return mr_fail(err, MR_EINVAL,
                       "%s: what is in front of the @ is in quotes, which few mail servers "
                       "deliver",
                       what);
    if (!is_address(bare))
        return mr_fail(err, MR_EINVAL, "%s: \"%.*s\" is not an e-mail address", what,
                       (int)(bare.len < 80 ? bare.len : 80), bare.at);
    char *address = mr_strndup(bare.at, bare.len), *at = strchr(address, '@');
    enum mr_code code = MR_OK;

    *at = '\0';
    char *domain = to_idna(at + 1);
    if (!is_ascii(address))
        code = mr_fail(err, MR_EINVAL,
                       "%s: \"%.80s\" in front of the @ is not ASCII: not every mail server "
                       "could deliver it",
                       what, address);
    else if (!domain || strlen(address) + 1 + strlen(domain) > ADDRESS_MAX)
        code = mr_fail(err, MR_EINVAL, "%s: \"%.80s\" cannot be a domain", what, at + 1);
    else
        box->address = mr_asprintf("%s@%s", address, domain);
    free(domain);
    free(address);
    return code;
}

/* ---- reading ---- */

/* "Ann <ann@example.org>" or "ann@example.org": the bare part, borrowed. */
static struct mr_bytes bare_part(const char *text)
{
    const char *open = strrchr(text, '<');
    size_t len = strlen(text);

    if (open && text[len - 1] == '>')
        return (struct mr_bytes){open + 1, len - (size_t)(open + 1 - text) - 1};
    return (struct mr_bytes){text, len};
}

/* What stands before the address, without blanks at its end; where it is in quotes, what they hold. The caller's. */
static char *name_of(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] == ' ')
        len--;
    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return mr_strndup(text, len);
    char *name = mr_strndup(text + 1, len - 2), *to = name;

    for (const char *c = name; *c; c++) {
        if (*c == '\\' && c[1])
            c++;
        *to++ = *c;
    }
    *to = '\0';
    return name;
}

enum mr_code mr_mailbox_of(const char *what, const char *text, struct mr_mailbox *out,
                           struct mr_err *err)
{
    struct mr_bytes bare = bare_part(text);
    enum mr_code code;

    *out = (struct mr_mailbox){.angled = bare.at != text};
    code = set_address(out, what, bare, err);
    if (code == MR_OK && out->angled)
        out->name = name_of(text, (size_t)(bare.at - 1 - text));
    return code;
}

static enum mr_code read_object(const char *member, const json_t *value, struct mr_mailbox *out,
                                struct mr_err *err)
{
    const json_t *name = json_object_get(value, "name");
    const char *address, *text = NULL;
    char *inner = mr_asprintf("%s.address", member), *what = NULL;
    enum mr_code code = mr_header_text(inner, json_object_get(value, "address"), &address, err);

    if (code == MR_OK) {
        what = mr_asprintf("data.%s", inner);
        code = set_address(out, what, mr_bytes_of(address), err);
    }
    free(inner);
    free(what);
    inner = mr_asprintf("%s.name", member);
    if (code == MR_OK && name && !json_is_null(name))
        code = mr_header_text(inner, name, &text, err);
    free(inner);
    if (code == MR_OK && text) {
        out->name = mr_strdup(text);
        out->angled = true;
    }
    return code;
}

enum mr_code mr_mailbox_read(const char *member, json_t *value, struct mr_mailbox *out,
                             struct mr_err *err)
{
    const char *text;
    enum mr_code code;

    *out = (struct mr_mailbox){0};
    if (json_is_object(value)) {
        code = read_object(member, value, out, err);
    } else {
        code = mr_header_text(member, value, &text, err);
        if (code == MR_OK) {
            char *what = mr_asprintf("data.%s", member);

            code = mr_mailbox_of(what, text, out, err);
            free(what);
        }
    }
    if (code != MR_OK)
        mr_mailbox_fini(out);
    return code;
}

void mr_mailbox_fini(struct mr_mailbox *box)
{
    free(box->name);
    free(box->address);
    *box = (struct mr_mailbox){0};
}

/* ---- writing ---- */

/* Words stay as they are; other characters, without quotes, would be read as further addresses. */
static void add_name(struct mr_buf *out, const char *name)
{
    if (!mr_header_is_plain(name) || strlen(name) > NAME_PLAIN_MAX) {
        mr_header_words(out, name);
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

void mr_mailbox_add(struct mr_buf *out, const struct mr_mailbox *box)
{
    if (!box->angled) {
        mr_buf_text(out, box->address);
        return;
    }
    if (box->name && box->name[0]) {
        add_name(out, box->name);
        mr_header_gap(out, strlen(box->address) + 2);
    }
    mr_buf_printf(out, "<%s>", box->address);
}
