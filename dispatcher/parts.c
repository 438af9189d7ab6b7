#include "dispatcher/parts.h"

#include "dispatcher/dispatcher.h"
#include "dispatcher/http.h"
#include "dispatcher/orphans.h"
#include "dispatcher/pages.h"
#include "dispatcher/spawn.h"
#include "dispatcher/totals.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* A part is on until its stop ends in stop_next, now or later. */
struct part {
    enum mr_code (*start)(struct mr_dispatcher *d, struct mr_err *err);
    void (*stop)(struct mr_dispatcher *d);
};

static void stop_next(void *arg);

static enum mr_code start_pages(struct mr_dispatcher *d, struct mr_err *err)
{
    return mr_pages_claim(d->runtime_dir, &d->lock_fd, err);
}

static void stop_pages(struct mr_dispatcher *d)
{
    close(d->lock_fd);
    stop_next(d);
}

static enum mr_code start_store(struct mr_dispatcher *d, struct mr_err *err)
{
    const struct mr_config *config = d->config;
    struct mr_store_options options = {
        .link = {.url = config->redis.url,
                 .username = config->redis.username,
                 .password = config->redis.password,
                 .name = "millrace-dispatcher",
                 .connect_timeout_ms = config->redis.connect_timeout_ms,
                 .reply_timeout_ms = config->redis.reply_timeout_ms},
        .prefix = config->redis.prefix,
    };
    struct mr_store_events events = {mr_dispatcher_on_redis_up, mr_dispatcher_on_redis_lost, d};
    enum mr_code code = mr_store_new(d->loop, &options, &events, &d->store, err);

    if (code != MR_OK)
        return code;
    mr_queues_init(&d->queues, config->redis.prefix);
    return MR_OK;
}

static void stop_store(struct mr_dispatcher *d)
{
    mr_store_stop(d->store, stop_next, d);
}

static enum mr_code start_renew(struct mr_dispatcher *d, struct mr_err *err)
{
    enum mr_code code = mr_renew_new(d->loop, d->store, &d->queues, &d->children,
                                     d->config->lease_ms, &d->renew);

    if (code != MR_OK)
        return mr_fail(err, code, "the renewal of leases did not start");
    mr_renew_start(d->renew);
    return MR_OK;
}

static void stop_renew(struct mr_dispatcher *d)
{
    mr_renew_stop(d->renew, stop_next, d);
}

static enum mr_code start_reaper(struct mr_dispatcher *d, struct mr_err *err)
{
    if (mr_reaper_new(d->loop, d->store, &d->queues, d->config, &d->reaper) != MR_OK)
        return mr_fail(err, MR_EIO, "the reaper did not start");
    d->totals = mr_totals_new();
    return MR_OK;
}

static void stop_reaper(struct mr_dispatcher *d)
{
    mr_reaper_stop(d->reaper, stop_next, d);
}

static enum mr_code start_promote(struct mr_dispatcher *d, struct mr_err *err)
{
    if (mr_promote_new(d->loop, d->store, &d->queues, &d->promote) != MR_OK)
        return mr_fail(err, MR_EIO, "the promotion of due jobs did not start");
    mr_promote_start(d->promote);
    return MR_OK;
}

static void stop_promote(struct mr_dispatcher *d)
{
    mr_promote_stop(d->promote, stop_next, d);
}

static enum mr_code start_audit(struct mr_dispatcher *d, struct mr_err *err)
{
    if (mr_audit_new(d->loop, d->store, &d->queues, &d->children, d->renew, d->reaper,
                     d->config, &d->audit) != MR_OK)
        return mr_fail(err, MR_EIO, "the audit did not start");
    mr_audit_start(d->audit);
    return MR_OK;
}

static void stop_audit(struct mr_dispatcher *d)
{
    mr_audit_stop(d->audit, stop_next, d);
}

static void on_share(void *arg, const char *pool_name, unsigned processes)
{
    struct mr_pool *pool = mr_dispatcher_pool(arg, pool_name);

    if (!pool || pool->removed)
        return;
    pool->shared = true;
    mr_pool_set_wanted(pool, processes);
}

static void on_cleared(void *arg)
{
    struct mr_dispatcher *d = arg;

    d->cleared = true;
    for (unsigned p = 0; p < d->n_pools; p++)
        mr_pool_look(d->pools[p], mr_clock_ms(), false);
}

/* Two versions must not write what the other cannot read: this one steps back. */
static void on_schema_mismatch(void *arg, const struct mr_err *why)
{
    struct mr_dispatcher *d = arg;

    mr_log_error("dispatcher.schema", "reason=%s", why->text);
    d->status = EX_CONFIG;
    mr_dispatcher_drain(d);
}

static enum mr_code start_fleet(struct mr_dispatcher *d, struct mr_err *err)
{
    struct mr_fleet_events events = {on_share, on_cleared, on_schema_mismatch, d};

    if (mr_fleet_new(d->loop, d->store, &d->queues, d->config, &events, &d->fleet) != MR_OK)
        return mr_fail(err, MR_EIO, "the fleet's heartbeat did not start");
    mr_fleet_start(d->fleet);
    return MR_OK;
}

static void stop_fleet(struct mr_dispatcher *d)
{
    mr_fleet_stop(d->fleet, stop_next, d);
}

static enum mr_code start_http(struct mr_dispatcher *d, struct mr_err *err)
{
    return mr_http_start(d, &d->http, err);
}

static void stop_http(struct mr_dispatcher *d)
{
    mr_http_stop(d->http, stop_next, d);
}

static enum mr_code start_pools(struct mr_dispatcher *d, struct mr_err *err)
{
    enum mr_code code =
        mr_spawn_find_worker(d->config->worker_program, &d->worker_program, err);

    if (code != MR_OK)
        return code;
    for (unsigned p = 0; p < d->config->n_pools; p++)
        mr_dispatcher_add_pool(d, &d->config->pools[p]);
    d->orphans = mr_orphans_new(d);
    return mr_orphans_adopt(d->orphans, err);
}

static void stop_pools(struct mr_dispatcher *d)
{
    mr_orphans_free(d->orphans);
    d->orphans = NULL;
    for (unsigned p = 0; p < d->n_pools; p++)
        mr_pool_free(d->pools[p]);
    d->n_pools = 0;
    stop_next(d);
}

/* In the order in which they start; they stop in reverse. */
static const struct part parts[] = {
    {start_pages,   stop_pages  },
    {start_store,   stop_store  },
    {start_renew,   stop_renew  },
    {start_reaper,  stop_reaper },
    {start_promote, stop_promote},
    {start_audit,   stop_audit  },
    {start_fleet,   stop_fleet  },
    {start_pools,   stop_pools  },
    {start_http,    stop_http   },
};

/* Stops the last part that is on; each calls back when it is through. */
static void stop_next(void *arg)
{
    struct mr_dispatcher *d = arg;

    if (d->n_started > 0)
        parts[--d->n_started].stop(d);
}

enum mr_code mr_parts_start(struct mr_dispatcher *d, struct mr_err *err)
{
    for (size_t p = 0; p < MR_COUNT(parts); p++) {
        enum mr_code code = parts[p].start(d, err);

        if (code != MR_OK) {
            stop_next(d);
            return code;
        }
        d->n_started++;
    }
    return MR_OK;
}

void mr_parts_stop(struct mr_dispatcher *d)
{
    stop_next(d);
}
