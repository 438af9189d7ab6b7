#include "jobs/email/base64.h"

#include <string.h>

enum { LINE = 76 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One group: 1 to 3 bytes as 4 characters. */
static void encode(const unsigned char *bytes, unsigned n, char out[4])
{
    uint32_t word = (uint32_t)bytes[0] << 16;

    word |= n > 1 ? (uint32_t)bytes[1] << 8 : 0;
    word |= n > 2 ? (uint32_t)bytes[2] : 0;
    out[0] = digits[word >> 18];
    out[1] = digits[word >> 12 & 63];
    out[2] = n > 1 ? digits[word >> 6 & 63] : '=';
    out[3] = n > 2 ? digits[word & 63] : '=';
}

void mr_base64_add(struct mr_buf *out, const void *bytes, size_t len)
{
    char group[4];

    for (size_t i = 0; i < len; i += 3) {
        encode((const unsigned char *)bytes + i, len - i < 3 ? (unsigned)(len - i) : 3, group);
        mr_buf_add(out, group, sizeof(group));
    }
}

/* Room for what len further bytes can become, and for a NUL. */
static void make_room(struct mr_buf *out, uint64_t len)
{
    mr_buf_reserve(out, (size_t)mr_base64_size(len) + sizeof("\r\nAAAA\r\n"));
}

/* Where n further characters of the line stand, in a room that is made; the line before has its end. */
static char *take(struct mr_base64 *state, struct mr_buf *out, unsigned n)
{
    if (state->column == LINE) {
        memcpy(out->at + out->len, "\r\n", 2);
        out->len += 2;
        state->column = 0;
    }
    char *at = out->at + out->len;

    state->column += n;
    out->len += n;
    return at;
}

void mr_base64_piece(struct mr_base64 *state, struct mr_buf *out, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    make_room(out, len);
    while (len > 0 && state->n_rest > 0) {
        state->rest[state->n_rest++] = *at++;
        len--;
        if (state->n_rest == 3) {
            encode(state->rest, 3, take(state, out, 4));
            state->n_rest = 0;
        }
    }
    for (; len >= 3; at += 3, len -= 3)
        encode(at, 3, take(state, out, 4));
    for (; len > 0; len--)
        state->rest[state->n_rest++] = *at++;
    out->at[out->len] = '\0';
}

void mr_base64_end(struct mr_base64 *state, struct mr_buf *out)
{
    make_room(out, state->n_rest);
    if (state->n_rest > 0)
        encode(state->rest, state->n_rest, take(state, out, 4));
    mr_buf_text(out, state->column > 0 ? "\r\n" : "");
    *state = (struct mr_base64){0};
}

uint64_t mr_base64_size(uint64_t bytes)
{
    uint64_t characters = (bytes + 2) / 3 * 4;

    return characters + (characters + LINE - 1) / LINE * 2;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

enum mr_code mr_base64_lines(struct mr_buf *out, const char *text, size_t len,
                             struct mr_err *err)
{
    struct mr_base64 state = {0};
    size_t n = 0, n_padding = 0;

    make_room(out, len / 4 * 3 + 3);
    for (size_t i = 0; i < len; i++) {
        if (is_blank(text[i]))
            continue;
        bool padding = text[i] == '=';

        n_padding += padding;
        n++;
        if (!padding && (n_padding > 0 || !is_digit(text[i])))
            return mr_fail(err, MR_EINVAL, "is no base64 at character %zu", i + 1);
        *take(&state, out, 1) = text[i];
    }
    if (n % 4 != 0 || n_padding > 2)
        return mr_fail(err, MR_EINVAL, "is no base64: it does not end as it should");
    mr_base64_end(&state, out);
    return MR_OK;
}
