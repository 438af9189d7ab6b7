#include "proto/base/random.h"
#include "proto/base/str.h"
#include "tests/support/envelope_oracle.h"
#include "tests/support/suite.h"

#include <string.h>

enum { ROUNDS = 100000, MUTATIONS_MAX = 4, BYTES_MAX = 2000 };

static const char *const seeds[] = {
    "{\"job\":\"a\"}",
    "{\"uuid\":\"c41e\",\"displayName\":\"email.send\",\"job\":\"email.send\",\"maxTries\":"
    "null,"
    "\"backoff\":null,\"timeout\":60,\"data\":{\"to\":\"zo\xc3\xab\",\"n\":-3.5e2,\"l\":[[],{}]"
    "},"
    "\"id\":\"X\",\"attempts\":0}",
    "{\"job\":\"A\\\\B@call\",\"maxTries\":5,\"maxExceptions\":3,\"failOnTimeout\":true,"
    "\"backoff\":\"10,30\",\"retryUntil\":1795437178,\"data\":{\"command\":"
    "\"O:1:\\\"\\u0000*\\u0000s\\\";\\ud83d\\ude00\"},\"attempts\":2}",
    " { \"attempts\" : 1 , \"job\" "
    ":\"x.y\",\"errors\":[{\"at_ms\":1,\"error\":\"e\"},2,3,4,5,6] } ",
    "{\"tags\":[],\"job\":\"j\",\"pushedAt\":\"1795437139.7547\",\"expiresAt\":1.5,\"crashes\":"
    "1,"
    "\"suspect\":null,\"inDoubt\":7,\"uuid\":null,\"errors\":{}}",
    "{\"backoff\":[1,2,3],\"unique\":{\"a\":1},\"then\":[1],\"batch\":null,\"job\":\"j\","
    "\"delay\":7,\"createdAt\":1795437139,\"other\":[true,false,null,0.1,1E+2]}",
    "{\"j\\u006fb\":\"x\",\"d\\u0061ta\":[1],\"\\u0061ttempts\":9,\"backoff\":4294967295}",
};

static const char *const tokens[] = {
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "0",
    "-",
    "1e400",
    "1E-400",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1.",
    "01",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\u00e9",
    "\\n",
    "\\x",
    "\xff",
    "\xc3\xab",
    "\xed\xa0\x80",
    "\xef\xbb\xbf",
    "\x01",
    "\x7f",
    "null",
    "true",
    "nul",
    "\"job\":\"k\",",
    "\"attempts\":3,",
    "\"uuid\":\"\",",
    "\"j\\u006fb\"",
    "\"data\":",
    "\"errors\":[7],",
    "\"timeout\":-1,",
    "\"pushedAt\":",
    "\"backoff\":\" 1 , 2 \",",
    "[[[[[[[[",
    "]]]]]]]]",
    "{}",
    "[]",
    "179769313486231580793e289",
    "179769313486231570000e289",
};

struct text {
    char at[BYTES_MAX];
    size_t len;
};

static void put(struct text *text, size_t where, const char *bytes, size_t len)
{
    if (text->len + len > sizeof(text->at))
        return;
    memmove(text->at + where + len, text->at + where, text->len - where);
    memcpy(text->at + where, bytes, len);
    text->len += len;
}

static void cut(struct text *text, size_t where, size_t len)
{
    len = len < text->len - where ? len : text->len - where;
    memmove(text->at + where, text->at + where + len, text->len - where - len);
    text->len -= len;
}

static void mutate(struct text *text, struct mr_random *dice)
{
    size_t where = mr_random_below(dice, text->len + 1);
    const char *token = tokens[mr_random_below(dice, MR_COUNT(tokens))];
    const char *seed = seeds[mr_random_below(dice, MR_COUNT(seeds))];
    char byte = (char)mr_random_below(dice, 256);
    char copy[64];

    switch (mr_random_below(dice, 6)) {
    case 0:
        put(text, where, token, strlen(token));
        break;
    case 1:
        cut(text, where, mr_random_below(dice, 8) + 1);
        break;
    case 2:
        put(text, where, &byte, 1);
        break;
    case 3:
        if (where < text->len)
            text->at[where] = byte;
        break;
    case 4: /* a piece of another seed */
        put(text, where, seed, mr_random_below(dice, strlen(seed)));
        break;
    default: /* a piece of itself */
        if (text->len > sizeof(copy)) {
            memcpy(copy, text->at + mr_random_below(dice, text->len - sizeof(copy)),
                   sizeof(copy));
            put(text, where, copy, mr_random_below(dice, sizeof(copy)));
        }
    }
}

static void agree(const struct text *text)
{
    const char *why = mr_envelope_disagreement(text->at, text->len);
    struct mr_buf shown = {0};

    if (!why)
        return;
    mr_buf_json(&shown, text->at, text->len);
    ck_abort_msg("%s: %s", why, shown.at);
}

START_TEST(scan_and_jansson_agree_on_whole_envelopes)
{
    struct text text = {.len = strlen(seeds[_i])};

    memcpy(text.at, seeds[_i], text.len);
    agree(&text);
}
END_TEST

START_TEST(scan_and_jansson_agree_on_every_prefix)
{
    for (size_t s = 0; s < MR_COUNT(seeds); s++) {
        struct text text = {0};

        memcpy(text.at, seeds[s], strlen(seeds[s]));
        for (text.len = 0; text.len < strlen(seeds[s]); text.len++)
            agree(&text);
    }
}
END_TEST

START_TEST(scan_and_jansson_agree_on_damaged_envelopes)
{
    struct mr_random dice = {.state = 20261123};

    for (int round = 0; round < ROUNDS; round++) {
        const char *seed = seeds[mr_random_below(&dice, MR_COUNT(seeds))];
        struct text text = {.len = strlen(seed)};

        memcpy(text.at, seed, text.len);
        for (uint64_t n = mr_random_below(&dice, MUTATIONS_MAX) + 1; n > 0; n--)
            mutate(&text, &dice);
        agree(&text);
    }
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {scan_and_jansson_agree_on_whole_envelopes,   MR_COUNT(seeds)},
        {scan_and_jansson_agree_on_every_prefix,      0              },
        {scan_and_jansson_agree_on_damaged_envelopes, 0              },
    };

    return mr_suite_run_slow("envelope_oracle", tests, 60);
}
