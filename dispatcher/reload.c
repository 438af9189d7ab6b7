#include "dispatcher/dispatcher.h"

#include "proto/base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The old configuration stays; every line of what is wrong goes where a person looks. */
static enum mr_code refuse(struct mr_dispatcher *d, const struct mr_config_errors *errors,
                           struct mr_err *err)
{
    struct mr_buf all = {0};

    for (unsigned l = 0; l < errors->n_lines; l++) {
        mr_log_error("config.refused", "reason=%s", errors->lines[l]);
        mr_buf_printf(&all, "%s%s", l ? "\n" : "", errors->lines[l]);
    }
    snprintf(d->reload_error, sizeof(d->reload_error), "%s", all.at ? all.at : "unreadable");
    mr_buf_fini(&all);
    return mr_fail(err, MR_EINVAL, "%s", d->reload_error);
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

enum mr_code mr_dispatcher_reload(struct mr_dispatcher *d, struct mr_buf *changed,
                                  struct mr_err *err)
{
    struct mr_config_errors errors = {0};
    struct mr_config *now = NULL, *old = d->config;
    struct mr_buf names = {0};
    enum mr_code code =
        mr_config_load(d->config_path, (const char *const *)environ, &now, &errors);

    if (code != MR_OK) {
        code = refuse(d, &errors, err);
        mr_config_errors_fini(&errors);
        return code;
    }
    unsigned what = mr_config_compare(old, now, &names);
    d->config = now;
    d->reload_error[0] = '\0';
    spread_to_parts(d);
    spread_to_pools(d, old);
    mr_log_info("config.reloaded", "changed=%s", names.len ? names.at : "nothing");
    if (what & MR_CONFIG_RESTART)
        mr_log_warn("config.restart_needed", "changed=%s hint=%s", names.at,
                    "some of these take effect only when the dispatcher is started again");
    if (changed)
        mr_buf_add(changed, names.at, names.len);
    mr_buf_fini(&names);
    mr_config_errors_fini(&errors);
    mr_config_free(old);
    return MR_OK;
}
