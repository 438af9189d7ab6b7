#include "proto/base/histogram.h"

enum { LAST = MR_HISTOGRAM_BUCKETS - 1 };

static unsigned bucket_of(uint64_t us)
{
    uint64_t x = us ? us - 1 : 0; /* so that an upper bound belongs to its own bucket */

    if (x < 4)
        return (unsigned)x;
    unsigned log2 = 63u - (unsigned)__builtin_clzll(x);
    unsigned bucket = (log2 - 1) * 4 + (unsigned)(x >> (log2 - 2) & 3);
    return bucket < LAST ? bucket : LAST;
}

static uint64_t upper(unsigned bucket)
{
    if (bucket < 4)
        return bucket + 1;
    return (uint64_t)(bucket % 4 + 5) << (bucket / 4 - 1);
}

void mr_histogram_add(struct mr_histogram *h, uint64_t us)
{
    h->count++;
    h->sum_us += us;
    h->buckets[bucket_of(us)]++;
}

void mr_histogram_merge(struct mr_histogram *into, const struct mr_histogram *from)
{
    into->count += from->count;
    into->sum_us += from->sum_us;
    for (unsigned b = 0; b < MR_HISTOGRAM_BUCKETS; b++)
        into->buckets[b] += from->buckets[b];
}

uint64_t mr_histogram_quantile_us(const struct mr_histogram *h, double share)
{
    double wanted = share * (double)h->count;
    uint64_t seen = 0;

    if (h->count == 0)
        return 0;
    for (unsigned b = 0; b < LAST; b++) {
        seen += h->buckets[b];
        if (seen > 0 && (double)seen >= wanted)
            return upper(b);
    }
    return upper(LAST - 1);
}

uint64_t mr_histogram_at_most(const struct mr_histogram *h, uint64_t us)
{
    uint64_t seen = 0;

    for (unsigned b = 0; b < MR_HISTOGRAM_BUCKETS && mr_histogram_upper_us(b) <= us; b++)
        seen += h->buckets[b];
    return seen;
}

uint64_t mr_histogram_upper_us(unsigned bucket)
{
    return bucket < LAST ? upper(bucket) : UINT64_MAX;
}
