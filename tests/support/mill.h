/* A whole mill of a test's own: a private Redis, dispatchers, their workers, and the ledger of what ran. */
#ifndef MR_TESTS_MILL_H
#define MR_TESTS_MILL_H

#include "tests/support/proc.h"
#include "tests/support/redis.h"

#include <jansson.h>

#include <stdbool.h>

#define MR_MILL_PREFIX "t_"
#define MR_MILL_DISPATCHERS 2
#define MR_MILL_WORKERS 3

struct mr_mill {
    struct mr_redis redis;
    struct mr_proc dispatchers[MR_MILL_DISPATCHERS];
    struct mr_proc workers[MR_MILL_WORKERS]; /* those without a dispatcher */
    char config[128]; /* of dispatcher 0; dispatcher i has its own beside it */
    char ledger[128];
    char control[128]; /* dispatcher 0's control socket */
    const char *yaml;  /* what the test wants besides redis, runtime_dir, modules */
};

/* Starts Redis (redis_args as mr_redis_start takes them) and nothing else. yaml: pools and whatever else the test configures. */
void mr_mill_start(struct mr_mill *mill, const char *yaml, const char *const *redis_args);
/* Starts dispatcher i and waits until n_workers of its workers serve. */
void mr_mill_dispatch(struct mr_mill *mill, unsigned i, unsigned n_workers);
/* The same for another Redis url (a proxy in between). */
void mr_mill_dispatch_at(struct mr_mill *mill, unsigned i, unsigned n_workers, const char *url);
/*
 * Starts worker i by hand, for the pool "main" at this url, and waits until it serves. It registers and renews
 * itself, and nobody but the test sees it die.
 */
void mr_mill_work(struct mr_mill *mill, unsigned i, const char *url);
/* The TCP port of dispatcher 0's control API, for a configuration with control.listen 127.0.0.1:0 (MILLRACE_CONTROL_LISTEN). */
unsigned mr_mill_control_port(struct mr_mill *mill);
/* SIGTERM to worker i; it must leave with status 0 within ms. */
void mr_mill_dismiss(struct mr_mill *mill, unsigned i, uint64_t ms);
/* SIGTERM to dispatcher i; it must end with status 0 within ms, and leave no worker behind. */
void mr_mill_drain(struct mr_mill *mill, unsigned i, uint64_t ms);
/* Dismisses and drains what still runs, stops Redis, removes all. */
void mr_mill_stop(struct mr_mill *mill);

/* RPUSH of a ledger.write job that takes ms and fails `fail` times first; its uuid is "job-<n>". */
void mr_mill_push_ledger(struct mr_mill *mill, const char *queue, unsigned n, unsigned ms,
                         unsigned fail);
/* RPUSH of bytes as they are. */
void mr_mill_push_raw(struct mr_mill *mill, const char *queue, const char *payload, size_t len);

/* What Redis holds of the queue. */
long long mr_mill_ready(struct mr_mill *mill, const char *queue);
long long mr_mill_delayed(struct mr_mill *mill, const char *queue);
long long mr_mill_dead(struct mr_mill *mill, const char *queue);
/* Lease lists of the queue, wake lists included (their closing strings not). */
long long mr_mill_leases(struct mr_mill *mill, const char *queue);
/* Nothing ready, delayed or leased any more. */
bool mr_mill_is_empty(struct mr_mill *mill, const char *queue);
/* Nothing is fetched from a paused queue. What was pushed meanwhile is fetched in one batch afterwards. */
void mr_mill_pause(struct mr_mill *mill, const char *queue);
void mr_mill_resume(struct mr_mill *mill, const char *queue);
/* Some worker waits for a job in Redis: what is pushed now comes by its waiter. */
bool mr_mill_is_waiting(struct mr_mill *mill);
/* Redis hangs up on those who wait. */
void mr_mill_kill_waiters(struct mr_mill *mill);
/* Calls of a command since the last CONFIG RESETSTAT, those from inside of scripts included; and how often it was refused for want of rights. */
long long mr_mill_calls(struct mr_mill *mill, const char *command);
long long mr_mill_refusals(struct mr_mill *mill, const char *command);
/* The record of the only dead letter of the queue, parsed (the caller's); fails the test unless there is exactly one. */
json_t *mr_mill_only_letter(struct mr_mill *mill, const char *queue);

/* Waits until the queue has one dead letter and nothing else: of this class, with these words in its reason. */
void mr_mill_await_letter(struct mr_mill *mill, const char *queue, const char *class,
                          const char *reason);

/* The workers of dispatcher i; returns how many. */
int mr_mill_workers(struct mr_mill *mill, unsigned i, pid_t *out);

/* What the ledger says: how often job-<n> started ('s') or ended ('e'). */
unsigned mr_mill_noted(struct mr_mill *mill, char what, unsigned n);
/* Over job-0..job-<n-1>: fewest and most ends of one job, and the sum. */
struct mr_mill_tally {
    unsigned least, most, total;
};
struct mr_mill_tally mr_mill_count(struct mr_mill *mill, char what, unsigned n);

#endif
