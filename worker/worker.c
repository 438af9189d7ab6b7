#include "worker/worker.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "worker/fetch.h"
#include "worker/leave.h"
#include "worker/settle.h"
#include "worker/standing.h"
#include "worker/sync.h"
#include "worker/wake.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TURN_US = 500,   /* a turn starts jobs for so long, then settles and listens */
    OVERDUE_MS = 20, /* a fetched job waits no longer for those of queues before its own */
};

/* ---- small questions ---- */

bool mr_worker_gate_open(const struct mr_worker *worker)
{
    return worker->synced && !worker->page.header->fenced && worker->gate_fresh;
}

unsigned mr_worker_waiting(const struct mr_worker *worker)
{
    unsigned waiting = 0;

    for (unsigned i = 0; i < worker->n_sources; i++)
        waiting += worker->sources[i].n_fetched;
    return waiting;
}

static unsigned room_behind(const struct mr_worker *worker, unsigned waiting)
{
    unsigned free_places = mr_runner_free_places(worker->runner);

    return free_places > waiting ? free_places - waiting : 0;
}

unsigned mr_worker_room(const struct mr_worker *worker)
{
    return room_behind(worker, mr_worker_waiting(worker));
}

unsigned mr_worker_room_for(const struct mr_source *source)
{
    unsigned waiting = 0;

    for (unsigned i = 0; i <= source->index; i++)
        waiting += source->worker->sources[i].n_fetched;
    return room_behind(source->worker, waiting);
}

void mr_worker_wake(struct mr_worker *worker)
{
    worker->turn_due = true;
}

static void on_again(uv_timer_t *timer)
{
    struct mr_worker *worker = timer->data;

    worker->full = false;
    mr_worker_wake(worker);
}

void mr_worker_again(struct mr_worker *worker, uint64_t delay_ms)
{
    if (worker->leaving)
        return;
    if (!uv_is_active((uv_handle_t *)&worker->again) ||
        uv_timer_get_due_in(&worker->again) > delay_ms)
        uv_timer_start(&worker->again, on_again, delay_ms, 0);
}

void mr_worker_fenced(struct mr_worker *worker, const char *how)
{
    if (!worker->page.header->fenced || worker->fate != MR_FATE_FENCED)
        mr_log_warn("worker.fenced", "worker=%s how=%s", worker->incarnation, how);
    worker->page.header->fenced = 1;
    mr_worker_leave(worker, MR_FATE_FENCED);
}

/* ---- the turn: start, settle, fetch, wait; then one write ---- */

static struct mr_lease *first_of(const struct mr_source *source)
{
    if (mr_list_empty(&source->ready))
        return NULL;
    struct mr_lease *lease = mr_list_entry(source->ready.next, struct mr_lease, ready);
    bool is_here =
        lease->next < lease->read && lease->items[lease->next].state == MR_ITEM_FETCHED;

    return is_here ? lease : NULL;
}

/*
 * In the order of the queues. But what was fetched has been given its turn already: behind a queue whose jobs never end
 * it would wait here for ever, in the lease of a worker that has no time for it. So it goes before what came later.
 */
static struct mr_lease *first_ready(struct mr_worker *worker)
{
    uint64_t now_ms = uv_now(worker->loop);
    struct mr_lease *first = NULL;

    for (unsigned i = 0; i < worker->n_sources; i++) {
        struct mr_lease *lease = first_of(&worker->sources[i]);

        if (lease && (!first || (now_ms - lease->came_at_ms > OVERDUE_MS &&
                                 lease->came_at_ms < first->came_at_ms)))
            first = lease;
    }
    return first;
}

/* Starts the next job of the lease; false when it cannot start now. */
static bool start_next(struct mr_worker *worker, struct mr_lease *lease)
{
    struct mr_item *item = &lease->items[lease->next];
    struct mr_address address = {lease->source->index, lease->k, lease->next};

    mr_item_set(item, MR_ITEM_RUNNING);
    lease->next++;
    if (mr_runner_start(worker->runner, &address, item->payload, item) != MR_OK) {
        lease->next--;
        mr_item_set(item, MR_ITEM_FETCHED);
        return false;
    }
    mr_lease_pass_over(lease);
    worker->page.header->started++;
    return true;
}

