/*
 * Texts with places to fill: a subset of mustache over jansson values. A template is compiled once and rendered by any number of threads.
 *
 *   {{x}} {{x.y}} {{.}}        a value, escaped as the target wants it     {{{x}}} {{&x}}   the same, as it is
 *   {{#x}}..{{/x}}             for each item of an array, once for any other value, not at all for null, false, "" and []
 *   {{^x}}..{{/x}}             when the above would not be                 {{! nothing }}   {{> partial}}
 *   {{=<% %>=}}                from here to the end of this file a tag is <%x%>, each delimiter 1 to 16 bytes without blank and '='
 *
 * A name is looked for in the value of the innermost section first, then outwards; of a dotted name only the first word. A section, partial, comment or change of delimiters alone on its
 * line takes the line with it, and a partial so placed is indented as its tag is. Not there: lambdas, inheritance, dynamic names.
 */
#ifndef MR_JOBS_SERVICES_TEMPLATE_H
#define MR_JOBS_SERVICES_TEMPLATE_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct mr_template; /* compiled, never changed again; shared */

/* What the result is part of. No value may hold a NUL. */
enum mr_template_target {
    MR_TEMPLATE_TEXT,   /* values as they are */
    MR_TEMPLATE_HTML,   /* & < > " ' as entities: for text and for attributes in quotes */
    MR_TEMPLATE_HEADER, /* one line: a line end in a value, raw or not, is refused; the template's own last one is cut */
    MR_TEMPLATE_URL,    /* all but letters, digits and - . _ ~ percent-encoded */
    MR_TEMPLATE_JSON /* for inside of a string's quotes: " and \ and control characters as JSON escapes them */
};

/*
 * Compiles len bytes of UTF-8; name stands in messages, which say name:line:column. MR_EFAULT when it is wrong. The
 * caller's reference, to be given back by mr_template_unref.
 */
enum mr_code mr_template_compile(const char *text, size_t len, const char *name,
                                 struct mr_template **out, struct mr_err *err);
struct mr_template *mr_template_ref(struct mr_template *template); /* any thread */
void mr_template_unref(struct mr_template *template);              /* NULL is accepted */

/* Finds a partial: a reference, the renderer gives it back. MR_ENOTFOUND: there is none. Other failures end the rendering. */
typedef enum mr_code mr_template_partial_fn(void *arg, const char *name,
                                            struct mr_template **out, struct mr_err *err);

struct mr_template_task {
    json_t *view; /* an object, usually; borrowed and unchanged */
    enum mr_template_target target;
    bool
        strict; /* a value that is missing or null, and a partial that is missing, are errors; else they are empty */
    size_t max_bytes;                /* of the result */
    mr_template_partial_fn *partial; /* NULL: there are no partials */
    void *arg;
};

/*
 * Appends the result to out, which is untouched on failure. MR_EINVAL: a value is missing (strict), or an array or object where a text should be, or not fit
 * for the target; the result or the work exceeds its bounds. MR_EFAULT: the template is at fault: a partial is missing (strict), or they call each
 * other without end; a header of several lines. Numbers: integers exactly, others with
 * 15 digits.
 */
enum mr_code mr_template_render(const struct mr_template *template,
                                const struct mr_template_task *task, struct mr_buf *out,
                                struct mr_err *err);

#endif
