/* What a configuration looks like to people and to the next process, and how two of them differ. */
#include "proto/config.h"

#include "proto/base/mem.h"
#include "proto/config_env.h"
#include "proto/config_table.h"
#include "proto/options.h"

#include <stdlib.h>
#include <string.h>

void mr_config_print(const struct mr_config *config, bool secrets, struct mr_buf *out)
{
    mr_options_print(&mr_config_table, config->values, secrets, 0, out);
}

static void document_reload(const struct mr_option *row, struct mr_buf *out)
{
    if (row->flags & MR_CONFIG_RESTART)
        mr_buf_text(out, "; a change needs a restart");
    else if (row->flags & MR_CONFIG_WORKERS)
        mr_buf_text(out, "; a reload replaces the workers");
    else
        mr_buf_text(out, "; a reload takes effect at once");
}

/*
 * before ("pools.NAME.") stands before the option's name; variables say whether the
 * environment can set it.
 */
static void document_row(const struct mr_option *row, const char *before, bool variables,
                         struct mr_buf *out)
{
    mr_buf_printf(out, "%s%s\n    %s\n    %s", before, row->name, row->doc, row->type->name);
    if (row->range)
        mr_buf_printf(out, ", %s", row->range);
    if (row->fallback)
        mr_buf_printf(out, "; default %s", *row->fallback ? row->fallback : "empty");
    document_reload(row, out);
    if (row->flags & MR_OPTION_SECRET)
        mr_buf_text(out, "; secret");
    if (variables && !row->type->entries) {
        mr_buf_text(out, "; MILLRACE_");
        mr_config_variable_name(before, out);
        mr_config_variable_name(row->name, out);
    }
    mr_buf_text(out, "\n");
}

void mr_config_docs(struct mr_buf *out)
{
    mr_buf_text(
        out,
        "One YAML file; every option may be left out. Spans of time are written 250ms, 10s, "
        "1h30m, "
        "sizes 512, 64KiB, 8MiB.\n"
        "${VAR} and ${VAR:-otherwise} stand for a variable of the environment, a whole value "
        "file:/path for what that file holds.\n"
        "The environment wins over the file: each option names its variable; lists are written "
        "with "
        "commas, an empty variable says nothing.\n"
        "MILLRACE_POOLS=critical,high alone makes one pool, critical, of these queues; "
        "MILLRACE_PROCESSES and MILLRACE_CONCURRENCY size it.\n"
        "Where no pool is configured there is one, default, of 1 process that serves the queue "
        "default.\n\n");
    for (size_t i = 0; i < mr_config_table.n_rows; i++) {
        const struct mr_option *row = &mr_config_table.rows[i];
        const struct mr_option_table *entries = row->type->entries;

        document_row(row, "", true, out);
        for (size_t j = 0; entries && j < entries->n_rows; j++) {
            char *path = mr_asprintf("%s.NAME.", row->name);

            document_row(&entries->rows[j], path, entries == &mr_pool_table, out);
            free(path);
        }
    }
}

static bool same(const json_t *old, const json_t *now)
{
    return old && now ? json_equal(old, now) : old == now;
}

static void add_name(struct mr_buf *changed, const char *path, const char *name)
{
    if (!changed)
        return;
    mr_buf_printf(changed, "%s%s%s", changed->len ? ", " : "", path, name);
}

/* The flags of the rows that differ, or-ed. */
static unsigned compare_rows(const struct mr_option_table *table, const json_t *old,
                             const json_t *now, const char *path, struct mr_buf *changed)
{
    unsigned flags = 0;

    for (size_t i = 0; i < table->n_rows; i++) {
        const struct mr_option *row = &table->rows[i];

        if (row->type->entries == &mr_pool_table ||
            same(mr_options_get(old, row->name), mr_options_get(now, row->name)))
            continue;
        flags |= row->flags;
        add_name(changed, path, row->name);
    }
    return flags & ~(unsigned)MR_OPTION_SECRET;
}

static unsigned compare_pools(const json_t *old_pools, const json_t *now_pools,
                              struct mr_buf *changed)
{
    unsigned flags = 0;
    const char *name;
    json_t *pool;

    json_object_foreach((json_t *)(uintptr_t)old_pools, name, pool)
    {
        struct mr_buf path = {0};
        const json_t *now = json_object_get(now_pools, name);

        mr_buf_printf(&path, "pools.%s.", name);
        if (now)
            flags |= compare_rows(&mr_pool_table, pool, now, path.at, changed);
        mr_buf_fini(&path);
    }
    return flags;
}

/* Pools of a that b has not. */
static unsigned compare_names(const json_t *a, const json_t *b, struct mr_buf *changed)
{
    unsigned flags = 0;
    const char *name;
    json_t *pool;

    json_object_foreach((json_t *)(uintptr_t)a, name, pool)
    {
        if (json_object_get(b, name))
            continue;
        add_name(changed, "pools.", name);
        flags |= MR_CONFIG_LIVE;
    }
    return flags;
}

unsigned mr_config_compare(const struct mr_config *old, const struct mr_config *now,
                           struct mr_buf *changed)
{
    const json_t *old_pools = json_object_get(old->values, "pools");
    const json_t *now_pools = json_object_get(now->values, "pools");

    return compare_rows(&mr_config_table, old->values, now->values, "", changed) |
           compare_pools(old_pools, now_pools, changed) |
           compare_names(old_pools, now_pools, changed) |
           compare_names(now_pools, old_pools, changed);
}

bool mr_config_pool_changed(const struct mr_config *old, const struct mr_config *now,
                            const char *pool)
{
    const json_t *before = json_object_get(json_object_get(old->values, "pools"), pool);
    const json_t *after = json_object_get(json_object_get(now->values, "pools"), pool);
    unsigned flags = compare_rows(&mr_config_table, old->values, now->values, "", NULL);

    if (!before || !after)
        return false;
    flags |= compare_rows(&mr_pool_table, before, after, "", NULL);
    return flags & MR_CONFIG_WORKERS;
}