/* Starts what can start; true when time ran out before jobs or places did. */
static bool start_jobs(struct mr_worker *worker)
{
    uint64_t until_us = mr_clock_us() + TURN_US;

    for (unsigned n = 1; mr_runner_free_places(worker->runner) > 0; n++) {
        struct mr_lease *lease = first_ready(worker);

        if (!lease || !start_next(worker, lease))
            return false;
        if (mr_runner_clock_us(worker->runner) > until_us ||
            (n % 32 == 0 && mr_clock_us() > until_us))
            return true;
    }
    return false;
}

static void on_more(uv_idle_t *idle)
{
    struct mr_worker *worker = idle->data;

    mr_worker_wake(worker); /* only here to keep the loop from sleeping */
}

static void keep_turning(struct mr_worker *worker, bool more)
{
    if (more)
        uv_idle_start(&worker->more, on_more);
    else
        uv_idle_stop(&worker->more);
}

static void drop_all_unstarted(struct mr_worker *worker)
{
    for (unsigned i = 0; i < worker->n_sources; i++)
        mr_list_each_safe (node, &worker->sources[i].leases) {
            struct mr_lease *lease = mr_list_entry(node, struct mr_lease, node);

            if (lease->state == MR_LEASE_HELD)
                mr_lease_drop_unstarted(lease);
        }
}

static void say_ready(struct mr_worker *worker)
{
    if (worker->ready_said)
        return;
    worker->ready_said = true;
    worker->page.header->state = MR_WORKER_SERVING;
    mr_log_info("worker.ready", "pool=%s worker=%s", worker->pool->name, worker->incarnation);
    if (!worker->standalone)
        mr_parent_say(&worker->parent, 'r');
}

static void turn(struct mr_worker *worker)
{
    bool more = false;

    worker->gate_fresh = mr_standing_is_fresh(worker, 800);
    if (worker->page.header->fenced) {
        mr_worker_fenced(worker, "page");
        drop_all_unstarted(worker);
    } else if (worker->fate != MR_FATE_SERVE)
        mr_settle_give_back_all(worker);
    else if (mr_worker_gate_open(worker)) {
        say_ready(worker);
        more = start_jobs(worker);
    }
    mr_settle_flush(worker);
    mr_fetch_if_wanted(worker);
    mr_wait_update(worker);
    keep_turning(worker, more);
    mr_link_flush(mr_store_link(worker->store));
    if (worker->fate != MR_FATE_SERVE)
        mr_leave_if_over(worker);
}

static void on_turn_end(uv_prepare_t *prepare)
{
    struct mr_worker *worker = prepare->data;

    if (!worker->turn_due || worker->leaving)
        return;
    worker->turn_due = false;
    turn(worker);
}

/* ---- the run side's events ---- */

static void on_finished(void *arg, struct mr_delivery *delivery,
                        const struct mr_verdict *verdict, const struct mr_outcome *outcome)
{
    struct mr_worker *worker = arg;

    worker->page.header->finished++;
    mr_settle_verdict(worker, delivery->owner, delivery, verdict, outcome);
    if (worker->pool->max_jobs && worker->page.header->finished >= worker->pool->max_jobs)
        mr_worker_leave(worker, MR_FATE_RECYCLE);
}

static void on_stuck(void *arg)
{
    mr_worker_leave(arg, MR_FATE_STUCK);
}

/* ---- Redis comes and goes ---- */

static void on_store_ready(void *arg)
{
    struct mr_worker *worker = arg;

    worker->page.header->redis_up = 1;
    mr_log_info("redis.up", "address=%s", mr_link_address(mr_store_link(worker->store)));
    if (worker->standalone && worker->n_registered < worker->n_sources)
        mr_standing_register(worker);
    else
        mr_sync_start(worker);
}

static void on_store_lost(void *arg, const struct mr_err *why)
{
    struct mr_worker *worker = arg;

    if (worker->page.header->redis_up) { /* else an attempt to connect failed: no news */
        worker->page.header->redis_reconnects++;
        mr_log_warn("redis.lost", "address=%s why=%s",
                    mr_link_address(mr_store_link(worker->store)), why->text);
    }
    worker->page.header->redis_up = 0;
    worker->synced = false;
    mr_worker_wake(worker);
}

/* ---- the tick ---- */

static uint64_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Half of the names of some queue are retired: a new incarnation has all of them. */
static bool names_run_out(const struct mr_worker *worker)
{
    for (unsigned i = 0; i < worker->n_sources; i++) {
        const struct mr_names *names = &worker->sources[i].names;

        if (names->n_retired > names->n_names / 2)
            return true;
    }
    return false;
}

