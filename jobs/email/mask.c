#include "jobs/email/mask.h"

#include "proto/base/str.h"

#include <stdbool.h>
#include <string.h>

/* Ends the local part of an address towards the front; all else may be part of one. */
static bool is_around(char c)
{
    return c == '\0' || strchr(" \t<>()[],;:\"'=", c) != NULL;
}

char *mr_mask_addresses(const char *text)
{
    struct mr_buf out = {0};

    mr_buf_text(&out, "");
    for (const char *at; (at = strchr(text, '@')); text = at + 1) {
        const char *local = at;

        while (local > text && !is_around(local[-1]))
            local--;
        /* "user"@host: the quotes are part of it. */
        if (local == at && at > text && at[-1] == '"')
            do
                local--;
            while (local > text && local[-1] != '"');
        size_t shown = mr_str_cut(local, local < at ? 1 : 0);

        mr_buf_add(&out, text, (size_t)(local - text) + shown);
        mr_buf_text(&out, "***@");
    }
    mr_buf_text(&out, text);
    return mr_buf_steal(&out);
}
