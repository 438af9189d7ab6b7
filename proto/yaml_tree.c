/* The tree apart from its reading: finding, editing, writing. */
#include "proto/yaml.h"

#include "proto/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct mr_yaml *mr_yaml_new(enum mr_yaml_type type, struct mr_place at)
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

/* Room grows by doubling: it may be full whenever the count is a power of two. */
void mr_yaml_append(struct mr_yaml *node, struct mr_yaml *item)
{
    if ((node->n_items & (node->n_items - 1)) == 0)
        node->items = mr_realloc(node->items, (node->n_items ? node->n_items * 2 : 1) *
                                                  sizeof(*node->items));
    node->items[node->n_items++] = item;
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
        memmove(map->items + i, map->items + i + 1, (map->n_items - i) * sizeof(*map->items));
        return;
    }
}

static struct mr_yaml *put(struct mr_yaml *map, const char *key, enum mr_yaml_type type)
{
    struct mr_yaml *node = mr_yaml_new(type, map->at);

    mr_yaml_drop(map, key);
    node->key = mr_strdup(key);
    mr_yaml_append(map, node);
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

    if (!*text || (!strchr(letters, *text) && *text != '/'))
        return false;
    for (const char *c = text; *c; c++)
        if (!strchr(letters, *c) && !strchr(others, *c))
            return false;
    return strcmp(text, "null") != 0;
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
