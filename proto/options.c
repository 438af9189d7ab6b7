#include "proto/options.h"

#include "proto/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 128, WORD_MAX = 64 };

/* One table being read into one object. */
struct walk {
    const struct mr_option_table *table;
    const char *path;
    struct mr_config_errors *errors;
    json_t *values;
};

static char *join(const char *path, const char *name)
{
    return *path ? mr_asprintf("%s.%s", path, name) : mr_strdup(name);
}

static const struct mr_option *find_row(const struct mr_option_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

/* What row's name says behind "group."; NULL if it stands elsewhere. */
static const char *name_within(const struct mr_option *row, const char *group)
{
    size_t len = strlen(group);

    if (len == 0)
        return row->name;
    return strncmp(row->name, group, len) == 0 && row->name[len] == '.' ? row->name + len + 1
                                                                        : NULL;
}

static bool is_group(const struct mr_option_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (name_within(&table->rows[i], name))
            return true;
    return false;
}

/* The keys that a group knows, each once and owned by the caller. */
static size_t list_keys(const struct mr_option_table *table, const char *group,
                        char *keys[NAMES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < table->n_rows && n < NAMES_MAX; i++) {
        const char *name = name_within(&table->rows[i], group);
        size_t len = name ? strcspn(name, ".") : 0;

        if (!name || (n > 0 && strlen(keys[n - 1]) == len && !memcmp(keys[n - 1], name, len)))
            continue;
        keys[n++] = mr_strndup(name, len);
    }
    return n;
}

static void complain_of_unknown(struct walk *walk, const char *group,
                                const struct mr_yaml *node)
{
    char *keys[NAMES_MAX];
    size_t n = list_keys(walk->table, group, keys);
    const char *meant = mr_str_nearest(node->key, (const char *const *)keys, n);
    struct mr_buf known = {0};

    if (meant)
        mr_buf_printf(&known, "did you mean \"%s\"?", meant);
    else
        mr_buf_text(&known, "known here are ");
    for (size_t i = 0; i < n; i++) {
        if (!meant)
            mr_buf_printf(&known, "%s%s", i ? ", " : "", keys[i]);
    }
    mr_config_errors_add(walk->errors, node->key_at, "unknown key \"%s\"%s%s%s%s: %s",
                         node->key, *walk->path || *group ? " in " : "", walk->path,
                         *walk->path && *group ? "." : "", group, known.at);
    for (size_t i = 0; i < n; i++)
        free(keys[i]);
    mr_buf_fini(&known);
}

/* "redis.url: x" is how we name an option, not how a file writes it. */
static void complain_of_dots(struct walk *walk, const struct mr_yaml *node)
{
    size_t len = strcspn(node->key, ".");

    mr_config_errors_add(walk->errors, node->key_at,
                         "\"%s\" is not a key: did you mean %.*s: {%s: ...}?", node->key,
                         (int)len, node->key, node->key + len + 1);
}

static void read_row(struct walk *walk, const struct mr_option *row, const struct mr_yaml *node)
{
    if (mr_yaml_is_absent(node))
        return; /* the fallback counts */
    char *path = join(walk->path, row->name);
    struct mr_option_site site = {row, path, node, walk->errors};

    mr_options_set(walk->values, row->name, row->type->read(&site));
    free(path);
}

static void complain_of_no_map(struct walk *walk, const char *name, const struct mr_yaml *node)
{
    struct mr_buf got = {0};

    mr_yaml_describe(node, &got);
    mr_config_errors_add(walk->errors, node->at, "%s%s%s must be a map of options, got %s",
                         walk->path, *walk->path && *name ? "." : "",
                         *walk->path || *name ? name : "the document", got.at);
    mr_buf_fini(&got);
}

static void read_group(struct walk *walk, const char *group, const struct mr_yaml *node)
{
    if (mr_yaml_is_absent(node))
        return;
    if (node->type != MR_YAML_MAP) {
        complain_of_no_map(walk, group, node);
        return;
    }
    for (size_t i = 0; i < node->n_items; i++) {
        const struct mr_yaml *member = node->items[i];
        char *name = join(group, member->key);
        const struct mr_option *row = find_row(walk->table, name);
        bool opens_group = is_group(walk->table, name);

        if ((row || opens_group) && strchr(member->key, '.'))
            complain_of_dots(walk, member);
        else if (row)
            read_row(walk, row, member);
        else if (opens_group)
            read_group(walk, name, member);
        else
            complain_of_unknown(walk, group, member);
        free(name);
    }
}

/* Our own text, so it is right: a test reads all of them. */
static json_t *read_fallback(const struct mr_option *row, struct mr_config_errors *errors)
{
    char *text = mr_strdup(row->fallback);
    struct mr_yaml node = {.type = MR_YAML_SCALAR, .text = text, .at = {.origin = "default"}};
    struct mr_option_site site = {row, row->name, &node, errors};
    json_t *value = row->type->read(&site);

    free(text);
    return value;
}

json_t *mr_options_read(const struct mr_option_table *table, const struct mr_yaml *node,
                        const char *path, struct mr_config_errors *errors)
{
    struct walk walk = {table, path, errors, json_object()};

    read_group(&walk, "", node);
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct mr_option *row = &table->rows[i];

        if (row->fallback && !mr_options_get(walk.values, row->name))
            mr_options_set(walk.values, row->name, read_fallback(row, errors));
    }
    return walk.values;
}

