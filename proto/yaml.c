#include "proto/yaml.h"

#include "proto/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *bytes;
    size_t len;
    const char *name;
    struct mr_config_errors *errors;
    size_t n_nodes;
};

static struct mr_place place_of(const struct reader *r, yaml_mark_t mark)
{
    return (struct mr_place){r->name, (unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* Bytes that are no text carry an offset instead of a mark. */
static struct mr_place place_of_byte(const struct reader *r, size_t offset)
{
    struct mr_place at = {r->name, 1, 1};

    for (size_t i = 0; i < offset && i < r->len; i++) {
        at.column++;
        if (r->bytes[i] == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    return at;
}

static void complain_of_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_READER_ERROR)
        mr_config_errors_add(r->errors, place_of_byte(r, p->problem_offset),
                             "not readable as text: %s", p->problem);
    else if (p->context)
        mr_config_errors_add(r->errors, place_of(r, p->problem_mark), "%s %s", p->problem,
                             p->context);
    else
        mr_config_errors_add(r->errors, place_of(r, p->problem_mark), "%s",
                             p->problem ? p->problem : "no YAML");
}

static bool next_event(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return true;
    complain_of_syntax(r);
    return false;
}

static struct mr_yaml *new_node(enum mr_yaml_type type, struct mr_place at)
{
    struct mr_yaml *node = mr_zalloc(sizeof(*node));

    node->type = type;
    node->at = node->key_at = at;
    return node;
}

void mr_yaml_free(struct mr_yaml *root)
{
    if (!root)
        return;
    for (size_t i = 0; i < root->n_items; i++)
        mr_yaml_free(root->items[i]);
    free(root->items);
    free(root->key);
    free(root->text);
    free(root->variable);
    free(root);
}

/* Takes item. Room grows by doubling: it is full whenever the count is a power of two. */
static void append(struct mr_yaml *node, struct mr_yaml *item)
{
    if ((node->n_items & (node->n_items - 1)) == 0)
        node->items = mr_realloc(node->items, (node->n_items ? node->n_items * 2 : 1) *
                                                  sizeof(*node->items));
    node->items[node->n_items++] = item;
}

static struct mr_yaml *read_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct mr_yaml *node = new_node(MR_YAML_SCALAR, place_of(r, event->start_mark));

    if (strlen(text) != event->data.scalar.length)
        mr_config_errors_add(r->errors, node->at, "a NUL character cannot stand in a value");
    node->text = mr_strdup(text);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static const char *anchor_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (const char *)event->data.scalar.anchor;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return (const char *)event->data.sequence_start.anchor;
    return (const char *)event->data.mapping_start.anchor;
}

static const char *tag_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (const char *)event->data.scalar.tag;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return (const char *)event->data.sequence_start.tag;
    return (const char *)event->data.mapping_start.tag;
}

/* A configuration needs neither, and both hide what a value is from its reader. */
static void refuse_anchor_and_tag(struct reader *r, const yaml_event_t *event)
{
    if (anchor_of(event))
        mr_config_errors_add(r->errors, place_of(r, event->start_mark),
                             "anchors (&%.40s) are not read: write the value where it is used",
                             anchor_of(event));
    if (tag_of(event))
        mr_config_errors_add(r->errors, place_of(r, event->start_mark),
                             "tags (%.40s) are not read: write the plain value", tag_of(event));
}

static struct mr_yaml *read_node(struct reader *r, const yaml_event_t *event, unsigned depth);

/* Reads what follows up to the list's end. Like its kin it gives NULL when nothing behind can be read. */
static struct mr_yaml *read_list(struct reader *r, struct mr_place at, unsigned depth)
{
    struct mr_yaml *list = new_node(MR_YAML_LIST, at);
    yaml_event_t event;

