/* When to look at which delivery next: one heap and one timer for all of a worker's deliveries. */
#ifndef MR_WORKER_DEADLINE_H
#define MR_WORKER_DEADLINE_H

#include <stdint.h>
#include <uv.h>

struct mr_delivery;

typedef void mr_deadline_fn(void *arg, struct mr_delivery *delivery);

/* Memory the caller holds; opaque in use. */
struct mr_deadlines {
    uv_timer_t timer;
    struct mr_delivery **heap; /* heap[1] is due first; heap[0] is not used */
    unsigned n_waiting;
    uint64_t armed_for_ms; /* UINT64_MAX: the timer is off */
    mr_deadline_fn *on_due;
    void *arg;
};

/*
 * Room for n deliveries at once. on_due comes from the loop, not before the delivery's time, which is on the loop's
 * clock; the delivery is out of the heap then. The timer does not keep the loop alive.
 */
void mr_deadlines_init(struct mr_deadlines *deadlines, uv_loop_t *loop, unsigned n,
                       mr_deadline_fn *on_due, void *arg);
/* At most once at a time for a delivery. */
void mr_deadlines_add(struct mr_deadlines *deadlines, struct mr_delivery *delivery,
                      uint64_t due_ms);
/* Nothing happens when it is not there. */
void mr_deadlines_remove(struct mr_deadlines *deadlines, struct mr_delivery *delivery);
/* Forgets the deliveries and closes the timer: on_closed gets &deadlines->timer. */
void mr_deadlines_close(struct mr_deadlines *deadlines, uv_close_cb on_closed);

#endif