static void recycle_if_due(struct mr_worker *worker)
{
    const struct mr_pool_config *pool = worker->pool;

    if ((pool->max_age_ms && mr_clock_ms() - worker->started_at_ms > pool->max_age_ms) ||
        (pool->max_rss_bytes && resident_bytes() > pool->max_rss_bytes) ||
        names_run_out(worker))
        mr_worker_leave(worker, MR_FATE_RECYCLE);
}

static void on_tick(uv_timer_t *timer)
{
    struct mr_worker *worker = timer->data;

    worker->page.header->beat_ms = mr_clock_ms();
    mr_standing_renew_if_needed(worker);
    recycle_if_due(worker);
    mr_sync_audit(worker, false);
    mr_worker_wake(worker);
}

/* ---- told from outside ---- */

static void told_to_leave(struct mr_worker *worker)
{
    if (!worker->told)
        worker->fate_at_ms = mr_clock_ms();
    worker->told = true;
    mr_worker_leave(worker, MR_FATE_TOLD);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct mr_worker *worker = handle->data;

    if (number == SIGUSR1)
        mr_sync_audit(worker, true);
    else
        told_to_leave(worker);
    mr_worker_wake(worker);
}

static void on_drain(void *arg)
{
    told_to_leave(arg);
}

static void on_cancel(void *arg, const char *uuid)
{
    struct mr_worker *worker = arg;

    if (!mr_runner_cancel(worker->runner, uuid))
        mr_log_info("worker.cancel_missed", "uuid=%s", uuid);
}

static void on_parent_gone(void *arg)
{
    struct mr_worker *worker = arg;

    worker->parent_gone = true;
    mr_standing_renew_if_needed(worker);
    mr_worker_leave(worker, MR_FATE_TOLD);
}

/* ---- life ---- */

static void watch_signal(struct mr_worker *worker, uv_signal_t *handle, int number)
{
    uv_signal_init(worker->loop, handle);
    handle->data = worker;
    uv_signal_start(handle, on_signal, number);
}

static void init_handles(struct mr_worker *worker)
{
    uint64_t beat_ms = worker->config->lease_ms / 5;

    uv_prepare_init(worker->loop, &worker->turn_end);
    uv_idle_init(worker->loop, &worker->more);
    uv_timer_init(worker->loop, &worker->tick);
    uv_timer_init(worker->loop, &worker->again);
    worker->turn_end.data = worker->more.data = worker->tick.data = worker->again.data = worker;
    uv_prepare_start(&worker->turn_end, on_turn_end);
    uv_timer_start(&worker->tick, on_tick, 0, beat_ms);
    watch_signal(worker, &worker->sigterm, SIGTERM);
    watch_signal(worker, &worker->sigint, SIGINT);
    watch_signal(worker, &worker->sigusr1, SIGUSR1);
}

static enum mr_code init_sources(struct mr_worker *worker, struct mr_err *err)
{
    unsigned n_names = mr_worker_names(worker->incarnation);

    worker->n_sources = worker->pool->n_queues;
    worker->sources = mr_zalloc_array(worker->n_sources, sizeof(*worker->sources));
    for (unsigned i = 0; i < worker->n_sources; i++) {
        struct mr_source *source = &worker->sources[i];

        source->worker = worker;
        source->index = i;
        source->asked_at_ms = uv_now(worker->loop);
        mr_list_init(&source->leases);
        mr_list_init(&source->ready);
        mr_names_init(&source->names, n_names);
        mr_queue_keys_init(&source->keys, worker->config->redis.prefix,
                           worker->pool->queues[i]);
        enum mr_code code = mr_wait_new(source, &source->wait, err);
        if (code != MR_OK)
            return code;
    }
    return MR_OK;
}

static enum mr_code init_store(struct mr_worker *worker, struct mr_err *err)
{
    const struct mr_config *config = worker->config;
    struct mr_store_options options = {
        .link = {.url = config->redis.url,
                 .username = config->redis.username,
                 .password = config->redis.password,
                 .name = "millrace-worker",
                 .connect_timeout_ms = config->redis.connect_timeout_ms,
                 .reply_timeout_ms = config->redis.reply_timeout_ms},
        .prefix = config->redis.prefix,
    };
    struct mr_store_events events = {on_store_ready, on_store_lost, worker};