    while (next_event(r, &event)) {
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct mr_yaml *item = end ? NULL : read_node(r, &event, depth + 1);

        yaml_event_delete(&event);
        if (end)
            return list;
        if (!item)
            break;
        append(list, item);
    }
    mr_yaml_free(list);
    return NULL;
}

/* The key as text in *out; false when reading cannot go on. */
static bool read_key(struct reader *r, const struct mr_yaml *map, const yaml_event_t *event,
                     char **out)
{
    struct mr_place at = place_of(r, event->start_mark);

    if (event->type != YAML_SCALAR_EVENT) {
        mr_config_errors_add(r->errors, at, "a key must be a plain word");
        return false;
    }
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    refuse_anchor_and_tag(r, event);
    if (len == 0 || len > MR_YAML_KEY_MAX || strlen(text) != len) {
        mr_config_errors_add(r->errors, at, "a key must have 1 to %d characters",
                             MR_YAML_KEY_MAX);
        return false;
    }
    const struct mr_yaml *first = mr_yaml_get(map, text);
    if (first)
        mr_config_errors_add(r->errors, at, "\"%s\" stands here twice, first in line %u", text,
                             first->key_at.line);
    *out = mr_strdup(text);
    return true;
}

/* One member, from its key's event on; NULL when reading cannot go on. */
static struct mr_yaml *read_member(struct reader *r, const struct mr_yaml *map,
                                   const yaml_event_t *key_event, unsigned depth)
{
    char *key = NULL;
    struct mr_yaml *member = NULL;
    yaml_event_t event;

    if (!read_key(r, map, key_event, &key))
        return NULL;
    if (next_event(r, &event)) {
        member = read_node(r, &event, depth + 1);
        yaml_event_delete(&event);
    }
    if (!member) {
        free(key);
        return NULL;
    }
    member->key = key;
    member->key_at = place_of(r, key_event->start_mark);
    return member;
}

static struct mr_yaml *read_map(struct reader *r, struct mr_place at, unsigned depth)
{
    struct mr_yaml *map = new_node(MR_YAML_MAP, at);
    yaml_event_t event;

    while (next_event(r, &event)) {
        bool end = event.type == YAML_MAPPING_END_EVENT;
        struct mr_yaml *member = end ? NULL : read_member(r, map, &event, depth);

        yaml_event_delete(&event);
        if (end)
            return map;
        if (!member)
            break;
        append(map, member);
    }
    mr_yaml_free(map);
    return NULL;
}

static struct mr_yaml *read_node(struct reader *r, const yaml_event_t *event, unsigned depth)
{
    struct mr_place at = place_of(r, event->start_mark);

    if (event->type == YAML_ALIAS_EVENT) {
        mr_config_errors_add(r->errors, at,
                             "aliases (*%.40s) are not read: write the value out",
                             (const char *)event->data.alias.anchor);
        return new_node(MR_YAML_MAP, at);
    }
    if (depth > MR_YAML_DEPTH_MAX) {
        mr_config_errors_add(r->errors, at, "nested deeper than %d", MR_YAML_DEPTH_MAX);
        return NULL;
    }
    if (++r->n_nodes > MR_YAML_NODES_MAX) {
        mr_config_errors_add(r->errors, at, "more than %d values", MR_YAML_NODES_MAX);
        return NULL;
    }
    refuse_anchor_and_tag(r, event);
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(r, event);
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return read_list(r, at, depth);
    return read_map(r, at, depth);
}

/* Stream start, at most one document, stream end. */
static struct mr_yaml *read_document(struct reader *r)
{
    struct mr_yaml *root = NULL;
    yaml_event_t event;

    while (next_event(r, &event)) {
        yaml_event_type_t type = event.type;

        if (type == YAML_DOCUMENT_START_EVENT && root) {
            mr_config_errors_add(r->errors, place_of(r, event.start_mark),
                                 "a second document begins here: one is enough");
            type = YAML_NO_EVENT;
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
                   type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT) {
            root = read_node(r, &event, 1);
            type = root ? type : YAML_NO_EVENT;
        }
        yaml_event_delete(&event);
        if (type == YAML_NO_EVENT)
            break;
        if (type == YAML_STREAM_END_EVENT)
            return root ? root : new_node(MR_YAML_MAP, (struct mr_place){r->name, 1, 1});
    }
    mr_yaml_free(root);
    return NULL;
}

enum mr_code mr_yaml_parse(const char *bytes, size_t len, const char *name,
                           struct mr_yaml **out, struct mr_config_errors *errors)
{
    struct reader r = {.bytes = bytes, .len = len, .name = name, .errors = errors};
    unsigned before = errors->n_lines;

