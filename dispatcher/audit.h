/* Looks for what should not be there, by difference, always on: stale workers, lists under reaped names, strangers under living ones, old dead letters. */
#ifndef MR_DISPATCHER_AUDIT_H
#define MR_DISPATCHER_AUDIT_H

#include "dispatcher/queues.h"
#include "dispatcher/reaper.h"
#include "dispatcher/renew.h"
#include "proto/base/err.h"
#include "proto/config.h"
#include "proto/store.h"

#include <uv.h>

struct mr_audit;

struct mr_audit_stats {
    uint64_t rounds, stale_found, lists_found, strangers_found, dead_expired;
};

/* Judges a stranger's score by our own clock over our own successful renewals (mr_renew_trusted_since_ms), never by its distance to now. */
enum mr_code mr_audit_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children, struct mr_renew *renew,
                          struct mr_reaper *reaper, const struct mr_config *config,
                          struct mr_audit **out);
void mr_audit_start(
    struct mr_audit *
        audit); /* scores every second, the rest every 10 s, the great scan once an hour under a lock */
void mr_audit_set_config(struct mr_audit *audit, const struct mr_config *config);
struct mr_audit_stats mr_audit_stats(const struct mr_audit *audit);
void mr_audit_stop(struct mr_audit *audit, void (*on_stopped)(void *arg), void *arg);

#endif
