#include "jobs/services/template.h"
#include "jobs/services/template_own.h"
#include "proto/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELIMITER_MAX = 16 };

/* One tag of the text, from its first brace to behind its last. */
struct tag {
    char sigil; /* what follows the braces: # ^ / > ! & { = or 0 for a plain value */
    size_t from, to;
    struct mr_bytes name;
};

struct parser {
    struct mr_template *template;
    char opener[DELIMITER_MAX + 1], closer[DELIMITER_MAX + 1]; /* {{ and }} at first */
    size_t open[MR_TEMPLATE_DEPTH_MAX]; /* indices of the sections around */
    unsigned depth;
    struct mr_err *err;
};

static const char blanks[] = " \t";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum mr_code mr_template_fail(const struct mr_template *template, size_t at, struct mr_err *err,
                              enum mr_code code, const char *format, ...)
{
    size_t line = 1, column = 1;
    char words[600];
    va_list list;

    for (size_t i = 0; i < at; i++) {
        if (template->text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)template->text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    va_start(list, format);
    vsnprintf(words, sizeof(words), format, list);
    va_end(list);
    return mr_fail(err, code, "%s:%zu:%zu: %s", template->name, line, column, words);
}

static struct mr_template_node *add_node(struct mr_template *template,
                                         enum mr_template_kind kind, size_t at)
{
    if (template->n_nodes == template->room) {
        template->room = template->room ? template->room * 2 : 16;
        template->nodes =
            mr_realloc(template->nodes, template->room * sizeof(*template->nodes));
    }
    struct mr_template_node *node = &template->nodes[template->n_nodes++];

    *node = (struct mr_template_node){
        .kind = kind, .at = at, .text = {template->text + at, 0}
    };
    return node;
}

static bool begins_line(const struct mr_template *template, size_t at)
{
    return at == 0 || template->text[at - 1] == '\n';
}

static void add_text(struct mr_template *template, size_t from, size_t to)
{
    if (from == to)
        return;
    struct mr_template_node *node = add_node(template, MR_NODE_TEXT, from);

    node->text = (struct mr_bytes){template->text + from, to - from};
    node->begins_line = begins_line(template, from);
}

/* ---- tags ---- */

static enum mr_code check_name(const struct parser *p, const struct tag *tag)
{
    const struct mr_template *template = p->template;
    struct mr_bytes name = tag->name;

    if (name.len == 0)
        return mr_template_fail(template, tag->from, p->err, MR_EFAULT, "a tag without a name");
    if (name.len > MR_TEMPLATE_NAME_MAX)
        return mr_template_fail(template, tag->from, p->err, MR_EFAULT,
                                "a name of more than %d bytes", MR_TEMPLATE_NAME_MAX);
    for (size_t i = 0; i < name.len; i++)
        if (is_blank(name.at[i]) || strchr("{}#^&=!>", name.at[i]))
            return mr_template_fail(template, tag->from, p->err, MR_EFAULT,
                                    "\"%.*s\" is no name: it holds a blank or a sign",
                                    (int)name.len, name.at);
    if (tag->sigil == '>' || mr_bytes_is(name, "."))
        return MR_OK;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] == '.' && (i == 0 || i + 1 == name.len || name.at[i - 1] == '.'))
            return mr_template_fail(template, tag->from, p->err, MR_EFAULT,
                                    "\"%.*s\" is no name: nothing stands beside a dot",
                                    (int)name.len, name.at);
    return MR_OK;
}

/* What ends a tag of this sigil. */
static void closing_of(const struct parser *p, char sigil, char out[DELIMITER_MAX + 2])
{
    size_t n = 0;

    if (sigil == '{' || sigil == '=')
        out[n++] = sigil == '{' ? '}' : '=';
    strcpy(out + n, p->closer);
}

static struct mr_bytes trim(const char *from, const char *to)
{
    while (from < to && is_blank(*from))
        from++;
    while (from < to && is_blank(to[-1]))
        to--;
    return (struct mr_bytes){from, (size_t)(to - from)};
}

