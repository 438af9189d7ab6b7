#include "proto/base/rate.h"

#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 1000000, DIGITS_MAX = 7, NS_PER_MS = 1000000 };

static const uint64_t span_max_ms = UINT64_C(7) * 24 * 60 * 60 * 1000;

/* A unit by itself is one of it. */
static const struct {
    const char *name;
    uint64_t ms;
} units[] = {
    {"s", 1000    },
    {"m", 60000   },
    {"h", 3600000 },
    {"d", 86400000},
};

static bool read_span(const char *text, uint64_t *out_ms)
{
    for (size_t i = 0; i < MR_COUNT(units); i++)
        if (strcmp(text, units[i].name) == 0) {
            *out_ms = units[i].ms;
            return true;
        }
    return mr_duration_parse(text, out_ms, NULL) == MR_OK;
}

enum mr_code mr_rate_parse(const char *text, struct mr_rate *out, struct mr_err *err)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long n = digits > 0 && digits <= DIGITS_MAX ? strtoul(text, NULL, 10) : 0;
    uint64_t per_ms = 0;

    if (strcmp(text, "0") == 0) {
        *out = (struct mr_rate){0};
        return MR_OK;
    }
    if (n < 1 || n > COUNT_MAX || text[digits] != '/' ||
        !read_span(text + digits + 1, &per_ms) || per_ms == 0 || per_ms > span_max_ms)
        return mr_fail(
            err, MR_EINVAL,
            "a count and the time it is for, such as 10/s, 600/m or 5/1h (a count up "
            "to %d, a time up to 7d), or 0 for no limit",
            COUNT_MAX);
    *out = (struct mr_rate){.n = (uint32_t)n, .per_ms = per_ms};
    return MR_OK;
}

void mr_rate_print(const struct mr_rate *rate, char *out)
{
    char span[32];

    mr_duration_print(rate->per_ms, span);
    for (size_t i = 0; i < MR_COUNT(units); i++)
        if (rate->per_ms == units[i].ms)
            strcpy(span, units[i].name);
    if (rate->n == 0)
        strcpy(out, "0");
    else
        sprintf(out, "%" PRIu32 "/%s", rate->n, span);
}

uint64_t mr_rate_step_ns(const struct mr_rate *rate)
{
    return rate->n ? rate->per_ms * NS_PER_MS / rate->n : 0;
}

/* A full bucket is per long: what is taken ahead of that has to be waited for. */
uint64_t mr_bucket_wait_ns(const struct mr_bucket *bucket, const struct mr_rate *rate,
                           uint64_t n_before, uint64_t now_ns)
{
    uint64_t step_ns = mr_rate_step_ns(rate);
    uint64_t room_ns = step_ns ? step_ns * (rate->n - 1) : 0;
    uint64_t full_at_ns = bucket->full_at_ns > now_ns ? bucket->full_at_ns : now_ns;
    uint64_t ahead_ns = full_at_ns - now_ns + step_ns * n_before;

    return step_ns && ahead_ns > room_ns ? ahead_ns - room_ns : 0;
}

void mr_bucket_take(struct mr_bucket *bucket, const struct mr_rate *rate, uint64_t now_ns)
{
    if (bucket->full_at_ns < now_ns)
        bucket->full_at_ns = now_ns;
    bucket->full_at_ns += mr_rate_step_ns(rate);
}

void mr_bucket_give(struct mr_bucket *bucket, const struct mr_rate *rate)
{
    uint64_t step_ns = mr_rate_step_ns(rate);

    bucket->full_at_ns = bucket->full_at_ns > step_ns ? bucket->full_at_ns - step_ns : 0;
}
