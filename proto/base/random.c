#include "proto/base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void mr_random_bytes(void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            abort(); /* a kernel without getrandom(2) cannot make unguessable names */
        at += n;
        len -= (size_t)n;
    }
}

void mr_random_seed(struct mr_random *random)
{
    mr_random_bytes(&random->state, sizeof(random->state));
}

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. */
static uint64_t next(struct mr_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t mr_random_u32(struct mr_random *random)
{
    return (uint32_t)(next(random) >> 32);
}

uint64_t mr_random_below(struct mr_random *random, uint64_t bound)
{
    return next(random) % bound; /* the bias is bound / 2^64: nothing for jitter */
}
