/*
 * Where the plain text of a JSON string ends. Most bytes of most payloads are plain text inside strings, and every
 * payload is walked over before its job runs: so sixteen bytes at a time where the processor can, else eight.
 */
#ifndef MR_PROTO_JSON_PLAIN_H
#define MR_PROTO_JSON_PLAIN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MR_EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/*
 * Marks the top bit of those of the eight bytes that are a quote, a backslash, a control byte or not ASCII. A borrow may mark a
 * plain byte too, but never below the first one that is marked rightly.
 */
static inline uint64_t mr_json_special_of_8(uint64_t word)
{
    uint64_t quote = word ^ MR_EACH_BYTE('"'), backslash = word ^ MR_EACH_BYTE('\\');
    uint64_t below = ((word - MR_EACH_BYTE(0x20)) & ~word) |
                     ((quote - MR_EACH_BYTE(1)) & ~quote) |
                     ((backslash - MR_EACH_BYTE(1)) & ~backslash);

    return (below | word) & MR_EACH_BYTE(0x80);
}

/* Not inlined: on the path of sixteen it is needed only near the end of a text. */
static __attribute__((noinline)) const char *mr_json_skip_plain_8(const char *at,
                                                                  const char *end)
{
    uint64_t word;

    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, sizeof(word));
        uint64_t special = mr_json_special_of_8(le64toh(word));

        if (special)
            return at + __builtin_ctzll(special) / 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\')
        at++;
    return at;
}

/* The first byte from at on that is a quote, a backslash, a control byte or not ASCII; end when there is none. */
static inline const char *mr_json_skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Compared with their sign: what is not ASCII is below the blank as well. */
        __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
        __m128i marks =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        unsigned special = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, marks));

        if (special)
            return at + __builtin_ctz(special);
    }
#endif
    return mr_json_skip_plain_8(at, end);
}

#endif
