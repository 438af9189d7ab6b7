#include "jobs/report/decimal.h"

#include <math.h>
#include <string.h>

enum { DIGITS_MAX = 38, EXPONENT_MAX = 400, SHARE_PLACES = 4 };

/* Ten times larger, and digit more; false, and as it was, when it has no room. */
static bool push_digit(__int128 *units, unsigned digit)
{
    __int128 more;

    if (__builtin_mul_overflow(*units, 10, &more) ||
        __builtin_add_overflow(more, (__int128)digit, &more))
        return false;
    *units = more;
    return true;
}

static bool scale_up(struct mr_decimal *number, unsigned places)
{
    for (; number->scale < places; number->scale++)
        if (!push_digit(&number->units, 0))
            return false;
    return true;
}

/* Digits with at most one point; *at stops behind them. */
static bool read_digits(const char **at, const char *end, struct mr_decimal *out)
{
    unsigned n = 0;
    bool behind_point = false;

    for (; *at < end && ((**at >= '0' && **at <= '9') || (**at == '.' && !behind_point));
         (*at)++) {
        if (**at == '.') {
            behind_point = true;
            continue;
        }
        if (!push_digit(&out->units, (unsigned)(**at - '0')))
            return false;
        out->scale += behind_point;
        n++;
    }
    return n > 0;
}

/* "e-7" as -7; nothing as 0. */
static bool read_exponent(const char *at, const char *end, int *out)
{
    int exponent = 0;

    *out = 0;
    if (at == end)
        return true;
    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    bool below = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const char *from = at;
    for (; at < end && *at >= '0' && *at <= '9' && exponent < EXPONENT_MAX; at++)
        exponent = exponent * 10 + (*at - '0');
    *out = below ? -exponent : exponent;
    return at == end && at > from;
}

bool mr_decimal_read(struct mr_bytes text, struct mr_decimal *out)
{
    struct mr_decimal number = {0};
    const char *at = text.at, *end = text.at + text.len;
    int exponent;
    bool below = at < end && *at == '-';

    at += below;
    if (!read_digits(&at, end, &number) || !read_exponent(at, end, &exponent))
        return false;
    int scale = (int)number.scale - exponent;
    if (scale > DIGITS_MAX)
        return false;
    for (; scale < 0; scale++)
        if (!push_digit(&number.units, 0))
            return false;
    out->units = below ? -number.units : number.units;
    out->scale = (unsigned)scale;
    return true;
}

bool mr_decimal_add(struct mr_decimal a, struct mr_decimal b, struct mr_decimal *out)
{
    if (!scale_up(&a, b.scale) || !scale_up(&b, a.scale) ||
        __builtin_add_overflow(a.units, b.units, &a.units))
        return false;
    *out = a;
    return true;
}

int mr_decimal_compare(struct mr_decimal a, struct mr_decimal b)
{
    if (scale_up(&a, b.scale) && scale_up(&b, a.scale))
        return a.units < b.units ? -1 : a.units > b.units;
    double one = mr_decimal_double(a), two = mr_decimal_double(b);
    return one < two ? -1 : one > two;
}

/* The quotient, halves away from zero; by is above 0. */
static __int128 divide(__int128 units, __int128 by)
{
    __int128 whole = units / by, rest = units % by;
    __int128 magnitude = rest < 0 ? -rest : rest;

    if (magnitude >= by - magnitude)
        whole += units < 0 ? -1 : 1;
    return whole;
}

struct mr_decimal mr_decimal_round(struct mr_decimal number, unsigned places)
{
    __int128 by = 1;

    if (number.scale <= places) {
        scale_up(&number, places);
        return number;
    }
    for (; number.scale > places; number.scale--)
        if (__builtin_mul_overflow(by, 10, &by))
            return (struct mr_decimal){0, places};
    number.units = divide(number.units, by);
    return number;
}

struct mr_decimal mr_decimal_share(struct mr_decimal sum, uint64_t n)
{
    scale_up(&sum, sum.scale + SHARE_PLACES);
    sum.units = divide(sum.units, (__int128)n);
    return sum;
}

void mr_decimal_print(struct mr_decimal number, struct mr_buf *out)
{
    char digits[DIGITS_MAX + 4];
    size_t at = sizeof(digits);
    unsigned __int128 left =
        number.units < 0 ? -(unsigned __int128)number.units : (unsigned __int128)number.units;

    for (unsigned n = 0; left > 0 || n <= number.scale; n++, left /= 10) {
        if (n == number.scale && n > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (unsigned)(left % 10));
    }
    if (number.units < 0)
        digits[--at] = '-';
    mr_buf_add(out, digits + at, sizeof(digits) - at);
}

double mr_decimal_double(struct mr_decimal number)
{
    return (double)number.units / pow(10, number.scale);
}
