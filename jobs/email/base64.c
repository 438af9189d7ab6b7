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

static void add_group(struct mr_base64 *state, struct mr_buf *out, const unsigned char *bytes,
                      unsigned n)
{
    char group[4];

    if (state->column == LINE) {
        mr_buf_text(out, "\r\n");
        state->column = 0;
    }
    encode(bytes, n, group);
    mr_buf_add(out, group, sizeof(group));
    state->column += sizeof(group);
}

void mr_base64_piece(struct mr_base64 *state, struct mr_buf *out, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    while (len > 0 && state->n_rest > 0) {
        state->rest[state->n_rest++] = *at++;
        len--;
        if (state->n_rest == 3) {
            add_group(state, out, state->rest, 3);
            state->n_rest = 0;
        }
    }
    for (; len >= 3; at += 3, len -= 3)
        add_group(state, out, at, 3);
    for (; len > 0; len--)
        state->rest[state->n_rest++] = *at++;
}

void mr_base64_end(struct mr_base64 *state, struct mr_buf *out)
{
    if (state->n_rest > 0)
        add_group(state, out, state->rest, state->n_rest);
    if (state->column > 0)
        mr_buf_text(out, "\r\n");
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

/* Adds one character of the text to its lines. */
static void add_character(struct mr_base64 *state, struct mr_buf *out, char c)
{
    if (state->column == LINE) {
        mr_buf_text(out, "\r\n");
        state->column = 0;
    }
    mr_buf_char(out, c);
    state->column++;
}

enum mr_code mr_base64_lines(struct mr_buf *out, const char *text, size_t len,
                             struct mr_err *err)
{
    struct mr_base64 state = {0};
    size_t n = 0, n_padding = 0;

    for (size_t i = 0; i < len; i++) {
        if (is_blank(text[i]))
            continue;
        bool padding = text[i] == '=';

        n_padding += padding;
        n++;
        if (text[i] == '\0' || (!padding && (n_padding > 0 || !strchr(digits, text[i]))))
            return mr_fail(err, MR_EINVAL, "is no base64 at character %zu", i + 1);
        add_character(&state, out, text[i]);
    }
    if (n % 4 != 0 || n_padding > 2)
        return mr_fail(err, MR_EINVAL, "is no base64: it does not end as it should");
    mr_base64_end(&state, out);
    return MR_OK;
}
