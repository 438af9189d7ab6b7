/* How often something may happen: written as people do (10/s, 600/m), held to by a bucket. Pure: the clock is passed in. */
#ifndef MR_PROTO_BASE_RATE_H
#define MR_PROTO_BASE_RATE_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* n at once, and as many again in every per_ms. A plain value; n 0: as often as one likes. */
struct mr_rate {
    uint32_t n;
    uint64_t per_ms;
};

/* "10/s", "600/m", "5/h", "3/1d", "2/10s"; "0" is no limit. MR_EINVAL for anything else. */
enum mr_code mr_rate_parse(const char *text, struct mr_rate *out, struct mr_err *err);
/* The shortest spelling. out holds at least 48 bytes. */
void mr_rate_print(const struct mr_rate *rate, char *out);

/* The tokens that are left, as the moment when all will be there again. Zero-initialised it is full. */
struct mr_bucket {
    uint64_t full_at_ns;
};

/* From one token to the next; 0 without a limit. */
uint64_t mr_rate_step_ns(const struct mr_rate *rate);
/* How long from now until it holds a token for one who has so many others before him; 0: now. */
uint64_t mr_bucket_wait_ns(const struct mr_bucket *bucket, const struct mr_rate *rate,
                           uint64_t n_before, uint64_t now_ns);
/* Takes one, whether or not it is there: who waited as long as he was told finds it. */
void mr_bucket_take(struct mr_bucket *bucket, const struct mr_rate *rate, uint64_t now_ns);
/* Gives one back that was not used. */
void mr_bucket_give(struct mr_bucket *bucket, const struct mr_rate *rate);

#endif
