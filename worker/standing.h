/* Whether this worker's lease stands: registered, renewed lately; and renewing it where nobody else does. */
#ifndef MR_WORKER_STANDING_H
#define MR_WORKER_STANDING_H

#include <stdbool.h>
#include <stdint.h>

struct mr_worker;

/* Whether the last renewal, by whoever sent it, is younger than this share of the lease. */
bool mr_standing_is_fresh(const struct mr_worker *worker, uint64_t per_mille);
/* A worker started by hand registers itself; SYNC follows when every queue has answered. */
void mr_standing_register(struct mr_worker *worker);
/* Renews where the dispatcher is gone, hangs, or never was. */
void mr_standing_renew_if_needed(struct mr_worker *worker);

#endif
