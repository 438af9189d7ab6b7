/*
 * One async function per step of the protocol with Redis (worker side and dispatcher side),
 * over one link. It knows keys, scripts and their arguments; it holds no state of leases or
 * workers.
 */
#ifndef MR_PROTO_STORE_H
#define MR_PROTO_STORE_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/keys.h"
#include "proto/link.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct mr_store;

struct mr_store_options {
    struct mr_link_options link;
    const char *prefix; /* of every key; "" for none */
};

struct mr_store_events {
    /* Connected, ROLE is master, scripts loaded: SYNC may begin. */
    void (*on_ready)(void *arg);
    /* After every owed answer came as MR_EUNKNOWN; also when an attempt to connect failed. */
    void (*on_lost)(void *arg, const struct mr_err *why);
    void *arg;
};

/*
 * How every step answers, exactly once, later, from the loop, if the step returned MR_OK; never
 * when it returned anything else (MR_EDOWN: not ready, nothing sent). code: MR_OK with the
 * reply; MR_EFENCED (steps on a lease alone: no such key, index out of range, WRONGTYPE);
 * MR_EREFUSED (Redis did nothing; ask again later); MR_EFAULT (a person must act); MR_EUNKNOWN (reply may be NULL).
 * NOSCRIPT never reaches the caller except from fetch: the store loads the script and sends the
 * same bytes again. READONLY and its like drop the connection. reply is borrowed.
 */
typedef void mr_answer_fn(void *arg, enum mr_code code, const redisReply *reply);

enum mr_code mr_store_new(uv_loop_t *loop, const struct mr_store_options *options,
                          const struct mr_store_events *events, struct mr_store **out,
                          struct mr_err *err);
void mr_store_start(struct mr_store *store);
/* Answers what is owed (MR_EUNKNOWN), frees store, and then runs on_stopped from the loop. */
void mr_store_stop(struct mr_store *store, void (*on_stopped)(void *arg), void *arg);
bool mr_store_is_ready(const struct mr_store *store);
/* A borrow, for what concerns the connection alone: flush, drop, client id, address. */
struct mr_link *mr_store_link(struct mr_store *store);
const char *mr_store_prefix(const struct mr_store *store);
/*
 * The run of the server that answers: another name after each restart and failover, so that where it differs Redis may have
 * gone back in time. "" where the server does not say (an ACL without INFO). At most MR_RUN_MAX bytes.
 */
#define MR_RUN_MAX 48
const char *mr_store_run(const struct mr_store *store);

/* Any plain command. */
enum mr_code mr_store_command(struct mr_store *store, mr_answer_fn *fn, void *arg, int argc,
                              const char *const *argv, const size_t *lens);

/* ---- a worker's steps ---- */

/* One queue of a fetch: which list to lease into. */
struct mr_fetch_queue {
    const struct mr_queue_keys *keys;
    const char *lease; /* key; must not exist */
};
/*
 * Leases up to n jobs in all, queue after queue in the given order. tokens[i] (NULL: none) are
 * further notify tokens to take from queue i. Answers an array of one integer per queue: the
 * count, or -1 lease exists, -2 not registered, -3 paused, -4 wrong type; a queue that refuses
 * is skipped, the others are served. MR_EREFUSED with NOSCRIPT: nothing was done and the script
 * has been loaded again.
 */
enum mr_code mr_store_fetch(struct mr_store *store, const struct mr_fetch_queue *queues,
                            unsigned n_queues, const char *worker, unsigned n,
                            const unsigned *tokens, mr_answer_fn *fn, void *arg);
/* LRANGE key from to (inclusive). */
enum mr_code mr_store_read(struct mr_store *store, const char *lease, long from, long to,
                           mr_answer_fn *fn, void *arg);
/* DEL lease: the whole batch is settled. Answers integer 1, or 0: the lease was lost. */
enum mr_code mr_store_end(struct mr_store *store, const char *lease, mr_answer_fn *fn,
                          void *arg);
/* LSET lease i '': one place is settled out of order. MR_EFENCED: the lease was lost. */
enum mr_code mr_store_clear(struct mr_store *store, const char *lease, unsigned i,
                            mr_answer_fn *fn, void *arg);
/* Script DONE, works on a full Redis: answers 1, or 0 when the list is not there. */
enum mr_code mr_store_done(struct mr_store *store, const char *lease, const unsigned *places,
                           unsigned n, mr_answer_fn *fn, void *arg);
/*
 * Script RETRY: to delayed at due_s (unix seconds, fractions allowed) with these bytes. 1
 * moved, 0 no longer ours.
 */
