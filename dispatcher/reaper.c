#include "dispatcher/reaper.h"

#include "dispatcher/reap.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mr_reaper_let_go(struct mr_reaper *reaper)
{
    if (--reaper->holders == 0)
        free(reaper);
}

void mr_reaper_resume(struct mr_reaper *reaper)
{
    bool any = false;

    if (!mr_store_is_ready(reaper->store))
        return;
    mr_list_each_safe (node, &reaper->reaps) {
        struct mr_reap *reap = mr_list_entry(node, struct mr_reap, node);

        if (reap->stalled) {
            any = true;
            mr_reap_ask(reap);
        }
    }
    if (!any)
        uv_timer_stop(&reaper->again);
}

/* A page that speaks of other queues or names than its worker has is as good as lost. */
static bool page_is_usable(const struct mr_reap *reap)
{
    const struct mr_page *page = &reap->child->page;

    return page->header && page->shape.n_queues == reap->n_queues &&
           page->shape.n_names <= reap->n_names;
}

void mr_reaper_child(struct mr_reaper *reaper, struct mr_child *child,
                     void (*on_done)(void *arg, struct mr_child *child), void *arg)
{
    struct mr_reap *reap = mr_reap_new(reaper, child->worker, child->n_queues);

    reap->child = child;
    reap->done = on_done;
    reap->arg = arg;
    for (unsigned i = 0; i < child->n_queues; i++) {
        struct mr_queue *queue = mr_queues_add(reaper->queues, child->queues[i], false);

        if (queue)
            reap->queues[reap->n_queues++] = queue;
    }
    reap->has_page = page_is_usable(reap);
    mr_reap_enter(reap, MR_REAP_KILLING);
}

static bool is_under_way(const struct mr_reap *reap)
{
    return reap->phase < MR_REAP_LINGERING;
}

static bool reaps_queue(const struct mr_reap *reap, const struct mr_queue *queue)
{
    for (unsigned i = 0; i < reap->n_queues; i++)
        if (reap->queues[i] == queue)
            return true;
    return false;
}

void mr_reaper_stranger(struct mr_reaper *reaper, struct mr_queue *queue, const char *worker,
                        const char *seen)
{
    mr_list_each (node, &reaper->reaps) {
        const struct mr_reap *reap = mr_list_entry(node, struct mr_reap, node);

        if (is_under_way(reap) && strcmp(reap->worker, worker) == 0 && reaps_queue(reap, queue))
            return;
    }
    struct mr_reap *reap = mr_reap_new(reaper, worker, 1);

    reap->queues[reap->n_queues++] = queue;
    reap->seen = mr_strdup(seen);
    mr_reap_enter(reap, MR_REAP_FENCING);
}

bool mr_reaper_busy_with(const struct mr_reaper *reaper, const char *worker)
{
    mr_list_each (node, &reaper->reaps) {
        const struct mr_reap *reap = mr_list_entry(node, struct mr_reap, node);

        if (is_under_way(reap) && strcmp(reap->worker, worker) == 0)
            return true;
    }
    return false;
}

/* ---- life ---- */

enum mr_code mr_reaper_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                           const struct mr_config *config, struct mr_reaper **out)
{
    struct mr_reaper *reaper = mr_zalloc(sizeof(*reaper));
    size_t size = sizeof(reaper->host);

    *reaper = (struct mr_reaper){
        .loop = loop, .store = store, .queues = queues, .config = config, .holders = 1};
    if (uv_os_gethostname(reaper->host, &size) != 0)
        snprintf(reaper->host, sizeof(reaper->host), "localhost");
    mr_random_seed(&reaper->random);
    mr_list_init(&reaper->reaps);
    uv_timer_init(loop, &reaper->again);
    reaper->again.data = reaper;
    *out = reaper;
    return MR_OK;
}

struct mr_reaper_stats mr_reaper_stats(const struct mr_reaper *reaper)
{
    return reaper->stats;
}

void mr_reaper_set_config(struct mr_reaper *reaper, const struct mr_config *config)
{
    reaper->config = config;
}

static void on_again_closed(uv_handle_t *handle)
{
    struct mr_reaper *reaper = handle->data;

    if (reaper->on_stopped)
        reaper->on_stopped(reaper->arg);
    mr_reaper_let_go(reaper);
}

void mr_reaper_stop(struct mr_reaper *reaper, void (*on_stopped)(void *arg), void *arg)
{
    reaper->stopped = true;
    reaper->on_stopped = on_stopped;
    reaper->arg = arg;
    mr_list_each_safe (node, &reaper->reaps)
        mr_reap_close(mr_list_entry(node, struct mr_reap, node));
    uv_close((uv_handle_t *)&reaper->again, on_again_closed);
}
