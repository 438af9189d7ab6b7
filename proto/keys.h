/* The only spelling of every Redis key. */
#ifndef MR_PROTO_KEYS_H
#define MR_PROTO_KEYS_H

#include <stddef.h>

#define MR_WAKES 8 /* wake names w0..w7, per queue and worker */

/* The keys of one queue, spelled once; each is NUL-ended and owned. Q = prefix "queues:" name. */
struct mr_queue_keys {
    char *name; /* without prefix */
    char *ready, *delayed, *reserved, *notify, *workers, *reaped, *dead, *dead_jobs, *paused,
        *promoting;
};

void mr_queue_keys_init(struct mr_queue_keys *keys, const char *prefix, const char *queue);
void mr_queue_keys_fini(struct mr_queue_keys *keys);

/* Written into out, which holds size bytes (MR_KEY_MAX is enough for checked names); returns the length. */
#define MR_KEY_MAX 512
#define MR_PREFIX_MAX 256 /* bytes of a prefix; the rest is for names */
size_t mr_key_lease(const struct mr_queue_keys *keys, const char *worker, unsigned k, char *out,
                    size_t size);
size_t mr_key_wake(const struct mr_queue_keys *keys, const char *worker, unsigned j, char *out,
                   size_t size);
size_t mr_key_dead_big(const struct mr_queue_keys *keys, const char *id, char *out,
                       size_t size);

/* Fleet keys: prefix "millrace:" what. */
size_t mr_key_fleet(const char *prefix, const char *what, char *out, size_t size);
#define MR_FLEET_QUEUES "queues"           /* set: every queue name anybody used */
#define MR_FLEET_DISPATCHERS "dispatchers" /* zset: dispatcher incarnation by heartbeat */
#define MR_FLEET_WANTED "wanted"           /* hash: pool -> wanted processes in all */
#define MR_FLEET_SCHEMA "schema"           /* string: version of what stands in Redis */

#endif
