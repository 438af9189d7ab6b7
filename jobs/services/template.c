#include "jobs/services/template.h"

#include "jobs/services/form.h"
#include "jobs/services/template_own.h"
#include "proto/base/mem.h"

#include <string.h>

enum {
    PARTIALS_MAX = 20, /* inside each other */
    STEPS_MAX =
        10000000, /* nodes visited: lists within lists may cost time without a byte of output */
};

struct rendering {
    const struct mr_template_task *task;
    struct mr_buf *out;
    size_t start; /* of the result in out */
    unsigned steps, partials;
    struct mr_err *err;
};

/* Values of the sections around, the innermost first. */
struct scope {
    json_t *value;
    const struct scope *outer;
};

/* A template, or a partial within it. */
struct sheet {
    const struct mr_template *template;
    struct mr_bytes indent;
};

/* ---- values ---- */

/* The next word of a dotted name into out; what follows it, or NULL. */
static const char *next_word(const char *name, char out[MR_TEMPLATE_NAME_MAX + 1])
{
    size_t len = strcspn(name, ".");

    memcpy(out, name, len);
    out[len] = '\0';
    return name[len] ? name + len + 1 : NULL;
}

/* NULL: there is none. */
static json_t *look_up(const struct scope *scope, const char *name)
{
    char word[MR_TEMPLATE_NAME_MAX + 1];
    json_t *value = NULL;

    if (strcmp(name, ".") == 0)
        return scope->value;
    const char *rest = next_word(name, word);
    for (; scope && !value; scope = scope->outer)
        value = json_object_get(scope->value, word);
    while (value && rest) {
        rest = next_word(rest, word);
        value = json_object_get(value, word);
    }
    return value;
}

