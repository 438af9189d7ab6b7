#include "proto/base/str.h"

#include "proto/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mr_bytes mr_bytes_of(const char *text)
{
    return (struct mr_bytes){text, text ? strlen(text) : 0};
}

bool mr_bytes_equal(struct mr_bytes a, struct mr_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool mr_bytes_is(struct mr_bytes a, const char *text)
{
    return mr_bytes_equal(a, mr_bytes_of(text));
}

void mr_buf_fini(struct mr_buf *buf)
{
    if (!buf)
        return;
    free(buf->at);
    *buf = (struct mr_buf){0};
}

void mr_buf_clear(struct mr_buf *buf)
{
    buf->len = 0;
    if (buf->at)
        buf->at[0] = '\0';
}

void mr_buf_reserve(struct mr_buf *buf, size_t more)
{
    size_t need = buf->len + more + 1;

    if (need <= buf->room)
        return;
    size_t room = buf->room ? buf->room : 64;
    while (room < need)
        room *= 2;
    buf->at = mr_realloc(buf->at, room);
    buf->room = room;
}

void mr_buf_add(struct mr_buf *buf, const char *bytes, size_t len)
{
    mr_buf_reserve(buf, len);
    if (len)
        memcpy(buf->at + buf->len, bytes, len);
    buf->len += len;
    buf->at[buf->len] = '\0';
}

void mr_buf_text(struct mr_buf *buf, const char *text)
{
    mr_buf_add(buf, text, strlen(text));
}

void mr_buf_char(struct mr_buf *buf, char c)
{
    mr_buf_add(buf, &c, 1);
}

void mr_buf_u64(struct mr_buf *buf, uint64_t number)
{
    char digits[20];
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    mr_buf_add(buf, digits + n, sizeof(digits) - n);
}

void mr_buf_printf(struct mr_buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        abort(); /* our own format string is wrong */
    mr_buf_reserve(buf, (size_t)len);
    va_start(args, format);
    vsnprintf(buf->at + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

size_t mr_str_utf8(const char *at, size_t left)
{
    const unsigned char *p = (const unsigned char *)at;
    static const struct {
        unsigned char from, to, second_from, second_to, len;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1},
        {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    if (left == 0)
        return 0;
    for (size_t r = 0; r < MR_COUNT(rows); r++) {
        if (p[0] < rows[r].from || p[0] > rows[r].to)
            continue;
        if (rows[r].len > left)
            return 0;
        if (rows[r].len > 1 && (p[1] < rows[r].second_from || p[1] > rows[r].second_to))
            return 0;
        for (size_t i = 2; i < rows[r].len; i++)
            if (p[i] < 0x80 || p[i] > 0xbf)
                return 0;
        return rows[r].len;
    }
    return 0;
}

void mr_buf_json(struct mr_buf *buf, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t n = mr_str_utf8(bytes + i, len - i);

        if (c == '"' || c == '\\')
            mr_buf_printf(buf, "\\%c", c);
        else if (c == '\n')
            mr_buf_text(buf, "\\n");
        else if (c < 0x20 || c == 0x7f)
            mr_buf_printf(buf, "\\u%04x", c);
        else if (n == 0)
            mr_buf_text(buf, "\xef\xbf\xbd");
        else
            mr_buf_add(buf, bytes + i, n);
        i += n ? n : 1;
    }
}

size_t mr_str_cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);

    if (len <= max)
        return len;
    for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
        ;
    return len;
}

char *mr_buf_steal(struct mr_buf *buf)
{
    mr_buf_reserve(buf, 0);
    char *bytes = buf->at;

    bytes[buf->len] = '\0';
    *buf = (struct mr_buf){0};
    return bytes;
}

int mr_str_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void mr_str_print_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}

enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance (Damerau 1964, Levenshtein 1966), three rows. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t cost = a[i - 1] != b[j - 1];

            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

const char *mr_str_nearest(const char *word, const char *const *words, size_t n)
{
    size_t len = strlen(word);
    size_t best = len / 3 + 1;
    const char *nearest = NULL;

    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(words[i]);
        size_t d = other > WORD_MAX ? best : distance(word, len, words[i], other);

        if (d < best || (d == best && !nearest && d <= len / 3)) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}

static bool is_name(struct mr_bytes name, size_t max, const char *others)
{
    if (name.len < 1 || name.len > max)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

bool mr_str_is_queue_name(struct mr_bytes name)
{
    return is_name(name, 100, "_.{}-");
}

bool mr_str_is_job_name(struct mr_bytes name)
{
    return is_name(name, 200, "_.\\@-");
}