enum mr_code mr_store_retry(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *lease, unsigned i, double due_s,
                            struct mr_bytes payload, mr_answer_fn *fn, void *arg);
/* Script RELEASE: to the head of ready with these bytes. 1 moved, 0 no longer ours. */
enum mr_code mr_store_release(struct mr_store *store, const struct mr_queue_keys *keys,
                              const char *lease, unsigned i, struct mr_bytes payload,
                              mr_answer_fn *fn, void *arg);
/* A dead letter; the payload itself is taken from its place inside Redis. */
struct mr_dead_letter {
    const char *id;       /* the uuid, or a made one; "~2" and so on is added on collision */
    struct mr_bytes meta; /* the JSON record; readers trust the field's name, not its "id" */
    uint64_t now_ms;      /* score */
    uint64_t max;         /* letters kept in this queue; 0: no bound */
    bool big;             /* over limits.payload: to a key of its own, never through Lua */
};
/*
 * Script DEAD. Answers the number of old letters dropped to make room (>= 0), or -1 no longer
 * ours. keys outlives the answer.
 */
enum mr_code mr_store_dead(struct mr_store *store, const struct mr_queue_keys *keys,
                           const char *lease, unsigned i, const struct mr_dead_letter *letter,
                           mr_answer_fn *fn, void *arg);
/*
 * Script BACK: the suffix from place `from` returns to the head, in order. Answers the number
 * moved.
 */
enum mr_code mr_store_back(struct mr_store *store, const struct mr_queue_keys *keys,
                           const char *lease, unsigned from, mr_answer_fn *fn, void *arg);
/*
 * How long a BLMOVE waits (block_s): one constant, because the reaper's second look at a dead
 * worker's wake names must come later than the last BLMOVE that was sent for it can end.
 */
#define MR_WAIT_S 5
/*
 * One write on a connection of its own: BLMOVE Q wake LEFT RIGHT block_s, and behind it the
 * script WOKEN, which moves what came into lease (RENAME). on_job gets BLMOVE's answer (nil on
 * time-out), on_woken then: 1 the job stands in lease place 0; 0 nothing came; -1 lease exists,
 * -2 not registered, -3 paused: what came went back to the head.
 */
enum mr_code mr_store_wait(struct mr_store *store, const struct mr_queue_keys *keys,
                           const char *worker, const char *wake, const char *lease,
                           unsigned block_s, mr_answer_fn *on_job, mr_answer_fn *on_woken,
                           void *arg);
/* CLIENT UNBLOCK id. */
enum mr_code mr_store_unblock(struct mr_store *store, long long client_id, mr_answer_fn *fn,
                              void *arg);
/*
 * Script CLOSE: what stands in the wake lists goes back to the head, and each becomes the
 * string "closed" for a day. Answers the number moved.
 */
enum mr_code mr_store_close(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *const *wakes, unsigned n, mr_answer_fn *fn, void *arg);
/* EXISTS of many keys: answers how many. */
enum mr_code mr_store_exists(struct mr_store *store, const char *const *names, unsigned n,
                             mr_answer_fn *fn, void *arg);
/* ZSCORE Q:workers worker: nil when not registered. */
enum mr_code mr_store_registered(struct mr_store *store, const struct mr_queue_keys *keys,
                                 const char *worker, mr_answer_fn *fn, void *arg);

/* ---- leases of workers (dispatcher, orphan and standalone workers) ---- */

/*
 * Script REGISTER: 1, or 0 when this incarnation was reaped. Also SADDs the queue to the
 * fleet's set (a second command).
 */
enum mr_code mr_store_register(struct mr_store *store, const struct mr_queue_keys *keys,
                               const char *worker, uint64_t lease_ms, mr_answer_fn *fn,
                               void *arg);
/*
 * Script RENEW: never resurrects. Answers an array of the workers that are not registered any
 * more.
 */
enum mr_code mr_store_renew(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *const *workers, unsigned n, uint64_t lease_ms,
                            mr_answer_fn *fn, void *arg);
/*
 * Script FENCE: ZREM + ZADD reaped. seen NULL: without comparison (own child). 1 fenced, 0 the
 * score is not the one seen. A worker already reaped answers 1.
 */
enum mr_code mr_store_fence(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *worker, const char *seen, mr_answer_fn *fn, void *arg);
/* LINDEX lease i. */
enum mr_code mr_store_peek(struct mr_store *store, const char *lease, unsigned i,
                           mr_answer_fn *fn, void *arg);
/*
 * Script REAPLIST over many lease names: '' dropped, the rest to the head in order. Answers the
 * number moved. At most MR_REAP_LISTS_MAX names a call.
 */
