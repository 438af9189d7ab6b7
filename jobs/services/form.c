#include "jobs/services/form.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Not isalnum: that asks the locale. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("-._~", c));
}

void mr_form_escape(struct mr_buf *out, const char *text)
{
    for (; *text; text++) {
        if (is_plain(*text))
            mr_buf_char(out, *text);
        else
            mr_buf_printf(out, "%%%02X", (unsigned char)*text);
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
