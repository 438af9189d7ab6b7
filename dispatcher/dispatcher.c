#include "dispatcher/dispatcher.h"

#include "dispatcher/notify.h"
#include "dispatcher/orphans.h"
#include "dispatcher/pages.h"
#include "dispatcher/parts.h"
#include "dispatcher/process.h"
#include "dispatcher/settings.h"
#include "dispatcher/totals.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    LATE_MS = 2500, /* ticks further apart: we stood still ourselves, and judge nobody */
    OUTAGE_FIRST_MS = 1000,  /* a Redis that is away is named after so long, */
    OUTAGE_LAST_MS = 60000,  /* then at doubling intervals up to this */
    REAP_PATIENCE_MS = 5000, /* at the end: how long Redis may take over the last reaps */
};

/* ---- Redis comes and goes ---- */

static void begin_outage(struct mr_dispatcher *d, const char *reason)
{
    uint64_t now_ms = mr_clock_ms();

    d->outage.since_ms = now_ms;
    d->outage.wait_ms = OUTAGE_FIRST_MS;
    d->outage.say_at_ms = now_ms + OUTAGE_FIRST_MS;
    snprintf(d->outage.reason, sizeof(d->outage.reason), "%s", reason);
}

void mr_dispatcher_on_redis_up(void *arg)
{
    struct mr_dispatcher *d = arg;

    d->redis_up = true;
    mr_log_info("redis.up", "address=%s", mr_link_address(mr_store_link(d->store)));
    mr_settings_ask(d);
    mr_reaper_resume(d->reaper);
    mr_fleet_resume(d->fleet); /* it clears the pools to start */
}

void mr_dispatcher_on_redis_lost(void *arg, const struct mr_err *why)
{
    struct mr_dispatcher *d = arg;

    if (d->redis_up) {
        mr_log_warn("redis.lost", "reason=%s", why->text);
        begin_outage(d, why->text);
    }
    d->redis_up = false;
    d->redis_reconnects = mr_link_reconnects(mr_store_link(d->store));
    snprintf(d->outage.reason, sizeof(d->outage.reason), "%s", why->text);
}

/* Said at doubling intervals: an outage is neither forgotten nor a flood. */
static void mind_outage(struct mr_dispatcher *d, uint64_t now_ms)
{
    if (d->redis_up || now_ms < d->outage.say_at_ms)
        return;
    mr_log_error("redis.away", "address=%s for_ms=%llu reason=%s",
                 mr_link_address(mr_store_link(d->store)),
                 (unsigned long long)(now_ms - d->outage.since_ms), d->outage.reason);
    d->outage.wait_ms *= 2;
    if (d->outage.wait_ms > OUTAGE_LAST_MS)
        d->outage.wait_ms = OUTAGE_LAST_MS;
    d->outage.say_at_ms = now_ms + d->outage.wait_ms;
}

/* ---- signals and the tick ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct mr_dispatcher *d = handle->data;

    mr_log_info("dispatcher.signal", "signal=%s", strsignal(number));
    if (number == SIGHUP) {
        mr_dispatcher_reload(d, NULL, NULL);
    } else if (!d->draining) {
        mr_dispatcher_drain(d);
    } else {
        mr_log_warn("dispatcher.hurry", "hint=%s", "what still runs is killed");
        for (unsigned p = 0; p < d->n_pools; p++)
            mr_pool_hurry(d->pools[p]);
    }
}

static void stop_clockwork(struct mr_dispatcher *d)
{
    for (size_t s = 0; s < MR_COUNT(d->signals); s++)
        uv_close((uv_handle_t *)&d->signals[s], NULL);
    uv_close((uv_handle_t *)&d->tick, NULL);
    uv_close((uv_handle_t *)&d->soon, NULL);
}

static bool reaps_are_done(const struct mr_dispatcher *d)
{
    mr_list_each (node, &d->children)
        if (mr_list_entry(node, struct mr_child, node)->dead)
            return false;
    return true;
}

/* What Redis does not let us reap now stands in the runtime directory for the next dispatcher. */
static void end_when_drained(struct mr_dispatcher *d)
{
    if (!d->draining || d->stopping)
        return;
    for (unsigned p = 0; p < d->n_pools; p++)
        if (!mr_pool_is_empty(d->pools[p]))
            return;
    if (d->stop_by_ms == 0)
        d->stop_by_ms = mr_clock_ms() + REAP_PATIENCE_MS;
    if (!reaps_are_done(d) && mr_clock_ms() < d->stop_by_ms)
        return;
    d->stopping = true;
    stop_clockwork(d);
    mr_parts_stop(d);
}

