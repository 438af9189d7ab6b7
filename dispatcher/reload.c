#include "dispatcher/dispatcher.h"

#include "dispatcher/spawn.h"
#include "proto/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The old configuration stays; what is wrong goes where a person looks. */
static enum mr_code refuse(struct mr_dispatcher *d, const char *lines, struct mr_err *err)
{
    snprintf(d->reload_error, sizeof(d->reload_error), "%s", lines);
    return mr_fail(err, MR_EINVAL, "%s", d->reload_error);
}

static enum mr_code refuse_all(struct mr_dispatcher *d, const struct mr_config_errors *errors,
                               struct mr_err *err)
{
    struct mr_buf lines = {0};

    for (unsigned l = 0; l < errors->n_lines; l++) {
        mr_log_error("config.refused", "reason=%s", errors->lines[l]);
        mr_buf_printf(&lines, "%s%s", l ? "\n" : "", errors->lines[l]);
    }
    refuse(d, lines.at ? lines.at : "unreadable", err);
    mr_buf_fini(&lines);
    return MR_EINVAL;
}

/* The worker program may have moved; without one the new configuration is of no use. */
static enum mr_code find_worker(struct mr_dispatcher *d, const struct mr_config *now,
                                struct mr_err *err)
{
    struct mr_err why;
    char *program;

    if (mr_spawn_find_worker(now->worker_program, &program, &why) != MR_OK) {
        mr_log_error("config.refused", "reason=%s", why.text);
        return refuse(d, why.text, err);
    }
    free(d->worker_program);
    d->worker_program = program;
    return MR_OK;
}

static void spread_to_parts(struct mr_dispatcher *d)
{
    const struct mr_config *config = d->config;

    mr_log_open("dispatcher", config->log.level, config->log.format);
    mr_renew_set_lease(d->renew, config->lease_ms);
    mr_reaper_set_config(d->reaper, config);
    mr_audit_set_config(d->audit, config);
    for (unsigned q = 0; q < d->queues.n_items; q++)
        d->queues.items[q]->ours = false;
    for (unsigned p = 0; p < config->n_pools; p++)
        for (unsigned q = 0; q < config->pools[p].n_queues; q++)
            mr_queues_add(&d->queues, config->pools[p].queues[q], true);
}

static void keep_pool(struct mr_dispatcher *d, struct mr_pool *pool,
                      const struct mr_config *old)
{
    const struct mr_pool_config *now = mr_config_pool(d->config, pool->name);

    pool->removed = !now;
    if (now && !pool->shared)
        mr_pool_set_wanted(pool, now->processes);
    if (now && mr_config_pool_changed(old, d->config, pool->name))
        mr_pool_restart(pool);
    mr_pool_balance(pool); /* also empties it when removed */
}

static void spread_to_pools(struct mr_dispatcher *d, const struct mr_config *old)
{
    unsigned n_before = d->n_pools;

    for (unsigned p = 0; p < n_before; p++)
        keep_pool(d, d->pools[p], old);
    for (unsigned p = 0; p < d->config->n_pools; p++)
        if (!mr_dispatcher_pool(d, d->config->pools[p].name))
            mr_dispatcher_add_pool(d, &d->config->pools[p]);
    mr_fleet_set_config(d->fleet, d->config);
}

static void take(struct mr_dispatcher *d, struct mr_config *now, struct mr_buf *changed)
{
    struct mr_config *old = d->config;
    struct mr_buf kept = {0};

    mr_config_compare(old, now, changed);
    mr_config_keep(&now, old, &kept);
    d->config = now;
    d->reload_error[0] = '\0';
    spread_to_parts(d);
    spread_to_pools(d, old);
    mr_log_info("config.reloaded", "changed=%s", changed->len ? changed->at : "nothing");
    if (kept.len)
        mr_log_warn("config.restart_needed", "options=%s hint=%s", kept.at,
                    "they wait until the dispatcher is started again");
    mr_buf_fini(&kept);
    mr_config_free(old);
}

enum mr_code mr_dispatcher_reload(struct mr_dispatcher *d, struct mr_buf *changed,
                                  struct mr_err *err)
{
    struct mr_config_errors errors = {0};
    struct mr_config *now = NULL;
    struct mr_buf names = {0};

    if (d->draining)
        return mr_fail(err, MR_EBUSY, "the dispatcher is draining");
    enum mr_code code =
        mr_config_load(d->config_path, (const char *const *)environ, &now, &errors);
    if (code != MR_OK)
        code = refuse_all(d, &errors, err);
    else if ((code = find_worker(d, now, err)) != MR_OK)
        mr_config_free(now);
    else
        take(d, now, &names);
    if (changed)
        mr_buf_add(changed, names.at, names.len);
    mr_buf_fini(&names);
    mr_config_errors_fini(&errors);
    return code;
}
