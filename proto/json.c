#include "proto/json.h"

#include "proto/base/mem.h"
#include "proto/json_plain.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAFE_MAGNITUDE = 308, /* any number below 10^308 fits a double */
    HUGE_EXPONENT = 1000000000,
    EXACT_DIGITS = 15,
    SMALL_DIGITS = 18 /* any number of so many digits fits an int64 */
};

bool mr_json_fail(struct mr_json *json, const char *why)
{
    json->why = why;
    return false;
}

void mr_json_skip_blanks(struct mr_json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t'))
        json->at++;
}

/* ---- strings ---- */

/* The 16 bits of "\uXXXX" at at, -1 when there is no such escape. */
static long unit_at(const char *at, const char *end)
{
    long unit = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = mr_str_hex(at[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high(long unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(long unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static bool skip_unicode_escape(struct mr_json *json)
{
    long unit = unit_at(json->at, json->end);

    if (unit < 0)
        return mr_json_fail(json, "\\u wants four hexadecimal digits");
    if (is_low(unit) || (is_high(unit) && !is_low(unit_at(json->at + 6, json->end))))
        return mr_json_fail(json, "half a surrogate pair");
    json->at += is_high(unit) ? 12 : 6;
    return true;
}

static bool skip_escape(struct mr_json *json)
{
    if (json->end - json->at < 2)
        return mr_json_fail(json, "the string does not end");
    switch (json->at[1]) {
    case 'u':
        return skip_unicode_escape(json);
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        json->at += 2;
        return true;
    default:
        return mr_json_fail(json, "no such escape");
    }
}

static bool skip_character(struct mr_json *json)
{
    size_t len = mr_str_utf8(json->at, (size_t)(json->end - json->at));

    if (len == 0)
        return mr_json_fail(json, "not UTF-8");
    if (len == 1)
        return mr_json_fail(json, "a control byte in a string");
    json->at += len;
    return true;
}

/* One that holds more than plain text; at is behind the quote that opens it. Not inlined: few strings come here. */
static __attribute__((noinline)) bool read_special_string(struct mr_json *json,
                                                          struct mr_json_string *out)
{
    bool escaped = false;
    const char *start = json->at;

    for (;;) {
        json->at = mr_json_skip_plain(json->at, json->end);
        if (json->at == json->end)
            return mr_json_fail(json, "the string does not end");
        if (*json->at == '"')
            break;
        bool escape = *json->at == '\\';
        if (!(escape ? skip_escape(json) : skip_character(json)))
            return false;
        escaped = escaped || escape;
    }
    out->inside = (struct mr_bytes){start, (size_t)(json->at - start)};
    out->escaped = escaped;
    json->at++;
    return true;
}

bool mr_json_string(struct mr_json *json, struct mr_json_string *out)
{
    if (mr_json_peek(json) != '"')
        return mr_json_fail(json, "a string was expected");
    const char *start = ++json->at;
    const char *behind = mr_json_skip_plain(start, json->end);

    if (behind == json->end || *behind != '"')
        return read_special_string(json, out);
    out->inside = (struct mr_bytes){start, (size_t)(behind - start)};
    out->escaped = false;
    json->at = behind + 1;
    return true;
}

static size_t put_utf8(unsigned long c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static char plain_escape(char c)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *found = strchr(from, c);

    return found ? to[found - from] : c;
}

size_t mr_json_unescape(struct mr_bytes inside, char *out)
{
    const char *at = inside.at, *end = inside.at + inside.len;
    size_t len = 0;

    while (at < end) {
        long unit = unit_at(at, end);

        if (unit >= 0) {
            unsigned long c = (unsigned long)unit;

            if (is_high(unit))
                c = 0x10000 + ((c - 0xd800) << 10) +
                    (unsigned long)(unit_at(at + 6, end) - 0xdc00);
            at += is_high(unit) ? 12 : 6;
            len += put_utf8(c, out + len);
        } else if (*at == '\\') {
            out[len++] = plain_escape(at[1]);
            at += 2;
        } else {
            out[len++] = *at++;
        }
    }
    return len;
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at hand, as many as there are; what they say is right for SMALL_DIGITS of them. */
static size_t read_digits(struct mr_json *json, uint64_t *out)
{
    const char *at = json->at, *start = at;
    uint64_t value = 0;

    for (; at < json->end && is_digit(*at); at++)
        value = value * 10 + (uint64_t)(*at - '0');
    json->at = at;
    *out = value;
    return (size_t)(at - start);
}

/* The value of "[-]digits"; false when it is not within int64. */
static bool to_integer(const char *at, const char *end, int64_t *out)
{
    bool negative = *at == '-';
    int64_t value = 0;

    for (at += negative; at < end; at++) {
        int digit = *at - '0';

        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

/* strtod reads the decimal point of the process's locale, which a program that links libmillrace may have set. */
static double slow_double(struct mr_bytes text)
{
    char *copy = mr_strndup(text.at, text.len);
    char *point = strchr(copy, '.');

    if (point)
        *point = *localeconv()->decimal_point;
    double value = strtod(copy, NULL);
    free(copy);
    return value;
}

/* Up to 15 digits and a point, no exponent, as times are: both whole numbers are exact in a double, so their quotient is rounded once. */
double mr_json_double(struct mr_bytes text)
{
    int64_t digits = 0, scale = 0;

    if (text.len > EXACT_DIGITS + 1)
        return slow_double(text);
    for (const char *at = text.at, *end = at + text.len; at < end; at++) {
        if (is_digit(*at)) {
            digits = digits * 10 + (*at - '0');
            scale *= 10;
        } else if (*at == '.') {
            scale = 1;
        } else {
            return slow_double(text);
        }
    }
    return (double)digits / (double)(scale ? scale : 1);
}

/* "e[+-]digits", when it is there; at most HUGE_EXPONENT. */
static bool skip_exponent(struct mr_json *json, long *out)
{
    if (json->at == json->end || (*json->at != 'e' && *json->at != 'E'))
        return true;
    json->at++;
    bool negative = mr_json_peek(json) == '-';
    if (negative || mr_json_peek(json) == '+')
        json->at++;
    if (json->at == json->end || !is_digit(*json->at))
        return mr_json_fail(json, "an exponent wants digits");
    long exponent = 0;
    for (; json->at < json->end && is_digit(*json->at); json->at++)
        if (exponent < HUGE_EXPONENT)
            exponent = exponent * 10 + (*json->at - '0');
    *out = negative ? -exponent : exponent;
    return true;
}

static bool skip_fraction(struct mr_json *json)
{
    uint64_t value;

    if (mr_json_peek(json) != '.')
        return true;
    json->at++;
    return read_digits(json, &value) > 0 ||
           mr_json_fail(json, "a decimal point wants digits behind it");
}

bool mr_json_number(struct mr_json *json, struct mr_json_number *out)
{
    const char *start = json->at;
    uint64_t value;
    long exponent = 0;

    bool negative = mr_json_peek(json) == '-';
    json->at += negative;
    bool zero = mr_json_peek(json) == '0';
    size_t digits = read_digits(json, &value);
    if (digits == 0 || (zero && digits > 1))
        return mr_json_fail(json, "not a number");
    const char *behind = json->at;
    if (!skip_fraction(json) || !skip_exponent(json, &exponent))
        return false;

    out->text = (struct mr_bytes){start, (size_t)(json->at - start)};
    out->whole = json->at == behind;
    out->integer = 0;
    if (out->whole && digits <= SMALL_DIGITS) {
        out->integer = negative ? -(int64_t)value : (int64_t)value;
        return true;
    }
    if (out->whole)
        return to_integer(start, behind, &out->integer) ||
               mr_json_fail(json, "an integer beyond 64 bits");
    return (long)digits + exponent < SAFE_MAGNITUDE || isfinite(mr_json_double(out->text)) ||
           mr_json_fail(json, "a number too large");
}

/* ---- values ---- */

bool mr_json_word(struct mr_json *json, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(json->end - json->at) < len || memcmp(json->at, word, len) != 0)
        return mr_json_fail(json, "not a JSON value");
    json->at += len;
    return true;
}

static bool skip_scalar(struct mr_json *json)
{
    struct mr_json_string string;
    struct mr_json_number number;

    switch (mr_json_peek(json)) {
    case '"':
        return mr_json_string(json, &string);
    case 'n':
        return mr_json_word(json, "null");
    case 't':
        return mr_json_word(json, "true");
    case 'f':
        return mr_json_word(json, "false");
    case -1:
        return mr_json_fail(json, "the text ends too early");
    default:
        return mr_json_number(json, &number);
    }
}

/* The containers around the current place: one bit each, set for an object. */
struct nest {
    unsigned depth;
    uint64_t objects[MR_JSON_DEPTH_MAX / 64];
};

static bool in_object(const struct nest *nest)
{
    unsigned top = nest->depth - 1;

    return nest->objects[top / 64] >> (top % 64) & 1;
}

static bool go_in(struct mr_json *json, struct nest *nest, unsigned depth)
{
    unsigned top = nest->depth;
    uint64_t bit = UINT64_C(1) << (top % 64);

    if (top >= depth || top >= MR_JSON_DEPTH_MAX)
        return mr_json_fail(json, "nested too deeply");
    if (*json->at == '{')
        nest->objects[top / 64] |= bit;
    else
        nest->objects[top / 64] &= ~bit;
    nest->depth++;
    json->at++;
    return true;
}

static bool go_out(struct mr_json *json, struct nest *nest)
{
    if (!mr_json_take(json, in_object(nest) ? '}' : ']'))
        return false;
    nest->depth--;
    return true;
}

static bool holds_nul(struct mr_bytes inside)
{
    const char *end = inside.at + inside.len;

    for (const char *at = inside.at; at < end; at += *at == '\\' ? 2 : 1)
        if (unit_at(at, end) == 0)
            return true;
    return false;
}

bool mr_json_key(struct mr_json *json, struct mr_json_string *out)
{
    mr_json_blanks(json);
    if (!mr_json_string(json, out))
        return false;
    if (out->escaped && holds_nul(out->inside))
        return mr_json_fail(json, "\\u0000 in a member's name");
    return mr_json_take(json, ':') || mr_json_fail(json, "':' was expected");
}

/* To the beginning of the next value: over commas and names, out of the containers that end here. */
static bool go_on(struct mr_json *json, struct nest *nest)
{
    struct mr_json_string key;

    while (nest->depth > 0) {
        if (mr_json_take(json, ','))
            return !in_object(nest) || mr_json_key(json, &key);
        if (!go_out(json, nest))
            return mr_json_fail(json, in_object(nest) ? "',' or '}' was expected"
                                                      : "',' or ']' was expected");
    }
    return true;
}

bool mr_json_skip(struct mr_json *json, unsigned depth)
{
    int c = mr_json_peek(json);

    if (c != '{' && c != '[')
        return skip_scalar(json);

    struct nest nest = {0};
    struct mr_json_string key;
    do {
        mr_json_blanks(json);
        c = mr_json_peek(json);
        if (c != '{' && c != '[') {
            if (!skip_scalar(json) || !go_on(json, &nest))
                return false;
        } else if (!go_in(json, &nest, depth)) {
            return false;
        } else if (go_out(json, &nest)) {
            if (!go_on(json, &nest))
                return false;
        } else if (c == '{' && !mr_json_key(json, &key)) {
            return false;
        }
    } while (nest.depth > 0);
    return true;
}