    if (len > MR_YAML_BYTES_MAX) {
        mr_config_errors_add(errors, (struct mr_place){.origin = name},
                             "%zu bytes: no configuration is longer than %d", len,
                             MR_YAML_BYTES_MAX);
        return MR_EINVAL;
    }
    if (!yaml_parser_initialize(&r.parser))
        abort(); /* out of memory */
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, len);
    struct mr_yaml *root = read_document(&r);
    yaml_parser_delete(&r.parser);
    if (errors->n_lines > before) {
        mr_yaml_free(root);
        return MR_EINVAL;
    }
    *out = root;
    return MR_OK;
}

struct mr_yaml *mr_yaml_get(const struct mr_yaml *node, const char *key)
{
    if (!node || node->type != MR_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < node->n_items; i++)
        if (strcmp(node->items[i]->key, key) == 0)
            return node->items[i];
    return NULL;
}

bool mr_yaml_is_absent(const struct mr_yaml *node)
{
    if (!node)
        return true;
    return node->type == MR_YAML_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

void mr_yaml_describe(const struct mr_yaml *node, struct mr_buf *out)
{
    if (node->type == MR_YAML_LIST)
        mr_buf_text(out, "a list");
    else if (node->type == MR_YAML_MAP)
        mr_buf_text(out, "a map");
    else if (node->expanded)
        mr_buf_text(out, "something else from outside this file");
    else
        mr_buf_printf(out, "\"%.60s\"", node->text);
}

void mr_yaml_drop(struct mr_yaml *map, const char *key)
{
    for (size_t i = 0; i < map->n_items; i++) {
        if (strcmp(map->items[i]->key, key) != 0)
            continue;
        mr_yaml_free(map->items[i]);
        map->n_items--;
        /* The order stays; append counts on nothing but the number. */
        memmove(map->items + i, map->items + i + 1, (map->n_items - i) * sizeof(*map->items));
        return;
    }
}

static struct mr_yaml *put(struct mr_yaml *map, const char *key, enum mr_yaml_type type)
{
    struct mr_yaml *node = new_node(type, map->at);

    mr_yaml_drop(map, key);
    node->key = mr_strdup(key);
    append(map, node);
    return node;
}

struct mr_yaml *mr_yaml_put_map(struct mr_yaml *map, const char *key)
{
    struct mr_yaml *member = mr_yaml_get(map, key);

    if (mr_yaml_is_absent(member))
        return put(map, key, MR_YAML_MAP);
    return member->type == MR_YAML_MAP ? member : NULL;
}

void mr_yaml_put_variable(struct mr_yaml *map, const char *key, const char *variable,
                          const char *text)
{
    struct mr_yaml *node = put(map, key, MR_YAML_SCALAR);

    node->text = mr_strdup(text);
    node->variable = mr_strdup(variable);
    node->at = node->key_at = (struct mr_place){.origin = node->variable};
}

static bool is_simple_word(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char others[] = "0123456789-./@";
    size_t first = strspn(text, letters);

    for (size_t i = first; text[i]; i++)
        if (!strchr(letters, text[i]) && !strchr(others, text[i]))
            return false;
    return first > 0 && strcmp(text, "null") != 0;
}

/* The code point at text, which is valid UTF-8, and its length. */
static uint32_t decode(const unsigned char *text, size_t *len)
{
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};

    *len = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t point = text[0] & lead_mask[*len];
    for (size_t i = 1; i < *len; i++)
        point = point << 6 | (text[i] & 0x3f);
    return point;
}

/* What YAML refuses raw, or folds as a line break. */
static bool must_escape(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
           point == 0x2029 || point == 0xfeff || point == 0xfffe || point == 0xffff;
}

void mr_yaml_quote(struct mr_buf *out, const char *text)
{
    if (is_simple_word(text)) {
        mr_buf_text(out, text);
        return;
    }
    mr_buf_char(out, '"');
    for (size_t len; *text; text += len) {
        uint32_t point = decode((const unsigned char *)text, &len);

        if (point == '"' || point == '\\')
            mr_buf_printf(out, "\\%c", (char)point);
        else if (must_escape(point))
            mr_buf_printf(out, "\\u%04x", point);
        else
            mr_buf_add(out, text, len);
    }
    mr_buf_char(out, '"');
}
