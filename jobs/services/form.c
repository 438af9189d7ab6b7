#include "jobs/services/form.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* Not isalnum: that asks the locale. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

static size_t plain_len(const char *text)
{
    size_t len = 0;

    while (is_plain(text[len]))
        len++;
    return len;
}

void mr_form_escape(struct mr_buf *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    while (true) {
        size_t len = plain_len(text);

        mr_buf_add(out, text, len);
        text += len;
        if (!*text)
            return;
        const unsigned char byte = (unsigned char)*text++;
        mr_buf_add(out, (const char[]){'%', digits[byte >> 4], digits[byte & 15]}, 3);
    }
}

void mr_form_add(struct mr_buf *form, const char *name, const char *value)
{
    if (form->len > 0)
        mr_buf_char(form, '&');
    mr_form_escape(form, name);
    mr_buf_char(form, '=');
    mr_form_escape(form, value);
}

void mr_form_add_i64(struct mr_buf *form, const char *name, int64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRId64, value);
    mr_form_add(form, name, digits);
}