#define MR_REAP_LISTS_MAX 64
enum mr_code mr_store_reap_lists(struct mr_store *store, const struct mr_queue_keys *keys,
                                 const char *const *leases, unsigned n, mr_answer_fn *fn,
                                 void *arg);
/* ZRANGE Q:workers / Q:reaped 0 -1 WITHSCORES. */
enum mr_code mr_store_workers(struct mr_store *store, const struct mr_queue_keys *keys,
                              mr_answer_fn *fn, void *arg);
enum mr_code mr_store_reaped(struct mr_store *store, const struct mr_queue_keys *keys,
                             mr_answer_fn *fn, void *arg);
/* Reaped incarnations older than keep_ms leave Q:reaped (Redis' clock). */
enum mr_code mr_store_forget_reaped(struct mr_store *store, const struct mr_queue_keys *keys,
                                    uint64_t keep_ms, mr_answer_fn *fn, void *arg);
/* Script PROMOTE of Q:delayed (or Q:reserved): answers [moved, next due as a string or nil]. */
enum mr_code mr_store_promote(struct mr_store *store, const struct mr_queue_keys *keys,
                              bool reserved, unsigned n, mr_answer_fn *fn, void *arg);

/* ---- the fleet of dispatchers ---- */

/*
 * Script HEARTBEAT: this dispatcher counts as alive for alive_ms on Redis' clock. Answers an
 * array of those that are.
 */
enum mr_code mr_store_heartbeat(struct mr_store *store, const char *dispatcher,
                                uint64_t alive_ms, mr_answer_fn *fn, void *arg);
/*
 * Script SCALE: the fleet wants so many workers of the pool. base < 0: processes is the total;
 * else a change to what is wanted, or to base where nobody has said. Answers the new total, at
 * least 0.
 */
enum mr_code mr_store_scale(struct mr_store *store, const char *pool, long processes,
                            long long base, mr_answer_fn *fn, void *arg);

/* ---- what operators and producers ask ---- */

enum mr_code mr_store_pause(struct mr_store *store, const struct mr_queue_keys *keys,
                            uint64_t ttl_ms, mr_answer_fn *fn,
                            void *arg); /* 0: until resumed */
enum mr_code mr_store_resume(struct mr_store *store, const struct mr_queue_keys *keys,
                             mr_answer_fn *fn, void *arg);
/*
 * Script SIZES: [ready, delayed, reserved, leased places, dead, paused 0/1, workers]. leased
 * counts the given lease names only when asked by the audit; here -1.
 */
enum mr_code mr_store_sizes(struct mr_store *store, const struct mr_queue_keys *keys,
                            mr_answer_fn *fn, void *arg);
/*
 * RPUSH (or ZADD delayed where due_s > 0) of n payloads, variadic; also SADD to the fleet's
 * queues.
 */
enum mr_code mr_store_push(struct mr_store *store, const struct mr_queue_keys *keys,
                           const struct mr_bytes *payloads, unsigned n, double due_s,
                           mr_answer_fn *fn, void *arg);
/*
 * Dead letters, newest first: script DEADLIST from an exclusive (score,id) cursor ("" from the
 * start): array of [id, score, meta]; nil when the letter cursor_id is gone.
 */
enum mr_code mr_store_dead_list(struct mr_store *store, const struct mr_queue_keys *keys,
                                const char *cursor_id, unsigned limit, mr_answer_fn *fn,
                                void *arg);
enum mr_code
mr_store_dead_get(struct mr_store *store, const struct mr_queue_keys *keys, const char *id,
                  mr_answer_fn *fn,
                  void *arg); /* [raw, meta], or both nil; keys outlives the answer */
/*
 * Script DEADRETRY: back to ready with attempts as given by payload (NULL at: the kept bytes
 * untouched). 1, or 0: no such letter.
 */
enum mr_code mr_store_dead_retry(struct mr_store *store, const struct mr_queue_keys *keys,
                                 const char *id, struct mr_bytes payload, mr_answer_fn *fn,
                                 void *arg);
enum mr_code mr_store_dead_drop(struct mr_store *store, const struct mr_queue_keys *keys,
                                const char *id, mr_answer_fn *fn, void *arg); /* 1 / 0 */
/*
 * Letters older than before_ms go, at most n a call. Answers how many went. keys outlives the
 * answer.
 */
enum mr_code mr_store_dead_expire(struct mr_store *store, const struct mr_queue_keys *keys,
                                  uint64_t before_ms, unsigned n, mr_answer_fn *fn, void *arg);

#endif