/* from: where the opener stands. */
static enum mr_code read_tag(const struct parser *p, size_t from, struct tag *out)
{
    const char *text = p->template->text, *end = text + p->template->len;
    const char *first = text + from + strlen(p->opener);
    char closing[DELIMITER_MAX + 2];

    while (first < end && is_blank(*first))
        first++;
    char sigil = first < end && strchr("#^/>!&{=", *first) ? *first : '\0';
    closing_of(p, sigil, closing);
    const char *inside = first + (sigil ? 1 : 0), *close = strstr(inside, closing);
    if (!close)
        return mr_template_fail(p->template, from, p->err, MR_EFAULT,
                                "this tag is never closed: no %s", closing);
    *out = (struct tag){sigil, from, (size_t)(close - text) + strlen(closing),
                        trim(inside, close)};
    return sigil == '!' || sigil == '=' ? MR_OK : check_name(p, out);
}

/* The next word of text, cut off its front; false when it is no delimiter. */
static bool take_delimiter(struct mr_bytes *text, char out[DELIMITER_MAX + 1])
{
    size_t n = 0;

    while (n < text->len && !is_blank(text->at[n]))
        n++;
    if (n == 0 || n > DELIMITER_MAX || memchr(text->at, '=', n))
        return false;
    memcpy(out, text->at, n);
    out[n] = '\0';
    *text = trim(text->at + n, text->at + text->len);
    return true;
}

/* For what follows in this template; a partial is compiled by itself. */
static enum mr_code set_delimiters(struct parser *p, const struct tag *tag)
{
    struct mr_bytes left = tag->name;
    char opener[DELIMITER_MAX + 1], closer[DELIMITER_MAX + 1];

    if (!take_delimiter(&left, opener) || !take_delimiter(&left, closer) || left.len > 0)
        return mr_template_fail(p->template, tag->from, p->err, MR_EFAULT,
                                "\"%.*s\" are no delimiters: two are wanted, each of 1 to %d "
                                "bytes without '=', parted by a blank",
                                (int)tag->name.len, tag->name.at, DELIMITER_MAX);
    strcpy(p->opener, opener);
    strcpy(p->closer, closer);
    return MR_OK;
}

/* Alone on its line: then what is before it (blanks) and behind it (to the next line) goes too. */
static bool stands_alone(const struct mr_template *template, const struct tag *tag,
                         size_t *out_from, size_t *out_to)
{
    size_t from = tag->from, to = tag->to;

    if (!tag->sigil || tag->sigil == '&' || tag->sigil == '{')
        return false;
    while (!begins_line(template, from) && strchr(blanks, template->text[from - 1]))
        from--;
    to += strspn(template->text + to, blanks);
    if (template->text[to] == '\r' && template->text[to + 1] == '\n')
        to++;
    if (!begins_line(template, from) || (template->text[to] != '\n' && to < template->len))
        return false;
    *out_from = from;
    *out_to = to < template->len ? to + 1 : to;
    return true;
}

static enum mr_code open_section(struct parser *p, const struct tag *tag)
{
    enum mr_template_kind kind = tag->sigil == '#' ? MR_NODE_SECTION : MR_NODE_INVERTED;

    if (p->depth == MR_COUNT(p->open))
        return mr_template_fail(p->template, tag->from, p->err, MR_EFAULT,
                                "more than %d sections inside each other",
                                MR_TEMPLATE_DEPTH_MAX);
    p->open[p->depth++] = p->template->n_nodes;
    add_node(p->template, kind, tag->from)->name = mr_strndup(tag->name.at, tag->name.len);
    return MR_OK;
}

