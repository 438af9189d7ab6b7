#include "proto/resp.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER_MAX = 32 };

/* "$5\r\n" and "*3\r\n" alike. */
static void count(struct mr_buf *buf, char kind, size_t n)
{
    mr_buf_char(buf, kind);
    mr_buf_u64(buf, n);
    mr_buf_add(buf, "\r\n", 2);
}

void mr_resp_begin(struct mr_buf *buf, size_t argc)
{
    count(buf, '*', argc);
}

void mr_resp_word(struct mr_buf *buf, const char *bytes, size_t len)
{
    mr_buf_reserve(buf, len + NUMBER_MAX);
    count(buf, '$', len);
    mr_buf_add(buf, bytes, len);
    mr_buf_add(buf, "\r\n", 2);
}

void mr_resp_text(struct mr_buf *buf, const char *text)
{
    mr_resp_word(buf, text, strlen(text));
}

void mr_resp_number(struct mr_buf *buf, int64_t number)
{
    char digits[NUMBER_MAX];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    mr_resp_word(buf, digits + at, sizeof(digits) - at);
}

void mr_resp_seconds(struct mr_buf *buf, double seconds)
{
    char text[NUMBER_MAX * 12]; /* DBL_MAX has 309 digits */
    int len = snprintf(text, sizeof(text), "%.3f", seconds);

    mr_resp_word(buf, text, (size_t)len);
}
