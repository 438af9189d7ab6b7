#include "dispatcher/snapshot.h"

#include "dispatcher/dispatcher.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- workers ---- */

/* The slot that holds child, or NULL: an orphan, or one that is being reaped. */
static const struct mr_slot *slot_of(const struct mr_dispatcher *d,
                                     const struct mr_child *child)
{
    for (unsigned p = 0; p < d->n_pools; p++)
        for (unsigned s = 0; s < d->pools[p]->n_slots; s++)
            if (mr_slot_child(d->pools[p]->slots[s]) == child)
                return d->pools[p]->slots[s];
    return NULL;
}

static void take_worker(const struct mr_dispatcher *d, const struct mr_child *child,
                        struct mr_snapshot *out)
{
    struct mr_snapshot_worker *worker = &out->workers[out->n_workers++];
    const struct mr_slot *slot = slot_of(d, child);
    uint64_t now_ms = mr_clock_ms();

    *worker = (struct mr_snapshot_worker){.pool = child->pool, .pid = child->pid};
    snprintf(worker->worker, sizeof(worker->worker), "%s", child->worker);
    worker->state = slot ? mr_slot_state_name(mr_slot_state(slot)) : "orphan";
    worker->up_ms = slot ? now_ms - mr_slot_since_ms(slot) : 0;
    mr_snapshot_read_page(&child->page, now_ms, worker);
    if (child->page.header)
        mr_totals_add(out->totals, &child->page);
    mr_totals_add_gauges(out->totals, &child->page);
}

static void take_workers(const struct mr_dispatcher *d, struct mr_snapshot *out)
{
    size_t n = 0;

    mr_list_each (node, &d->children)
        n++;
    out->workers = mr_zalloc_array(n, sizeof(*out->workers));
    mr_list_each (node, &d->children) {
        const struct mr_child *child = mr_list_entry(node, struct mr_child, node);

        if (!child->dead) /* the dead are in the dispatcher's totals already */
            take_worker(d, child, out);
    }
}

/* ---- pools and queues ---- */

static void count_places(const struct mr_snapshot *snapshot, struct mr_snapshot_pool *pool)
{
    for (unsigned i = 0; i < snapshot->n_workers; i++) {
        if (strcmp(snapshot->workers[i].pool, pool->name) != 0)
            continue;
        pool->places_busy += snapshot->workers[i].places_busy;
        pool->places += snapshot->workers[i].places;
    }
}

static void take_pool(const struct mr_dispatcher *d, const struct mr_pool *pool,
                      struct mr_snapshot *out)
{
    struct mr_snapshot_pool *to = &out->pools[out->n_pools++];
    const struct mr_pool_config *config = mr_config_pool(d->config, pool->name);

    *to = (struct mr_snapshot_pool){
        .name = pool->name,
        .queues = config ? config->queues : NULL,
        .n_queues = config ? config->n_queues : 0,
        .wanted = pool->wanted,
        .fleet_wanted = mr_fleet_wanted(d->fleet, pool->name),
        .concurrency = config ? config->concurrency : 0,
        .starts = pool->starts,
        .exits_clean = pool->exits_clean,
        .exits_recycled = pool->exits_recycled,
        .exits_crashed = pool->exits_crashed,
        .exits_killed = pool->exits_killed,
        .exits_fenced = pool->exits_fenced,
        .exits_config = pool->exits_config,
        .exits_failed = pool->exits_failed,
        .failing = pool->failing,
        .draining = pool->draining,
    };
    mr_pool_count(pool, to->by_state);
    count_places(out, to);
}

static void take_pools(const struct mr_dispatcher *d, struct mr_snapshot *out)
{
    out->pools = mr_zalloc_array(d->n_pools, sizeof(*out->pools));
    for (unsigned i = 0; i < d->n_pools; i++)
        take_pool(d, d->pools[i], out);
}

static void take_queues(const struct mr_dispatcher *d, struct mr_snapshot *out)
{
    out->queues = mr_zalloc_array(d->queues.n_items, sizeof(*out->queues));
    for (unsigned i = 0; i < d->queues.n_items; i++) {
        const struct mr_queue *queue = d->queues.items[i];

        out->queues[out->n_queues++] = (struct mr_snapshot_queue){
            .name = queue->keys.name,
            .ours = queue->ours,
            .paused = queue->paused,
            .ready = d->redis_up ? queue->ready : -1,
            .delayed = d->redis_up ? queue->delayed : -1,
            .reserved = d->redis_up ? queue->reserved : -1,
            .dead = d->redis_up ? queue->dead : -1,
            .workers = d->redis_up ? queue->workers : -1,
        };
    }
}

/* ---- all ---- */

static void take_readiness(const struct mr_dispatcher *d, struct mr_snapshot *out)
{
    struct mr_err why_not = {.text = ""};

    out->ready = mr_dispatcher_is_ready(d, &why_not);
    if (!out->ready)
        snprintf(out->not_ready, sizeof(out->not_ready), "%.*s",
                 (int)sizeof(out->not_ready) - 1, why_not.text);
}

void mr_snapshot_take(const struct mr_dispatcher *d, struct mr_snapshot *out)
{
    *out = (struct mr_snapshot){
        .version = MR_VERSION,
        .host = d->host,
        .name = mr_fleet_name(d->fleet),
        .redis_version = d->redis_version,
        .durability = mr_durability_name(d->durability),
        .maxmemory_policy = d->maxmemory_policy,
        .promise = d->promise,
        .reload_error = d->reload_error,
        .redis_address = mr_link_address(mr_store_link(d->store)),
        .now_ms = mr_clock_wall_ms(),
        .started_at_ms = d->started_at_ms,
        .draining = d->draining,
        .redis_up = d->redis_up,
        .redis_reconnects = d->redis_reconnects,
        .promoted = mr_promote_moved(d->promote),
        .dispatchers = mr_fleet_size(d->fleet),
        .totals = mr_totals_copy(d->totals),
        .reaper = mr_reaper_stats(d->reaper),
        .audit = mr_audit_stats(d->audit),
    };
    take_readiness(d, out);
    take_workers(d, out);
    take_pools(d, out);
    take_queues(d, out);
}

void mr_snapshot_fini(struct mr_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (unsigned i = 0; i < snapshot->n_workers; i++)
        free(snapshot->workers[i].jobs);
    free(snapshot->workers);
    free(snapshot->pools);
    free(snapshot->queues);
    mr_totals_free(snapshot->totals);
    *snapshot = (struct mr_snapshot){0};
}
