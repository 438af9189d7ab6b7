/* Counts of durations in fixed log-linear buckets: plain words that can live in the shared page and be summed. */
#ifndef MR_PROTO_BASE_HISTOGRAM_H
#define MR_PROTO_BASE_HISTOGRAM_H

#include <stdint.h>

/*
 * Bucket b holds the durations above the upper bound of b - 1 and up to its own. The bounds are 1, 2, 3, 4 us,
 * then four a doubling (5, 6, 7, 8, 10, 12, 14, 16, 20, ...) up to 470 s; the last bucket takes the rest.
 */
#define MR_HISTOGRAM_BUCKETS 112

struct mr_histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t buckets[MR_HISTOGRAM_BUCKETS];
};

void mr_histogram_add(struct mr_histogram *h, uint64_t us);
void mr_histogram_merge(struct mr_histogram *into, const struct mr_histogram *from);
/* The upper bound in us of the bucket that holds the given share, 0..1; of the last bucket its lower bound; 0 when empty. */
uint64_t mr_histogram_quantile_us(const struct mr_histogram *h, double share);
/* How many of the counted were at most us (exact when us is a bucket's upper bound, else those of the buckets below). */
uint64_t mr_histogram_at_most(const struct mr_histogram *h, uint64_t us);
uint64_t mr_histogram_upper_us(unsigned bucket); /* UINT64_MAX for the last */

#endif