static void on_soon(uv_timer_t *soon)
{
    end_when_drained(soon->data);
}

/* Not from here: whoever calls may be a slot or a part that would be gone under his feet. */
static void look_for_the_end_soon(struct mr_dispatcher *d)
{
    if (d->draining && !d->stopping)
        uv_timer_start(&d->soon, on_soon, 0, 0);
}

static void free_removed_pools(struct mr_dispatcher *d)
{
    unsigned kept = 0;

    for (unsigned p = 0; p < d->n_pools; p++) {
        if (d->pools[p]->removed && mr_pool_is_empty(d->pools[p]))
            mr_pool_free(d->pools[p]);
        else
            d->pools[kept++] = d->pools[p];
    }
    d->n_pools = kept;
}

/* Ready for the service manager is "up and minding its pools"; what /ready says goes into the status line. */
static void tell_service_manager(struct mr_dispatcher *d)
{
    struct mr_err why_not = {.text = "serving"};
    char text[sizeof(why_not.text) + 32];

    mr_dispatcher_is_ready(d, &why_not);
    snprintf(text, sizeof(text), "WATCHDOG=1\nSTATUS=%s", why_not.text);
    mr_notify(text);
}

/* Its slot, by libuv, waits for it. */
static bool is_a_slots(void *arg, pid_t pid)
{
    const struct mr_dispatcher *d = arg;

    mr_list_each (node, &d->children)
        if (mr_list_entry(node, struct mr_child, node)->pid == pid)
            return true;
    return false;
}

static void on_tick(uv_timer_t *tick)
{
    struct mr_dispatcher *d = tick->data;
    uint64_t now_ms = mr_clock_ms();
    bool late = now_ms - d->ticked_at_ms > LATE_MS;

    d->ticked_at_ms = now_ms;
    mind_outage(d, now_ms);
    mr_orphans_look(d->orphans);
    for (unsigned p = 0; p < d->n_pools; p++)
        mr_pool_look(d->pools[p], now_ms, late);
    free_removed_pools(d);
    mr_process_collect(is_a_slots, d);
    mr_promote_set_fleet(d->promote, mr_fleet_size(d->fleet));
    tell_service_manager(d);
    end_when_drained(d);
}

static void start_clockwork(struct mr_dispatcher *d)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (size_t s = 0; s < MR_COUNT(numbers); s++) {
        uv_signal_init(d->loop, &d->signals[s]);
        d->signals[s].data = d;
        uv_signal_start(&d->signals[s], on_signal, numbers[s]);
    }
    uv_timer_init(d->loop, &d->soon);
    d->soon.data = d;
    uv_timer_init(d->loop, &d->tick);
    d->tick.data = d;
    d->ticked_at_ms = mr_clock_ms();
    uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
}

/* ---- life ---- */

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

enum mr_code mr_dispatcher_init(struct mr_dispatcher *d, uv_loop_t *loop,
                                const char *config_path, struct mr_config *config,
                                struct mr_err *err)
{
    *d = (struct mr_dispatcher){
        .loop = loop, .config_path = config_path, .config = config, .lock_fd = -1};
    d->runtime_dir = mr_strdup(config->runtime_dir);
    d->started_at_ms = mr_clock_wall_ms();
    mr_list_init(&d->children);
    gethostname(d->host, sizeof(d->host) - 1);
    raise_file_limit();
    mr_process_inherit_descendants();
    enum mr_code code = mr_parts_start(d, err);
    if (code != MR_OK)
        return code;
    begin_outage(d, "no answer yet");
    start_clockwork(d);
    mr_store_start(d->store); /* last: every part is there to hear that Redis is */
    return MR_OK;
}

