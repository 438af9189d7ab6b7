#include "jobs/sms/quota.h"

#include "proto/base/mem.h"
#include "proto/base/random.h"

#include <stdlib.h>

enum { SETS = 2048, WAYS = 8 }; /* 256 KiB */

struct slot {
    uint64_t key; /* a hash of the name; 0: empty */
    struct mr_bucket bucket;
};

struct mr_quota {
    struct mr_rate rate;
    uint64_t seed; /* so that nobody can choose names that share a set */
    struct slot slots[SETS][WAYS];
};

struct mr_quota *mr_quota_new(const struct mr_rate *rate)
{
    struct mr_quota *quota = mr_zalloc(sizeof(*quota));

    quota->rate = *rate;
    mr_random_bytes(&quota->seed, sizeof(quota->seed));
    return quota;
}

void mr_quota_free(struct mr_quota *quota)
{
    free(quota);
}

/* FNV-1a from a secret start, and mixed once more: its low bits alone are weak. */
static uint64_t key_of(const struct mr_quota *quota, const char *name)
{
    uint64_t hash = quota->seed;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ? hash : 1;
}

static unsigned set_of(uint64_t key)
{
    return (unsigned)(key >> 40) % SETS;
}

/* The slot of that key, else the one that can be done without best. */
static unsigned way_of(const struct slot *set, uint64_t key)
{
    unsigned best = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return i;
        if (set[i].bucket.full_at_ns < set[best].bucket.full_at_ns)
            best = i;
    }
    return best;
}

uint64_t mr_quota_wait_ns(const struct mr_quota *quota, const char *name, uint64_t now_ns)
{
    uint64_t key = key_of(quota, name);
    const struct slot *set = quota->slots[set_of(key)];
    const struct slot *slot = &set[way_of(set, key)];

    return slot->key == key ? mr_bucket_wait_ns(&slot->bucket, &quota->rate, 0, now_ns) : 0;
}

void mr_quota_take(struct mr_quota *quota, const char *name, uint64_t now_ns)
{
    uint64_t key = key_of(quota, name);
    struct slot *set = quota->slots[set_of(key)];
    struct slot *slot = &set[way_of(set, key)];

    if (slot->key != key)
        *slot = (struct slot){.key = key};
    mr_bucket_take(&slot->bucket, &quota->rate, now_ns);
}

void mr_quota_give(struct mr_quota *quota, const char *name)
{
    uint64_t key = key_of(quota, name);
    struct slot *set = quota->slots[set_of(key)];
    struct slot *slot = &set[way_of(set, key)];

    if (slot->key == key)
        mr_bucket_give(&slot->bucket, &quota->rate);
}
