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

/*
 * Judges a score by our own clock over our own successful renewals (mr_renew_trusted_since_ms), never by its distance to now. A child
 * of ours that is not renewed any more (stopped, stale) is judged like any other.
 */
enum mr_code mr_audit_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children, struct mr_renew *renew,
                          struct mr_reaper *reaper, const struct mr_config *config,
                          struct mr_audit **out);
/* Scores every second, reaped names and our own children every 10 s, old dead letters every minute, the great scan once an hour under a lock. */
void mr_audit_start(struct mr_audit *audit);
void mr_audit_set_config(struct mr_audit *audit, const struct mr_config *config);
/* What the clock does every 10 s, and every minute, now: under reaped names and at our children; at what is old. */
void mr_audit_look(struct mr_audit *audit);
void mr_audit_tidy(struct mr_audit *audit);
/* Looks for leases of workers nobody knows, now and without the lock; nothing if one is under way. */
void mr_audit_scan(struct mr_audit *audit);
/* Asks Redis for the sizes in every mr_queue; done (never inside the call) once all answers are in or the link is down. */
void mr_audit_refresh_sizes(struct mr_audit *audit, void (*done)(void *arg), void *arg);
struct mr_audit_stats mr_audit_stats(const struct mr_audit *audit);
void mr_audit_stop(struct mr_audit *audit, void (*on_stopped)(void *arg), void *arg);

#endif
