#include "proto/config_errors.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Takes line. */
static void add_line(struct mr_config_errors *errors, char *line)
{
    errors->lines = mr_realloc(errors->lines, (errors->n_lines + 1) * sizeof(*errors->lines));
    errors->lines[errors->n_lines++] = line;
}

void mr_config_errors_add(struct mr_config_errors *errors, struct mr_place at,
                          const char *format, ...)
{
    struct mr_buf line = {0};
    char what[1024];
    va_list args;

    if (errors->n_lines > MR_CONFIG_ERRORS_MAX)
        return;
    if (errors->n_lines == MR_CONFIG_ERRORS_MAX) {
        add_line(errors, mr_strdup("... and more; mend these first"));
        return;
    }
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    mr_buf_text(&line, at.origin);
    if (at.line)
        mr_buf_printf(&line, ":%u:%u", at.line, at.column);
    mr_buf_printf(&line, ": %s", what);
    add_line(errors, mr_buf_steal(&line));
}

void mr_config_errors_fini(struct mr_config_errors *errors)
{
    if (!errors)
        return;
    for (unsigned i = 0; i < errors->n_lines; i++)
        free(errors->lines[i]);
    free(errors->lines);
    *errors = (struct mr_config_errors){0};
}
