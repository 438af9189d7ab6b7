#include "dispatcher/sizes.h"

#include "dispatcher/audit.h"
#include "dispatcher/dispatcher.h"
#include "proto/base/clock.h"
#include "proto/base/list.h"
#include "proto/base/mem.h"

#include <stdlib.h>

enum { FRESH_MS = 500 };

struct mr_sizes {
    struct mr_dispatcher *dispatcher;
    struct mr_list waiters;
    uint64_t answered_ms; /* monotonic: end of the last round; 0 before */
    bool asking;
    bool closed;
};

struct waiter {
    struct mr_list node;
    void (*done)(void *arg);
    void *arg;
};

struct mr_sizes *mr_sizes_new(struct mr_dispatcher *dispatcher)
{
    struct mr_sizes *sizes = mr_zalloc(sizeof(*sizes));

    sizes->dispatcher = dispatcher;
    mr_list_init(&sizes->waiters);
    return sizes;
}

static void on_answered(void *arg)
{
    struct mr_sizes *sizes = arg;

    sizes->asking = false;
    sizes->answered_ms = mr_clock_ms();
    while (!mr_list_empty(&sizes->waiters)) {
        struct waiter *waiter = mr_list_entry(sizes->waiters.next, struct waiter, node);

        mr_list_remove(&waiter->node);
        waiter->done(waiter->arg);
        free(waiter);
    }
    if (sizes->closed)
        free(sizes);
}

void mr_sizes_ask(struct mr_sizes *sizes, void (*done)(void *arg), void *arg)
{
    bool fresh = sizes->answered_ms && mr_clock_ms() - sizes->answered_ms < (uint64_t)FRESH_MS;

    if (!sizes->asking && (fresh || sizes->closed)) {
        done(arg);
        return;
    }
    struct waiter *waiter = mr_zalloc(sizeof(*waiter));
    waiter->done = done;
    waiter->arg = arg;
    mr_list_push_back(&sizes->waiters, &waiter->node);
    if (!sizes->asking) {
        sizes->asking = true;
        mr_audit_refresh_sizes(sizes->dispatcher->audit, on_answered, sizes);
    }
}

void mr_sizes_expire(struct mr_sizes *sizes)
{
    sizes->answered_ms = 0;
}

void mr_sizes_free(struct mr_sizes *sizes)
{
    if (!sizes)
        return;
    sizes->closed = true;
    if (!sizes->asking)
        free(sizes);
}
