/* Verdicts become commands: all settlements of one loop turn leave in one write, and each is kept until it was answered. */
#ifndef MR_WORKER_SETTLE_H
#define MR_WORKER_SETTLE_H

#include "proto/verdict.h"
#include "worker/delivery.h"

#include <hiredis/hiredis.h>

struct mr_lease;
struct mr_item;
struct mr_worker;

/* A delivery of item ended with this verdict. Its bytes are rewritten here, while the envelope is at hand. */
void mr_settle_verdict(struct mr_worker *worker, struct mr_item *item,
                       struct mr_delivery *delivery, const struct mr_verdict *verdict,
                       const struct mr_outcome *outcome);
/* The end of the turn: sends what can be sent of every lease that was touched. */
void mr_settle_flush(struct mr_worker *worker);
/* Jobs not started of one lease, or of all, go back to the head. */
void mr_settle_give_back(struct mr_lease *lease);
void mr_settle_give_back_all(struct mr_worker *worker);
/* Redis does not know the lease any more: counted, what is not started is dropped. */
void mr_settle_lost(struct mr_lease *lease);

/* Every answer of a command that names the lease comes through here first; reply NULL taints the name (it may still run some day). */
void mr_settle_answered(struct mr_lease *lease, const redisReply *reply);
/* Redis refused something of it: what there is to read or to settle is sent again in a while. */
void mr_settle_later(struct mr_lease *lease);
/* Frees the lease if nothing is left of it. The lease may be gone afterwards. */
void mr_settle_check(struct mr_lease *lease);

#endif
