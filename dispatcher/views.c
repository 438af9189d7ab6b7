#include "dispatcher/views.h"

#include "proto/base/mem.h"

#include <string.h>

/* Text from outside may not be UTF-8: then there is nothing that JSON could say. */
static json_t *text_or_null(const char *text)
{
    json_t *json = text && text[0] ? json_string(text) : NULL;

    return json ? json : json_null();
}

/* -1 stands for what nobody knows. */
static json_t *count_or_null(long long n)
{
    return n < 0 ? json_null() : json_integer(n);
}

static double seconds(uint64_t ms)
{
    return (double)ms / 1000.0;
}

json_t *mr_views_list(json_t *items, const char *next)
{
    return json_pack("{s:o, s:o}", "items", items, "next", text_or_null(next));
}

/* ---- workers ---- */

static const char *place_state_name(enum mr_place_state state)
{
    static const char *const names[] = {
        [MR_PLACE_FREE] = "free",       [MR_PLACE_PARSING] = "parsing",
        [MR_PLACE_RUNNING] = "running", [MR_PLACE_CANCELLED] = "cancelled",
        [MR_PLACE_WAITING] = "waiting",
    };

    return names[state];
}

static json_t *view_job(const struct mr_snapshot_job *job)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:I, s:f, s:I, s:I, s:b}", "uuid",
                     text_or_null(job->uuid), "job", text_or_null(job->job), "queue",
                     text_or_null(job->queue), "state", place_state_name(job->state), "attempt",
                     (json_int_t)job->attempt, "running_s", seconds(job->running_ms),
                     "progress_pct", (json_int_t)job->progress_pct, "progress_count",
                     (json_int_t)job->progress_count, "timed_out", (int)job->timed_out);
}

static json_t *view_worker(const struct mr_snapshot_worker *worker)
{
    json_t *jobs = json_array();

    for (unsigned i = 0; i < worker->n_jobs; i++)
        json_array_append_new(jobs, view_job(&worker->jobs[i]));
    return json_pack(
        "{s:s, s:I, s:s, s:f, s:f, s:I, s:I, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:o}", "worker",
        worker->worker, "pid", (json_int_t)worker->pid, "state", worker->state, "up_s",
        seconds(worker->up_ms), "beat_s", seconds(worker->beat_ms), "places_busy",
        (json_int_t)worker->places_busy, "places", (json_int_t)worker->places, "redis_up",
        (int)worker->redis_up, "fenced", (int)worker->fenced, "stuck", (int)worker->stuck,
        "fetched", (json_int_t)worker->fetched, "started", (json_int_t)worker->started,
        "finished", (json_int_t)worker->finished, "lease_lost", (json_int_t)worker->lease_lost,
        "jobs", jobs);
}

/* ---- pools ---- */

static json_t *view_states(const struct mr_snapshot_pool *pool)
{
    json_t *states = json_object();

    for (unsigned s = 0; s < MR_SLOT_STATES; s++)
        json_object_set_new(states, mr_slot_state_name((enum mr_slot_state)s),
                            json_integer(pool->by_state[s]));
    return states;
}

static json_t *view_exits(const struct mr_snapshot_pool *pool)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "clean",
                     (json_int_t)pool->exits_clean, "recycled",
                     (json_int_t)pool->exits_recycled, "crashed",
                     (json_int_t)pool->exits_crashed, "killed", (json_int_t)pool->exits_killed,
                     "fenced", (json_int_t)pool->exits_fenced, "config",
                     (json_int_t)pool->exits_config, "failed", (json_int_t)pool->exits_failed);
}

static json_t *view_pool(const struct mr_snapshot_pool *pool)
{
    json_t *queues = json_array();

    for (unsigned i = 0; i < pool->n_queues; i++)
        json_array_append_new(queues, json_string(pool->queues[i]));
    return json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:b, s:b, s:I, s:o}", "pool", pool->name,
        "queues", queues, "wanted", (json_int_t)pool->fleet_wanted, "here",
        (json_int_t)pool->wanted, "concurrency", (json_int_t)pool->concurrency, "processes",
        view_states(pool), "places_busy", (json_int_t)pool->places_busy, "places",
        (json_int_t)pool->places, "failing", (int)pool->failing, "draining",
        (int)pool->draining, "starts", (json_int_t)pool->starts, "exits", view_exits(pool));
}

/* Workers of a pool that is gone (orphans) stand under no pool; pool NULL asks for these. */
static bool belongs(const struct mr_snapshot *snapshot, const struct mr_snapshot_worker *worker,
                    const struct mr_snapshot_pool *pool)
{
    if (pool)
        return strcmp(worker->pool, pool->name) == 0;
    for (unsigned i = 0; i < snapshot->n_pools; i++)
        if (belongs(snapshot, worker, &snapshot->pools[i]))
            return false;
    return true;
}