    return mr_store_new(worker->loop, &options, &events, &worker->store, err);
}

static enum mr_code init_page(struct mr_worker *worker, const struct mr_worker_options *options,
                              struct mr_err *err)
{
    const struct mr_pool_config *pool = worker->pool;

    if (!worker->standalone) {
        enum mr_code code = mr_page_map(options->page_fd, &worker->page, err);

        if (code == MR_OK)
            code = mr_page_lock(options->page_fd, err);
        return code;
    }
    struct mr_page_shape shape = {pool->n_queues, mr_worker_names(worker->incarnation),
                                  pool->concurrency, pool->threads};
    return mr_page_create_private(&shape, worker->incarnation, pool->name,
                                  (const char *const *)pool->queues, &worker->page, err);
}

static enum mr_code find_pool(struct mr_worker *worker, const char *name, struct mr_err *err)
{
    worker->pool = name ? mr_config_pool(worker->config, name)
                        : (worker->config->n_pools ? &worker->config->pools[0] : NULL);
    if (!worker->pool)
        return mr_fail(err, MR_EINVAL, "pool %s: the configuration has no such pool",
                       name ? name : "?");
    if (worker->pool->n_queues > MR_CHOOSE_MAX)
        return mr_fail(err, MR_EINVAL, "pool %s: %u queues, the most is %u", worker->pool->name,
                       worker->pool->n_queues, MR_CHOOSE_MAX);
    return MR_OK;
}

enum mr_code mr_worker_init(struct mr_worker *worker, uv_loop_t *loop,
                            const struct mr_config *config,
                            const struct mr_worker_options *options, struct mr_err *err)
{
    memset(worker, 0, sizeof(*worker));
    worker->loop = loop;
    worker->config = config;
    worker->standalone = !options->worker;
    worker->one_by_one = options->one_by_one;
    worker->started_at_ms = mr_clock_ms();
    mr_list_init(&worker->dirty);
    for (unsigned i = 0; i < MR_FETCHES; i++)
        worker->fetches[i].worker = worker;
    mr_random_seed(&worker->random);
    enum mr_code code = find_pool(worker, options->pool, err);
    if (code != MR_OK)
        return code;
    if (worker->standalone)
        mr_worker_make(worker->incarnation, worker->pool->concurrency + MR_SPARE_NAMES);
    else
        snprintf(worker->incarnation, sizeof(worker->incarnation), "%s", options->worker);
    code = init_page(worker, options, err);
    if (code != MR_OK)
        return code;
    worker->page.header->pid = (uint32_t)getpid();
    mr_recorder_init(&worker->recorder, &worker->page);
    mr_recorder_catch_crashes(&worker->recorder);
    struct mr_runner_events events = {on_finished, on_stuck, worker};
    code = mr_runner_new(loop, config, worker->pool, &worker->recorder, &events,
                         &worker->runner, err);
    if (code == MR_OK)
        code = init_store(worker, err);
    if (code == MR_OK)
        code = init_sources(worker, err);
    if (code != MR_OK)
        return code;
    if (!worker->standalone) {
        struct mr_parent_events parent = {on_drain, on_cancel, on_parent_gone, worker};

        mr_parent_start(&worker->parent, loop, options->pulse_fd, &parent);
    }
    init_handles(worker);
    return MR_OK;
}

int mr_worker_run(struct mr_worker *worker)
{
    static const int status[] = {
        [MR_FATE_SERVE] = 70,  [MR_FATE_TOLD] = 0,   [MR_FATE_RECYCLE] = 75,
        [MR_FATE_FENCED] = 76, [MR_FATE_STUCK] = 75,
    };

    mr_store_start(worker->store);
    uv_run(worker->loop, UV_RUN_DEFAULT);
    assert(worker->closing == 0);
    return status[worker->fate];
}

void mr_worker_fini(struct mr_worker *worker)
{
    for (unsigned i = 0; i < worker->n_sources; i++) {
        struct mr_source *source = &worker->sources[i];

        mr_list_each_safe (node, &source->leases) {
            struct mr_lease *lease = mr_list_entry(node, struct mr_lease, node);

            lease->owed = 0; /* left without an answer: the reaper's */
            mr_lease_try_free(lease);
        }
        mr_names_fini(&source->names);
        mr_queue_keys_fini(&source->keys);
    }
    free(worker->sources);
    mr_page_unmap(&worker->page);
}
