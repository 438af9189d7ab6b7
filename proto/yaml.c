#include "proto/yaml.h"

#include "proto/base/mem.h"

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

static struct mr_yaml *read_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct mr_yaml *node = mr_yaml_new(MR_YAML_SCALAR, place_of(r, event->start_mark));

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

/*
 * Reads what follows up to the list's end. Like its kin it gives NULL when nothing behind can
 * be read.
 */
static struct mr_yaml *read_list(struct reader *r, struct mr_place at, unsigned depth)
{
    struct mr_yaml *list = mr_yaml_new(MR_YAML_LIST, at);
    yaml_event_t event;

    while (next_event(r, &event)) {
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct mr_yaml *item = end ? NULL : read_node(r, &event, depth + 1);

        yaml_event_delete(&event);
        if (end)
            return list;
        if (!item)
            break;
        mr_yaml_append(list, item);
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
    struct mr_yaml *map = mr_yaml_new(MR_YAML_MAP, at);
    yaml_event_t event;

    while (next_event(r, &event)) {
        bool end = event.type == YAML_MAPPING_END_EVENT;
        struct mr_yaml *member = end ? NULL : read_member(r, map, &event, depth);

        yaml_event_delete(&event);
        if (end)
            return map;
        if (!member)
            break;
        mr_yaml_append(map, member);
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
        return mr_yaml_new(MR_YAML_MAP, at);
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
    bool good = true, ended = false;
    yaml_event_t event;

    while (good && !ended && next_event(r, &event)) {
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            ended = true;
            break;
        case YAML_DOCUMENT_START_EVENT:
            good = root == NULL;
            if (!good)
                mr_config_errors_add(r->errors, place_of(r, event.start_mark),
                                     "a second document begins here: one is enough");
            break;
        default:
            root = read_node(r, &event, 1);
            good = root != NULL;
            break;
        }
        yaml_event_delete(&event);
    }
    if (ended)
        return root ? root : mr_yaml_new(MR_YAML_MAP, (struct mr_place){r->name, 1, 1});
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