static bool is_something(const json_t *value)
{
    return value && !json_is_null(value) && !json_is_false(value) &&
           !(json_is_array(value) && json_array_size(value) == 0) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

/* jansson prints numbers without regard to the locale. A real that is whole is shown without its ".0". */
static struct mr_bytes print_number(const json_t *value, char *buffer, size_t size)
{
    size_t len = json_dumpb(value, buffer, size - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    if (len > 2 && memcmp(buffer + len - 2, ".0", 2) == 0)
        len -= 2;
    buffer[len] = '\0';
    return (struct mr_bytes){buffer, len};
}

/* ---- escaping: of texts that hold no NUL, and have one behind them ---- */

static void add_html(struct mr_buf *out, struct mr_bytes text)
{
    static const struct {
        char c;
        const char *entity;
    } rows[] = {
        {'&',  "&amp;" },
        {'<',  "&lt;"  },
        {'>',  "&gt;"  },
        {'"',  "&quot;"},
        {'\'', "&#39;" }
    };

    for (size_t i = 0; i < text.len; i++) {
        size_t r = 0;

        while (r < MR_COUNT(rows) && rows[r].c != text.at[i])
            r++;
        if (r < MR_COUNT(rows))
            mr_buf_text(out, rows[r].entity);
        else
            mr_buf_char(out, text.at[i]);
    }
}

static void add_escaped(struct mr_buf *out, enum mr_template_target target,
                        struct mr_bytes text)
{
    if (target == MR_TEMPLATE_HTML)
        add_html(out, text);
    else if (target == MR_TEMPLATE_URL)
        mr_form_escape(out, text.at);
    else if (target == MR_TEMPLATE_JSON)
        mr_buf_json(out, text.at, text.len);
    else
        mr_buf_add(out, text.at, text.len);
}

static bool holds(struct mr_bytes text, char c)
{
    return text.len > 0 && memchr(text.at, c, text.len);
}

/* ---- nodes ---- */

static enum mr_code write_value(struct rendering *r, const struct sheet *sheet,
                                const struct mr_template_node *node, const struct scope *scope)
{
    const json_t *value = look_up(scope, node->name);
    const struct mr_template *template = sheet->template;
    char number[64];
    struct mr_bytes text;

    if (!value || json_is_null(value)) {
        if (r->task->strict)
            return mr_template_fail(template, node->at, r->err, MR_EINVAL, "{{%s}} %s",
                                    node->name, value ? "is null" : "has no value");
        return MR_OK;
    }
    if (json_is_object(value) || json_is_array(value))
        return mr_template_fail(template, node->at, r->err, MR_EINVAL,
                                "{{%s}} is %s, not a text", node->name,
                                json_is_array(value) ? "a list" : "an object");
    if (json_is_string(value))
        text = (struct mr_bytes){json_string_value(value), json_string_length(value)};
    else if (json_is_boolean(value))
        text = mr_bytes_of(json_is_true(value) ? "true" : "false");
    else
        text = print_number(value, number, sizeof(number));
    if (holds(text, '\0'))
        return mr_template_fail(template, node->at, r->err, MR_EINVAL, "{{%s}} holds a NUL",
                                node->name);
    if (r->task->target == MR_TEMPLATE_HEADER && (holds(text, '\r') || holds(text, '\n')))
        return mr_template_fail(template, node->at, r->err, MR_EINVAL,
                                "{{%s}} holds a line end, which would forge a header",
                                node->name);
    add_escaped(r->out, node->kind == MR_NODE_RAW ? MR_TEMPLATE_TEXT : r->task->target, text);
    return MR_OK;
}

/* A line that has nothing on it gets no indentation. */
static bool is_empty_line(struct mr_bytes text)
{
    return text.len > 0 &&
           (text.at[0] == '\n' || (text.len > 1 && memcmp(text.at, "\r\n", 2) == 0));
}

static void write_text(struct mr_buf *out, struct mr_bytes indent,
                       const struct mr_template_node *node)
{
    struct mr_bytes left = node->text;
    bool begins = node->begins_line;

    if (indent.len == 0) {
        mr_buf_add(out, left.at, left.len);
        return;
    }
    do {
        const char *end = left.len > 0 ? memchr(left.at, '\n', left.len) : NULL;
        size_t len = end ? (size_t)(end - left.at) + 1 : left.len;

        if (begins && !is_empty_line(left))
            mr_buf_add(out, indent.at, indent.len);
        mr_buf_add(out, left.at, len);
        left = (struct mr_bytes){left.at + len, left.len - len};
        begins = true;
    } while (left.len > 0);
}

static enum mr_code render_nodes(struct rendering *r, const struct sheet *sheet, size_t from,
                                 size_t to, const struct scope *scope);

static enum mr_code write_section(struct rendering *r, const struct sheet *sheet, size_t index,
                                  const struct scope *scope)
{
    const struct mr_template_node *node = &sheet->template->nodes[index];
    json_t *value = look_up(scope, node->name);
    enum mr_code code = MR_OK;

    if (node->kind == MR_NODE_INVERTED)
        return is_something(value) ? MR_OK
                                   : render_nodes(r, sheet, index + 1, node->end, scope);
    if (!is_something(value))
        return MR_OK;
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < n && code == MR_OK; i++) {
        json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        const struct scope inner = {item, scope};

        code = render_nodes(r, sheet, index + 1, node->end, &inner);
    }
    return code;
}

static enum mr_code write_partial(struct rendering *r, const struct sheet *sheet,
                                  const struct mr_template_node *node,
                                  const struct scope *scope)
{
    struct mr_template *partial = NULL;
    enum mr_code code = MR_ENOTFOUND;
    struct mr_buf indent = {0};

    if (r->partials == PARTIALS_MAX)
        return mr_template_fail(sheet->template, node->at, r->err, MR_EFAULT,
                                "{{>%s}}: more than %d partials inside each other", node->name,
                                PARTIALS_MAX);
    if (r->task->partial)
        code = r->task->partial(r->task->arg, node->name, &partial, r->err);
    if (code == MR_ENOTFOUND)
        return r->task->strict ? mr_template_fail(sheet->template, node->at, r->err, MR_EFAULT,
                                                  "there is no partial {{>%s}}", node->name)
                               : MR_OK;
    if (code != MR_OK)
        return code;
    mr_buf_add(&indent, sheet->indent.at, sheet->indent.len);
    mr_buf_add(&indent, node->text.at, node->text.len);
    const struct sheet inner = {
        partial, {indent.at, indent.len}
    };

    r->partials++;
    code = render_nodes(r, &inner, 0, partial->n_nodes, scope);
    r->partials--;
    mr_buf_fini(&indent);
    mr_template_unref(partial);
    return code;
}

static enum mr_code write_node(struct rendering *r, const struct sheet *sheet, size_t index,
                               const struct scope *scope)
{
    const struct mr_template_node *node = &sheet->template->nodes[index];

    switch (node->kind) {
    case MR_NODE_TEXT:
        write_text(r->out, sheet->indent, node);
        return MR_OK;
    case MR_NODE_SECTION:
    case MR_NODE_INVERTED:
        return write_section(r, sheet, index, scope);
    case MR_NODE_PARTIAL:
        return write_partial(r, sheet, node, scope);
    case MR_NODE_VALUE:
    case MR_NODE_RAW:
        break;
    }
    return write_value(r, sheet, node, scope);
}

static enum mr_code render_nodes(struct rendering *r, const struct sheet *sheet, size_t from,
                                 size_t to, const struct scope *scope)
{
    const struct mr_template_node *nodes = sheet->template->nodes;

    for (size_t i = from; i < to;) {
        bool is_section = nodes[i].kind == MR_NODE_SECTION || nodes[i].kind == MR_NODE_INVERTED;
        enum mr_code code = write_node(r, sheet, i, scope);

        if (code != MR_OK)
            return code;
        if (r->out->len - r->start > r->task->max_bytes)
            return mr_template_fail(sheet->template, nodes[i].at, r->err, MR_EINVAL,
                                    "the result has more than %zu bytes here",
                                    r->task->max_bytes);
        if (++r->steps > STEPS_MAX)
            return mr_template_fail(sheet->template, nodes[i].at, r->err, MR_EINVAL,
                                    "lists within lists: more than %d steps", STEPS_MAX);
        i = is_section ? nodes[i].end : i + 1;
    }
    return MR_OK;
}

/* Editors end the last line of a file; what then is left must be one line. */
static enum mr_code finish_header(const struct mr_template *template, struct mr_buf *out,
                                  size_t start, struct mr_err *err)
{
    if (out->len > start && out->at[out->len - 1] == '\n')
        out->len--;
    if (out->len > start && out->at[out->len - 1] == '\r')
        out->len--;
    struct mr_bytes line = {out->at + start, out->len - start};

    if (holds(line, '\n') || holds(line, '\r'))
        return mr_template_fail(template, 0, err, MR_EFAULT,
                                "a header is one line, this gives several");
    return MR_OK;
}

enum mr_code mr_template_render(const struct mr_template *template,
                                const struct mr_template_task *task, struct mr_buf *out,
                                struct mr_err *err)
{
    struct rendering r = {.task = task, .out = out, .start = out->len, .err = err};
    const struct scope root = {task->view, NULL};
    const struct sheet sheet = {
        template, {NULL, 0}
    };

    mr_buf_reserve(out, template->len);
    enum mr_code code = render_nodes(&r, &sheet, 0, template->n_nodes, &root);
    if (code == MR_OK && task->target == MR_TEMPLATE_HEADER)
        code = finish_header(template, out, r.start, err);
    if (code != MR_OK)
        out->len = r.start;
    out->at[out->len] = '\0';
    return code;
}