json_t *mr_options_read_entries(const struct mr_option_site *site)
{
    const struct mr_option_type *type = site->row->type;
    json_t *entries = json_object();

    if (site->node->type != MR_YAML_MAP) {
        mr_option_complain(site, "a map from names to options");
        json_decref(entries);
        return NULL;
    }
    for (size_t i = 0; i < site->node->n_items; i++) {
        const struct mr_yaml *member = site->node->items[i];
        char *path = join(site->path, member->key);

        if (!type->is_name(mr_bytes_of(member->key)))
            mr_config_errors_add(site->errors, member->key_at, "\"%s\" is no name: %s",
                                 member->key, type->name_rule);
        else
            json_object_set_new(entries, member->key,
                                mr_options_read(type->entries, member, path, site->errors));
        free(path);
    }
    return entries;
}

void mr_options_fill(const struct mr_option_table *table, const json_t *values, void *base)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct mr_option *row = &table->rows[i];

        if (row->size)
            row->type->fill(row, mr_options_get(values, row->name), base);
    }
}

void mr_options_empty(const struct mr_option_table *table, void *base)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (table->rows[i].size && table->rows[i].type->empty)
            table->rows[i].type->empty(&table->rows[i], base);
}

/*
 * Copies the first word of a dotted name into word; gives what follows its dot, NULL at the
 * end.
 */
static const char *first_word(const char *name, char word[WORD_MAX])
{
    size_t len = strcspn(name, ".");

    assert(len < WORD_MAX); /* names are the rows' own */
    memcpy(word, name, len);
    word[len] = '\0';
    return name[len] ? name + len + 1 : NULL;
}

json_t *mr_options_get(const json_t *values, const char *name)
{
    char word[WORD_MAX];

    while (values && name) {
        name = first_word(name, word);
        values = json_object_get(values, word);
    }
    return (json_t *)(uintptr_t)values;
}

void mr_options_set(json_t *values, const char *name, json_t *value)
{
    char word[WORD_MAX];

    if (!value)
        return;
    while ((name = first_word(name, word))) {
        json_t *group = json_object_get(values, word);

        if (!group) {
            group = json_object();
            json_object_set_new(values, word, group);
        }
        values = group;
    }
    json_object_set_new(values, word, value);
}

static void indent(struct mr_buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        mr_buf_text(out, "  ");
}

