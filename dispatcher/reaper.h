/* Dead workers' leases become verdicts: fence, settle what the page says, give the rest back. Every step can be repeated by anyone. */
#ifndef MR_DISPATCHER_REAPER_H
#define MR_DISPATCHER_REAPER_H

#include "dispatcher/child.h"
#include "dispatcher/queues.h"
#include "proto/base/err.h"
#include "proto/config.h"
#include "proto/store.h"

#include <uv.h>

struct mr_reaper;

struct mr_reaper_stats {
    uint64_t reaps, strangers, jobs_back, jobs_settled, crashes, suspects, timeouts, lost;
};

enum mr_code mr_reaper_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                           const struct mr_config *config, struct mr_reaper **out);
/*
 * Reaps a child that exited (any exit, clean or not): kills what is left of its session, then the steps of the protocol with its
 * page. Goes on through outages. done runs once when nothing of it is left in Redis; child is borrowed until then.
 */
void mr_reaper_child(struct mr_reaper *reaper, struct mr_child *child,
                     void (*done)(void *arg, struct mr_child *child), void *arg);
/* Reaps a worker of a vanished host in one queue, without a page: each job left costs an attempt. seen is the score it was judged by; NULL when it stands in Q:reaped already. */
void mr_reaper_stranger(struct mr_reaper *reaper, struct mr_queue *queue, const char *worker,
                        const char *seen);
bool mr_reaper_busy_with(const struct mr_reaper *reaper, const char *worker);
struct mr_reaper_stats mr_reaper_stats(const struct mr_reaper *reaper);
void mr_reaper_set_config(struct mr_reaper *reaper, const struct mr_config *config);
/* The store is ready again: whatever was waiting goes on. */
void mr_reaper_resume(struct mr_reaper *reaper);
void mr_reaper_stop(struct mr_reaper *reaper, void (*on_stopped)(void *arg), void *arg);

#endif
