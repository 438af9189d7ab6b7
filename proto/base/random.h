/* Dice. Secrets and incarnations come from the kernel; jitter from a small generator per owner. */
#ifndef MR_PROTO_BASE_RANDOM_H
#define MR_PROTO_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct mr_random {
    uint64_t state; /* splitmix64 */
};

void mr_random_seed(struct mr_random *random); /* from the kernel */
uint32_t mr_random_u32(struct mr_random *random);
uint64_t mr_random_below(struct mr_random *random, uint64_t bound); /* 0..bound-1; bound > 0 */
void mr_random_bytes(void *out, size_t len); /* getrandom(2); for what must be unguessable */

#endif