static void print_key(struct mr_buf *out, unsigned depth, const char *key, size_t len)
{
    char *text = mr_strndup(key, len);

    indent(out, depth);
    mr_yaml_quote(out, text);
    mr_buf_char(out, ':');
    free(text);
}

/*
 * The heads of the groups that row's name opens and last's has not; gives the name's last
 * word.
 */
static const char *print_heads(const char *name, const char *last, unsigned *depth,
                               struct mr_buf *out)
{
    bool shared = true;

    for (size_t len; len = strcspn(name, "."), name[len]; name += len + 1) {
        shared = shared && strncmp(name, last, len + 1) == 0;
        if (shared) {
            last += len + 1;
        } else {
            print_key(out, *depth, name, len);
            mr_buf_char(out, '\n');
        }
        (*depth)++;
    }
    return name;
}

static void print_entries(const struct mr_option_type *type, const json_t *value, bool secrets,
                          unsigned depth, struct mr_buf *out)
{
    const char *name;
    json_t *entry;

    mr_buf_text(out, json_object_size(value) ? "\n" : " {}\n");
    json_object_foreach((json_t *)(uintptr_t)value, name, entry)
    {
        print_key(out, depth, name, strlen(name));
        mr_buf_char(out, '\n');
        mr_options_print(type->entries, entry, secrets, depth + 1, out);
    }
}

void mr_options_print(const struct mr_option_table *table, const json_t *values, bool secrets,
                      unsigned depth, struct mr_buf *out)
{
    const char *last = "";

    for (size_t i = 0; i < table->n_rows; i++) {
        const struct mr_option *row = &table->rows[i];
        const json_t *value = mr_options_get(values, row->name);
        unsigned inner = depth;

        if (!value)
            continue;
        const char *word = print_heads(row->name, last, &inner, out);
        print_key(out, inner, word, strlen(word));
        last = row->name;
        if (row->type->entries) {
            print_entries(row->type, value, secrets, inner + 1, out);
            continue;
        }
        mr_buf_char(out, ' ');
        if (row->flags & MR_OPTION_SECRET && !secrets)
            mr_buf_text(out, "\"***\"");
        else
            row->type->print(value, secrets, out);
        mr_buf_char(out, '\n');
    }
}

static json_t *copy_entries(const struct mr_option_type *type, json_t *value)
{
    json_t *copies = json_object(), *entry;
    const char *name;

    json_object_foreach(value, name, entry)
        json_object_set_new(copies, name, mr_options_sections(type->entries, entry));
    return copies;
}

json_t *mr_options_sections(const struct mr_option_table *table, const json_t *values)
{
    json_t *sections = json_object();

    for (size_t i = 0; i < table->n_rows; i++) {
        const struct mr_option *row = &table->rows[i];
        json_t *value = row->size ? NULL : mr_options_get(values, row->name);
        char *name = mr_asprintf("%s%s", row->name, row->type->suffix ? row->type->suffix : "");

        if (value)
            mr_options_set(sections, name,
                           row->type->entries ? copy_entries(row->type, value)
                                              : json_incref(value));
        free(name);
    }
    return sections;
}

void mr_option_complain_meant(const struct mr_option_site *site, const char *what,
                              const char *meant)
{
    struct mr_buf got = {0};

    if (site->row->flags & MR_OPTION_SECRET && site->node->type == MR_YAML_SCALAR)
        mr_buf_text(&got, "something else");
    else
        mr_yaml_describe(site->node, &got);
    if (meant)
        mr_buf_printf(&got, ": did you mean \"%s\"?", meant);
    mr_config_errors_add(site->errors, site->node->at, "%s must be %s, got %s", site->path,
                         what, got.at);
    mr_buf_fini(&got);
}

void mr_option_complain(const struct mr_option_site *site, const char *what)
{
    mr_option_complain_meant(site, what, NULL);
}