static json_t *view_workers(const struct mr_snapshot *snapshot,
                            const struct mr_snapshot_pool *pool)
{
    json_t *workers = json_array();

    for (unsigned i = 0; i < snapshot->n_workers; i++)
        if (belongs(snapshot, &snapshot->workers[i], pool))
            json_array_append_new(workers, view_worker(&snapshot->workers[i]));
    return workers;
}

json_t *mr_views_pools(const struct mr_snapshot *snapshot)
{
    json_t *items = json_array();

    for (unsigned i = 0; i < snapshot->n_pools; i++) {
        json_t *pool = view_pool(&snapshot->pools[i]);

        json_object_set_new(pool, "workers", view_workers(snapshot, &snapshot->pools[i]));
        json_array_append_new(items, pool);
    }
    json_t *list = mr_views_list(items, NULL);
    json_object_set_new(list, "orphans", view_workers(snapshot, NULL));
    return list;
}

json_t *mr_views_jobs(const struct mr_snapshot *snapshot)
{
    json_t *items = json_array();

    for (unsigned i = 0; i < snapshot->n_workers; i++) {
        const struct mr_snapshot_worker *worker = &snapshot->workers[i];

        for (unsigned j = 0; j < worker->n_jobs; j++) {
            json_t *job = view_job(&worker->jobs[j]);

            json_object_set_new(job, "pool", json_string(worker->pool));
            json_object_set_new(job, "worker", json_string(worker->worker));
            json_object_set_new(job, "pid", json_integer(worker->pid));
            json_array_append_new(items, job);
        }
    }
    return mr_views_list(items, NULL);
}

/* ---- queues ---- */

static json_t *view_queue_items(const struct mr_snapshot *snapshot)
{
    json_t *items = json_array();

    for (unsigned i = 0; i < snapshot->n_queues; i++) {
        const struct mr_snapshot_queue *queue = &snapshot->queues[i];

        json_array_append_new(
            items,
            json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "queue", queue->name,
                      "served_here", (int)queue->ours, "paused", (int)queue->paused, "ready",
                      count_or_null(queue->ready), "delayed", count_or_null(queue->delayed),
                      "reserved", count_or_null(queue->reserved), "dead",
                      count_or_null(queue->dead), "workers", count_or_null(queue->workers)));
    }
    return items;
}

json_t *mr_views_queues(const struct mr_snapshot *snapshot)
{
    return mr_views_list(view_queue_items(snapshot), NULL);
}

/* ---- the whole ---- */

static json_t *view_redis(const struct mr_snapshot *s)
{
    return json_pack("{s:b, s:s, s:o, s:s, s:o, s:o, s:I}", "up", (int)s->redis_up, "address",
                     s->redis_address, "version", text_or_null(s->redis_version), "durability",
                     s->durability, "promise", text_or_null(s->promise), "maxmemory_policy",
                     text_or_null(s->maxmemory_policy), "reconnects",
                     (json_int_t)s->redis_reconnects);
}

static json_t *view_verdicts(const struct mr_totals *totals)
{
    uint64_t sums[MR_PAGE_VERDICTS] = {0};

    for (size_t i = 0; i < totals->n_verdicts; i++)
        for (unsigned v = 0; v < MR_PAGE_VERDICTS; v++)
            sums[v] += totals->verdicts[i].verdicts[v];
    return json_pack("{s:I, s:I, s:I, s:I}", "done", (json_int_t)sums[MR_PAGE_DONE], "retry",
                     (json_int_t)sums[MR_PAGE_RETRY], "release",
                     (json_int_t)sums[MR_PAGE_RELEASE], "dead", (json_int_t)sums[MR_PAGE_DEAD]);
}

json_t *mr_views_status(const struct mr_snapshot *s)
{
    json_t *pools = json_array();

    for (unsigned i = 0; i < s->n_pools; i++)
        json_array_append_new(pools, view_pool(&s->pools[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:f, s:b, s:o, s:b, s:o, s:I, s:o, s:o, s:o, s:o}",
        "version", s->version, "host", s->host, "name", s->name, "started_at_ms",
        (json_int_t)s->started_at_ms, "now_ms", (json_int_t)s->now_ms, "up_s",
        s->now_ms > s->started_at_ms ? seconds(s->now_ms - s->started_at_ms) : 0.0, "ready",
        (int)s->ready, "not_ready", text_or_null(s->not_ready), "draining", (int)s->draining,
        "reload_error", text_or_null(s->reload_error), "dispatchers",
        (json_int_t)s->dispatchers, "redis", view_redis(s), "jobs", view_verdicts(s->totals),
        "pools", pools, "queues", view_queue_items(s));
}
