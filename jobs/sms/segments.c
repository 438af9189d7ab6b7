#include "jobs/sms/segments.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdint.h>
#include <string.h>

enum {
    ONE_GSM = 160,
    EACH_GSM = 153, /* 7 septets go to the header that puts the pieces together */
    ONE_UCS2 = 70,
    EACH_UCS2 = 67, /* 3 units likewise */
};

/* What is no ASCII in the default alphabet of 3GPP TS 23.038, table 6.2.1. */
/* clang-format off */
static const uint16_t gsm_beyond_ascii[] = {
    0x00a3, 0x00a5, 0x00e8, 0x00e9, 0x00f9, 0x00ec, 0x00f2, 0x00c7, /* pound, yen, e` e' u` i` o` C, */
    0x00d8, 0x00f8, 0x00c5, 0x00e5,                                 /* O/ o/ Ao ao */
    0x0394, 0x03a6, 0x0393, 0x039b, 0x03a9, 0x03a0, 0x03a8, 0x03a3, /* Delta Phi Gamma Lambda Omega Pi Psi Sigma */
    0x0398, 0x039e,                                                 /* Theta Xi */
    0x00c6, 0x00e6, 0x00df, 0x00c9,                                 /* AE ae sz E' */
    0x00a4, 0x00a1,                                                 /* currency, inverted ! */
    0x00c4, 0x00d6, 0x00d1, 0x00dc, 0x00a7,                         /* A" O" N~ U" paragraph */
    0x00bf, 0x00e4, 0x00f6, 0x00f1, 0x00fc, 0x00e0,                 /* inverted ? a" o" n~ u" a` */
};
/* clang-format on */
enum { EURO = 0x20ac };

/* One character at *at, which is moved behind it. */
static uint32_t next(const char **at)
{
    const unsigned char *byte = (const unsigned char *)*at;
    size_t len = byte[0] < 0x80 ? 1 : mr_str_utf8(*at, strnlen(*at, 4));
    uint32_t c = len < 2 ? byte[0] : byte[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (byte[i] & 0x3f);
    *at += len ? len : 1;
    return c;
}

/* ASCII of the extension table, 6.2.1.1. */
static bool is_escaped(uint32_t c)
{
    switch (c) {
    case '\f':
    case '^':
    case '{':
    case '}':
    case '\\':
    case '[':
    case '~':
    case ']':
    case '|':
        return true;
    default:
        return false;
    }
}

/* Septets of the character in the GSM alphabet; 2 with an escape before it; 0 when it is not in it. */
static unsigned septets(uint32_t c)
{
    if (c == EURO || is_escaped(c))
        return 2;
    if (c < 0x80)
        return c == '\n' || c == '\r' || (c >= ' ' && c != '`' && c != 0x7f);
    for (size_t i = 0; i < MR_COUNT(gsm_beyond_ascii); i++)
        if (gsm_beyond_ascii[i] == c)
            return 1;
    return 0;
}

static unsigned utf16_units(uint32_t c)
{
    return c > 0xffff ? 2 : 1; /* a surrogate pair */
}

static enum mr_alphabet alphabet_of(const char *text)
{
    while (*text)
        if (septets(next(&text)) == 0)
            return MR_ALPHABET_UCS2;
    return MR_ALPHABET_GSM;
}

struct mr_segments mr_segments_count(const char *text)
{
    struct mr_segments s = {.alphabet = alphabet_of(text)};
    bool gsm = s.alphabet == MR_ALPHABET_GSM;
    unsigned each = gsm ? EACH_GSM : EACH_UCS2, filled = 0;

    while (*text) {
        uint32_t c = next(&text);
        unsigned width = gsm ? septets(c) : utf16_units(c);

        s.units += width;
        filled += width;
        if (s.n == 0 || filled > each) { /* what is halved would be two wrong characters */
            s.n++;
            filled = width;
        }
    }
    if (s.n > 0 && s.units <= (gsm ? ONE_GSM : ONE_UCS2))
        s.n = 1;
    return s;
}
