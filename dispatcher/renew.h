/* Registers workers before they start and renews the leases of all that live, in one call a queue. */
#ifndef MR_DISPATCHER_RENEW_H
#define MR_DISPATCHER_RENEW_H

#include "dispatcher/child.h"
#include "dispatcher/queues.h"
#include "proto/base/err.h"
#include "proto/store.h"

#include <uv.h>

struct mr_renew;

/* children is the head of the living ones (mr_child.node), borrowed. Ticks every lease_ms / 5 once started. */
enum mr_code mr_renew_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children, uint64_t lease_ms, struct mr_renew **out);
void mr_renew_start(struct mr_renew *renew);
/* REGISTER in every queue of the child, repeated until answered while the store is up; done once: MR_OK, MR_EFENCED (reaped already), MR_EDOWN. */
void mr_renew_register(struct mr_renew *renew, struct mr_child *child,
                       void (*done)(void *arg, enum mr_code code), void *arg);
/* Forgets what it holds of child (a pending registration is answered with MR_EDOWN). Before the child is freed. */
void mr_renew_forget(struct mr_renew *renew, struct mr_child *child);
void mr_renew_set_lease(struct mr_renew *renew, uint64_t lease_ms);
/* Monotonic ms since when every renewal write succeeded without a gap over lease/3; 0 when not so now: nobody else may be judged then. */
uint64_t mr_renew_trusted_since_ms(const struct mr_renew *renew);
void mr_renew_stop(struct mr_renew *renew, void (*on_stopped)(void *arg), void *arg);

#endif