int mr_dispatcher_run(struct mr_dispatcher *d)
{
    mr_log_info("dispatcher.started", "host=%s runtime_dir=%s config=%s pools=%u", d->host,
                d->runtime_dir, d->config->source, d->n_pools);
    mr_notify("READY=1");
    uv_run(d->loop, UV_RUN_DEFAULT);
    mr_log_info("dispatcher.ended", "status=%d", d->status);
    return d->status;
}

void mr_dispatcher_fini(struct mr_dispatcher *d)
{
    mr_list_each_safe (node, &d->children)
        mr_child_free(mr_list_entry(node, struct mr_child, node));
    mr_queues_fini(&d->queues);
    mr_totals_free(d->totals);
    mr_config_free(d->config);
    free(d->pools);
    free(d->worker_program);
    free(d->runtime_dir);
}

/* ---- what operators say ---- */

void mr_dispatcher_drain(struct mr_dispatcher *d)
{
    if (d->draining)
        return;
    d->draining = true;
    mr_notify("STOPPING=1");
    mr_log_info("dispatcher.draining", "grace_ms=%llu",
                (unsigned long long)d->config->grace_ms);
    for (unsigned p = 0; p < d->n_pools; p++)
        mr_pool_drain(d->pools[p]);
    look_for_the_end_soon(d);
}

void mr_dispatcher_restart(struct mr_dispatcher *d)
{
    for (unsigned p = 0; p < d->n_pools; p++)
        mr_pool_restart(d->pools[p]);
}

static bool pool_is_ready(const struct mr_pool *pool)
{
    unsigned by_state[MR_SLOT_STATES];

    mr_pool_count(pool, by_state);
    return pool->wanted == 0 || pool->removed || by_state[MR_SLOT_SERVING] > 0;
}

bool mr_dispatcher_is_ready(const struct mr_dispatcher *d, struct mr_err *why_not)
{
    if (d->draining) {
        mr_fail(why_not, MR_EBUSY, "draining");
        return false;
    }
    if (!d->redis_up) {
        mr_fail(why_not, MR_EDOWN, "Redis is away: %s", d->outage.reason);
        return false;
    }
    for (unsigned p = 0; p < d->n_pools; p++) {
        if (!pool_is_ready(d->pools[p])) {
            mr_fail(why_not, MR_EBUSY, "pool %s has no serving worker", d->pools[p]->name);
            return false;
        }
    }
    return true;
}

struct mr_pool *mr_dispatcher_pool(const struct mr_dispatcher *d, const char *name)
{
    for (unsigned p = 0; p < d->n_pools; p++)
        if (strcmp(d->pools[p]->name, name) == 0)
            return d->pools[p];
    return NULL;
}

/* ---- for slots, pools and orphans ---- */

void mr_dispatcher_add_pool(struct mr_dispatcher *d, const struct mr_pool_config *pool)
{
    for (unsigned q = 0; q < pool->n_queues; q++)
        mr_queues_add(&d->queues, pool->queues[q], true);
    d->pools = mr_realloc(d->pools, (d->n_pools + 1) * sizeof(*d->pools));
    d->pools[d->n_pools++] = mr_pool_new(d, pool->name, pool->processes);
    mr_pool_balance(d->pools[d->n_pools - 1]);
}

void mr_dispatcher_forget(struct mr_dispatcher *d, struct mr_child *child)
{
    mr_renew_forget(d->renew, child);
    mr_pages_drop(child);
    mr_child_free(child);
}

static void on_reaped(void *arg, struct mr_child *child)
{
    struct mr_dispatcher *d = arg;
    struct mr_pool *pool = mr_dispatcher_pool(d, child->pool);

    if (pool)
        mr_careful_died(&pool->careful, child);
    mr_dispatcher_forget(d, child);
    look_for_the_end_soon(d);
}

void mr_dispatcher_reap(struct mr_dispatcher *d, struct mr_child *child)
{
    child->dead = true;
    if (child->page.header)
        mr_totals_add(d->totals, &child->page);
    mr_reaper_child(d->reaper, child, on_reaped, d);
}

void mr_dispatcher_on_pool(struct mr_dispatcher *d)
{
    look_for_the_end_soon(d);
}