static enum mr_code close_section(struct parser *p, const struct tag *tag)
{
    if (p->depth == 0)
        return mr_template_fail(p->template, tag->from, p->err, MR_EFAULT,
                                "{{/%.*s}} closes no section", (int)tag->name.len,
                                tag->name.at);
    struct mr_template_node *section = &p->template->nodes[p->open[--p->depth]];
    if (!mr_bytes_is(tag->name, section->name))
        return mr_template_fail(p->template, tag->from, p->err, MR_EFAULT,
                                "{{/%.*s}} stands where {{/%s}} should", (int)tag->name.len,
                                tag->name.at, section->name);
    section->end = p->template->n_nodes;
    return MR_OK;
}

static enum mr_code add_tag(struct parser *p, const struct tag *tag, struct mr_bytes indent)
{
    enum mr_template_kind kind = MR_NODE_VALUE;

    switch (tag->sigil) {
    case '!':
        return MR_OK;
    case '=':
        return set_delimiters(p, tag);
    case '#':
    case '^':
        return open_section(p, tag);
    case '/':
        return close_section(p, tag);
    case '>':
        kind = MR_NODE_PARTIAL;
        break;
    case '&':
    case '{':
        kind = MR_NODE_RAW;
        break;
    default:
        break;
    }
    struct mr_template_node *node = add_node(p->template, kind, tag->from);
    node->name = mr_strndup(tag->name.at, tag->name.len);
    node->text = indent;
    return MR_OK;
}

static enum mr_code parse(struct parser *p)
{
    struct mr_template *template = p->template;
    const char *text = template->text;
    size_t at = 0;

    for (const char *found; (found = strstr(text + at, p->opener));) {
        struct tag tag = {0};
        size_t from, to;
        enum mr_code code = read_tag(p, (size_t)(found - text), &tag);

        if (code != MR_OK)
            return code;
        bool alone = stands_alone(template, &tag, &from, &to);
        add_text(template, at, alone ? from : tag.from);
        if (!alone && begins_line(template, tag.from))
            add_node(template, MR_NODE_TEXT, tag.from)->begins_line = true;
        code = add_tag(p, &tag,
                       alone ? (struct mr_bytes){text + from, tag.from - from}
                             : (struct mr_bytes){0});
        if (code != MR_OK)
            return code;
        at = alone ? to : tag.to;
    }
    add_text(template, at, template->len);
    if (p->depth > 0) {
        const struct mr_template_node *section = &template->nodes[p->open[p->depth - 1]];

        return mr_template_fail(template, section->at, p->err, MR_EFAULT,
                                "this section is never closed: no {{/%s}}", section->name);
    }
    return MR_OK;
}

static enum mr_code check_text(const struct mr_template *template, struct mr_err *err)
{
    size_t n;

    for (size_t i = 0; i < template->len; i += n) {
        n = template->text[i] ? mr_str_utf8(template->text + i, template->len - i) : 0;
        if (n == 0)
            return mr_template_fail(template, i, err, MR_EFAULT, "this byte is no UTF-8");
    }
    return MR_OK;
}

enum mr_code mr_template_compile(const char *text, size_t len, const char *name,
                                 struct mr_template **out, struct mr_err *err)
{
    struct mr_template *template = mr_zalloc(sizeof(*template));
    struct parser p = {.template = template, .opener = "{{", .closer = "}}", .err = err};

    atomic_init(&template->refs, 1);
    template->name = mr_strdup(name);
    template->text = mr_strndup(text, len);
    template->len = len;
    enum mr_code code = check_text(template, err);
    if (code == MR_OK)
        code = parse(&p);
    if (code != MR_OK) {
        mr_template_unref(template);
        return code;
    }
    *out = template;
    return MR_OK;
}

struct mr_template *mr_template_ref(struct mr_template *template)
{
    atomic_fetch_add(&template->refs, 1);
    return template;
}

void mr_template_unref(struct mr_template *template)
{
    if (!template || atomic_fetch_sub(&template->refs, 1) > 1)
        return;
    for (size_t i = 0; i < template->n_nodes; i++)
        free(template->nodes[i].name);
    free(template->nodes);
    free(template->text);
    free(template->name);
    free(template);
}
