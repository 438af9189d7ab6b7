#include "proto/base/duration.h"

#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t worth;
};

/* From the longest to the shortest, as they stand in a span. */
static const struct unit spans[] = {
    {"d",  86400000},
    {"h",  3600000 },
    {"m",  60000   },
    {"s",  1000    },
    {"ms", 1       },
};

/* From the largest to the smallest: the first that divides a size exactly spells it. */
static const struct unit sizes[] = {
    {"TiB", UINT64_C(1) << 40      },
    {"TB",  UINT64_C(1000000000000)},
    {"GiB", UINT64_C(1) << 30      },
    {"GB",  UINT64_C(1000000000)   },
    {"MiB", UINT64_C(1) << 20      },
    {"MB",  UINT64_C(1000000)      },
    {"KiB", UINT64_C(1) << 10      },
    {"kB",  UINT64_C(1000)         },
    {"B",   UINT64_C(1)            },
};

/* Reads decimal digits; false when there is none or the number is too large. */
static bool read_number(const char **at, uint64_t *out)
{
    const char *p = *at;
    uint64_t number = 0;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (unsigned)(*p - '0'), &number))
            return false;
    if (p == *at)
        return false;
    *at = p;
    *out = number;
    return true;
}

/*
 * The unit whose whole name stands at *at, letters up to the next digit or the end; n if none.
 */
static size_t read_unit(const char **at, const struct unit *units, size_t n)
{
    size_t len = strcspn(*at, "0123456789");

    for (size_t i = 0; i < n; i++)
        if (len > 0 && strlen(units[i].name) == len && memcmp(*at, units[i].name, len) == 0) {
            *at += len;
            return i;
        }
    return n;
}

/* number * worth onto *sum; false when that does not fit. */
static bool add_units(uint64_t *sum, uint64_t number, uint64_t worth)
{
    uint64_t part;

    return !__builtin_mul_overflow(number, worth, &part) &&
           !__builtin_add_overflow(*sum, part, sum);
}

static bool read_span(const char *text, uint64_t *out_ms)
{
    const char *at = text;
    size_t longest = 0; /* each unit must be shorter than the one before it */
    uint64_t number, sum = 0;

    if (!read_number(&at, &number))
        return false;
    if (*at == '\0') {
        *out_ms = 0;
        return add_units(out_ms, number, 1000);
    }
    for (;;) {
        size_t unit = read_unit(&at, spans, MR_COUNT(spans));

        if (unit < longest || unit == MR_COUNT(spans) ||
            !add_units(&sum, number, spans[unit].worth))
            return false;
        if (*at == '\0')
            break;
        longest = unit + 1;
        if (!read_number(&at, &number))
            return false;
    }
    *out_ms = sum;
    return true;
}

enum mr_code mr_duration_parse(const char *text, uint64_t *out_ms, struct mr_err *err)
{
    uint64_t ms;

    if (!read_span(text, &ms))
        return mr_fail(err, MR_EINVAL,
                       "\"%.60s\" is no span of time: write it as 250ms, 10s, 5m, 1h30m or 2d",
                       text);
    *out_ms = ms;
    return MR_OK;
}

void mr_duration_print(uint64_t ms, char *out)
{
    char *at = out;

    for (size_t i = 0; i < MR_COUNT(spans); i++) {
        uint64_t number = ms / spans[i].worth;

        if (number)
            at += sprintf(at, "%" PRIu64 "%s", number, spans[i].name);
        ms %= spans[i].worth;
    }
    if (at == out)
        strcpy(out, "0s");
}

static bool read_size(const char *text, uint64_t *out_bytes)
{
    const char *at = text;
    uint64_t number;

    if (!read_number(&at, &number))
        return false;
    size_t unit =
        *at ? read_unit(&at, sizes, MR_COUNT(sizes)) : MR_COUNT(sizes) - 1; /* plain bytes */
    *out_bytes = 0;
    return unit < MR_COUNT(sizes) && *at == '\0' &&
           add_units(out_bytes, number, sizes[unit].worth);
}

enum mr_code mr_size_parse(const char *text, uint64_t *out_bytes, struct mr_err *err)
{
    uint64_t bytes;

    if (!read_size(text, &bytes))
        return mr_fail(err, MR_EINVAL,
                       "\"%.60s\" is no size: write it as 512, 64KiB, 8MiB, 1GiB or 10MB",
                       text);
    *out_bytes = bytes;
    return MR_OK;
}

void mr_size_print(uint64_t bytes, char *out)
{
    size_t unit = 0;

    while (bytes % sizes[unit].worth)
        unit++;
    if (bytes == 0 || sizes[unit].worth == 1)
        sprintf(out, "%" PRIu64, bytes);
    else
        sprintf(out, "%" PRIu64 "%s", bytes / sizes[unit].worth, sizes[unit].name);
}
