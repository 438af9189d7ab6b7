/* Options that are lists: written as a list, or as one text with commas. */
#include "proto/options.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef json_t *read_item_fn(const struct mr_option_site *item, const char *text);

/*
 * Adds the items of a scalar with commas; blanks around them do not count. False after a
 * complaint.
 */
static bool read_commas(const struct mr_option_site *site, json_t *list,
                        read_item_fn *read_item)
{
    const char *at = site->node->text;
    bool good = true;

    for (;;) {
        at += strspn(at, " ");
        size_t len = strcspn(at, ","), end = len;

        while (len > 0 && at[len - 1] == ' ')
            len--;
        char *item = mr_strndup(at, len);
        json_t *value = read_item(site, item);

        free(item);
        good = value != NULL && good;
        if (value)
            json_array_append_new(list, value);
        if (at[end] == '\0')
            return good;
        at += end + 1;
    }
}

static bool read_items(const struct mr_option_site *site, json_t *list, read_item_fn *read_item)
{
    bool good = true;

    for (size_t i = 0; i < site->node->n_items; i++) {
        struct mr_option_site item = *site;
        json_t *value = NULL;

        item.node = site->node->items[i];
        if (item.node->type == MR_YAML_SCALAR)
            value = read_item(&item, item.node->text);
        else
            mr_option_complain(&item, "a list of plain values");
        good = value != NULL && good;
        if (value)
            json_array_append_new(list, value);
    }
    return good;
}

json_t *mr_option_read_list(const struct mr_option_site *site,
                            json_t *(*read_item)(const struct mr_option_site *item,
                                                 const char *text))
{
    json_t *list = json_array();
    bool good = false;

    if (site->node->type == MR_YAML_LIST)
        good = read_items(site, list, read_item);
    else if (site->node->type == MR_YAML_SCALAR)
        good = read_commas(site, list, read_item);
    else
        mr_option_complain(site, "a list");
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

void mr_option_print_list(const json_t *value, bool secrets, struct mr_buf *out)
{
    json_t *item;
    size_t i;

    mr_buf_char(out, '[');
    json_array_foreach(value, i, item)
    {
        mr_buf_text(out, i ? ", " : "");
        if (json_is_integer(item))
            mr_option_count.print(item, secrets, out);
        else
            mr_option_text.print(item, secrets, out);
    }
    mr_buf_char(out, ']');
}

static char ***field(const struct mr_option *row, void *base)
{
    return (void *)((char *)base + row->at);
}

static unsigned *counter(const struct mr_option *row, void *base)
{
    return (void *)((char *)base + row->size);
}

void mr_option_fill_list(const struct mr_option *row, const json_t *value, void *base)
{
    size_t n = json_array_size(value);
    char **items = n ? mr_zalloc_array(n, sizeof(*items)) : NULL;

    for (size_t i = 0; i < n; i++)
        items[i] = mr_strdup(json_string_value(json_array_get(value, i)));
    *field(row, base) = items;
    *counter(row, base) = (unsigned)n;
}

void mr_option_empty_list(const struct mr_option *row, void *base)
{
    char **items = *field(row, base);

    for (unsigned i = 0; i < *counter(row, base); i++)
        free(items[i]);
    free(items);
}

static json_t *read_nonempty(const struct mr_option_site *site, const char *text)
{
    if (*text)
        return json_string(text);
    mr_option_complain(site, "a list without empty items");
    return NULL;
}

static json_t *read_texts(const struct mr_option_site *site)
{
    return mr_option_read_list(site, read_nonempty);
}

const struct mr_option_type mr_option_texts = {
    .name = "list of text",
    .read = read_texts,
    .print = mr_option_print_list,
    .fill = mr_option_fill_list,
    .empty = mr_option_empty_list,
};
