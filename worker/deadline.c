#include "worker/deadline.h"

#include "proto/base/mem.h"
#include "worker/delivery.h"

#include <assert.h>
#include <stdlib.h>

static void put(struct mr_deadlines *ds, unsigned slot, struct mr_delivery *delivery)
{
    ds->heap[slot] = delivery;
    delivery->heap_slot = slot;
}

static void rise(struct mr_deadlines *ds, unsigned slot, struct mr_delivery *delivery)
{
    for (; slot > 1 && ds->heap[slot / 2]->due_ms > delivery->due_ms; slot /= 2)
        put(ds, slot, ds->heap[slot / 2]);
    put(ds, slot, delivery);
}

static void sink(struct mr_deadlines *ds, unsigned slot, struct mr_delivery *delivery)
{
    for (;;) {
        unsigned child = 2 * slot;

        if (child < ds->n_waiting && ds->heap[child + 1]->due_ms < ds->heap[child]->due_ms)
            child++;
        if (child > ds->n_waiting || ds->heap[child]->due_ms >= delivery->due_ms)
            break;
        put(ds, slot, ds->heap[child]);
        slot = child;
    }
    put(ds, slot, delivery);
}

static void on_timer(uv_timer_t *timer);

/* A timer that rings too early is cheaper than one that is moved for each job. */
static void arm(struct mr_deadlines *ds)
{
    uint64_t now_ms = uv_now(ds->timer.loop);

    if (ds->n_waiting == 0 || ds->heap[1]->due_ms >= ds->armed_for_ms)
        return;
    ds->armed_for_ms = ds->heap[1]->due_ms;
    uv_timer_start(&ds->timer, on_timer,
                   ds->armed_for_ms > now_ms ? ds->armed_for_ms - now_ms : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct mr_deadlines *ds = timer->data;
    uint64_t now_ms = uv_now(timer->loop);

    ds->armed_for_ms = UINT64_MAX;
    while (ds->n_waiting > 0 && ds->heap[1]->due_ms <= now_ms) {
        struct mr_delivery *due = ds->heap[1];

        mr_deadlines_remove(ds, due);
        ds->on_due(ds->arg, due);
    }
    arm(ds);
}

void mr_deadlines_init(struct mr_deadlines *deadlines, uv_loop_t *loop, unsigned n,
                       mr_deadline_fn *on_due, void *arg)
{
    *deadlines = (struct mr_deadlines){.armed_for_ms = UINT64_MAX, .on_due = on_due};
    deadlines->arg = arg;
    deadlines->heap = mr_zalloc_array((size_t)n + 1, sizeof(struct mr_delivery *));
    uv_timer_init(loop, &deadlines->timer);
    uv_unref((uv_handle_t *)&deadlines->timer);
    deadlines->timer.data = deadlines;
}

void mr_deadlines_add(struct mr_deadlines *deadlines, struct mr_delivery *delivery,
                      uint64_t due_ms)
{
    assert(delivery->heap_slot == 0);
    delivery->due_ms = due_ms;
    rise(deadlines, ++deadlines->n_waiting, delivery);
    arm(deadlines);
}

void mr_deadlines_remove(struct mr_deadlines *deadlines, struct mr_delivery *delivery)
{
    unsigned slot = delivery->heap_slot;

    if (slot == 0)
        return;
    delivery->heap_slot = 0;
    struct mr_delivery *last = deadlines->heap[deadlines->n_waiting--];
    if (last == delivery)
        return;
    /* The last one fills the hole: it may belong higher or lower than there. */
    rise(deadlines, slot, last);
    sink(deadlines, last->heap_slot, last);
}

void mr_deadlines_close(struct mr_deadlines *deadlines, uv_close_cb on_closed)
{
    free(deadlines->heap);
    deadlines->heap = NULL;
    deadlines->n_waiting = 0;
    uv_close((uv_handle_t *)&deadlines->timer, on_closed);
}
