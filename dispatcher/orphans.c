#include "dispatcher/orphans.h"

#include "dispatcher/dispatcher.h"
#include "dispatcher/pages.h"
#include "proto/base/list.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

struct mr_orphans {
    struct mr_dispatcher *dispatcher;
    struct mr_list watches;
    unsigned n_watches;
};

struct watch {
    struct mr_list node;
    struct mr_orphans *orphans;
    struct mr_child *child;
    int pidfd; /* -1: the look once a second alone */
    uv_poll_t poll;
};

static void on_closed(uv_handle_t *poll)
{
    struct watch *watch = poll->data;

    close(watch->pidfd);
    free(watch);
}

static void unwatch(struct watch *watch)
{
    mr_list_remove(&watch->node);
    watch->orphans->n_watches--;
    if (watch->pidfd >= 0)
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    else
        free(watch);
}

/* The lock has the word: a pid read from a page may be anybody's by now. */
static void look(struct watch *watch)
{
    struct mr_child *child = watch->child;
    struct mr_dispatcher *dispatcher = watch->orphans->dispatcher;

    if (!mr_pages_is_free(child))
        return;
    mr_log_info("orphan.ended", "pool=%s worker=%s pid=%d", child->pool, child->worker,
                (int)child->pid);
    unwatch(watch);
    mr_dispatcher_reap(dispatcher, child);
}

static void on_pidfd(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    uv_poll_stop(poll); /* a dead process' pidfd stays readable */
    look(poll->data);
}

static void watch_pid(struct watch *watch)
{
    watch->pidfd =
        watch->child->pid > 0 ? (int)syscall(SYS_pidfd_open, watch->child->pid, 0) : -1;
    if (watch->pidfd < 0)
        return;
    if (uv_poll_init(watch->orphans->dispatcher->loop, &watch->poll, watch->pidfd) < 0) {
        close(watch->pidfd);
        watch->pidfd = -1;
        return;
    }
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_pidfd);
}

static void watch_child(struct mr_orphans *orphans, struct mr_child *child)
{
    struct watch *watch = mr_zalloc(sizeof(*watch));

    watch->orphans = orphans;
    watch->child = child;
    mr_list_push_back(&orphans->watches, &watch->node);
    orphans->n_watches++;
    watch_pid(watch);
}

/* Without its page nobody knows which queues it served: its pool's, or every queue we know. */
static void guess_queues(const struct mr_dispatcher *dispatcher, struct mr_child *child)
{
    const struct mr_pool_config *pool = mr_config_pool(dispatcher->config, child->pool);
    const struct mr_queues *known = &dispatcher->queues;

    if (pool) {
        mr_child_set_queues(child, (const char *const *)pool->queues, pool->n_queues);
        return;
    }
    const char **names = mr_zalloc_array(known->n_items, sizeof(*names));
    for (unsigned q = 0; q < known->n_items; q++)
        names[q] = known->items[q]->keys.name;
    mr_child_set_queues(child, names, known->n_items);
    free(names);
}

static void on_found(void *arg, struct mr_child *child)
{
    struct mr_orphans *orphans = arg;
    struct mr_dispatcher *dispatcher = orphans->dispatcher;

    mr_log_info("orphan.found", "pool=%s worker=%s pid=%d alive=%s", child->pool, child->worker,
                (int)child->pid, child->dead ? "no" : "yes");
    if (!child->page.header)
        guess_queues(dispatcher, child);
    mr_list_push_back(&dispatcher->children, &child->node);
    if (child->dead)
        mr_dispatcher_reap(dispatcher, child);
    else
        watch_child(orphans, child);
}

struct mr_orphans *mr_orphans_new(struct mr_dispatcher *dispatcher)
{
    struct mr_orphans *orphans = mr_zalloc(sizeof(*orphans));

    orphans->dispatcher = dispatcher;
    mr_list_init(&orphans->watches);
    return orphans;
}

enum mr_code mr_orphans_adopt(struct mr_orphans *orphans, struct mr_err *err)
{
    return mr_pages_adopt(orphans->dispatcher->runtime_dir, on_found, orphans, err);
}

void mr_orphans_add(struct mr_orphans *orphans, struct mr_child *child)
{
    child->orphan = true;
    mr_pages_reopen(child);
    watch_child(orphans, child);
}

void mr_orphans_look(struct mr_orphans *orphans)
{
    mr_list_each_safe (node, &orphans->watches)
        look(mr_list_entry(node, struct watch, node));
}

unsigned mr_orphans_count(const struct mr_orphans *orphans)
{
    return orphans->n_watches;
}

void mr_orphans_free(struct mr_orphans *orphans)
{
    if (!orphans)
        return;
    mr_list_each_safe (node, &orphans->watches)
        unwatch(mr_list_entry(node, struct watch, node));
    free(orphans);
}
