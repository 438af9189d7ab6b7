/* How long a worker that must go may keep its jobs: they have their own deadlines. Pure. */
#ifndef MR_DISPATCHER_PATIENCE_H
#define MR_DISPATCHER_PATIENCE_H

#include "proto/page.h"

#include <stdbool.h>
#include <stdint.h>

#define MR_PATIENCE_MS (24 * 3600000ull) /* for a job without deadline, or a page that lies */

/* Whether a job still runs that has not passed its deadline. */
bool mr_patience_is_needed(const struct mr_page *page);
/* Monotonic: when the last such job must be through, at most MR_PATIENCE_MS from now; now when there is none. */
uint64_t mr_patience_until_ms(const struct mr_page *page, uint64_t now_ms);

#endif
