#include "proto/base/uuid.h"

#include "proto/base/random.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    HEX_LEN = 32,
    MAX_NAMES = 1000000 /* a K above this is nobody's: a reaper would name keys for hours */
};

static void to_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* Unix time in 1/4096 ms, never the same twice in this process: RFC 9562, 6.2, method 3. */
static uint64_t next_tick(void)
{
    static _Atomic uint64_t last;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t tick = ms << 12 | (uint64_t)now.tv_nsec % 1000000 * 4096 / 1000000;
    uint64_t seen = atomic_load(&last);
    uint64_t mine;

    do
        mine = tick > seen ? tick : seen + 1;
    while (!atomic_compare_exchange_weak(&last, &seen, mine));
    return mine;
}

void mr_uuid_make(char out[MR_UUID_LEN + 1])
{
    unsigned char b[16];
    uint64_t tick = next_tick();

    mr_random_bytes(b + 8, 8);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(tick >> (52 - 8 * i));
    b[6] = (unsigned char)(0x70 | ((tick >> 8) & 0x0f)); /* version 7 */
    b[7] = (unsigned char)tick;
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));          /* the variant of RFC 9562 */
    static const unsigned char groups[] = {4, 2, 2, 2, 6}; /* bytes between the dashes */
    const unsigned char *from = b;

    for (size_t i = 0; i < sizeof(groups); i++) {
        if (i > 0)
            *out++ = '-';
        to_hex(from, groups[i], out);
        from += groups[i];
        out += 2 * groups[i];
    }
    *out = '\0';
}

void mr_worker_make(char out[MR_WORKER_MAX], unsigned k_names)
{
    unsigned char b[16];

    mr_random_bytes(b, sizeof(b));
    to_hex(b, sizeof(b), out);
    snprintf(out + HEX_LEN, MR_WORKER_MAX - HEX_LEN, "-%u", k_names);
}

unsigned mr_worker_names(const char *worker)
{
    unsigned k = 0;

    if (strspn(worker, "0123456789abcdef") != HEX_LEN || worker[HEX_LEN] != '-')
        return 0;
    const char *digit = worker + HEX_LEN + 1;
    if (*digit < '1' || *digit > '9')
        return 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        k = k * 10 + (unsigned)(*digit - '0');
        if (k > MAX_NAMES)
            return 0;
    }
    return *digit == '\0' ? k : 0;
}
