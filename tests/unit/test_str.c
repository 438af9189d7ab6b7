#include "proto/base/str.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

START_TEST(bytes_compare_by_length_and_content)
{
    struct mr_bytes with_nul = {"a\0b", 3};

    ck_assert(mr_bytes_is((struct mr_bytes){"abc", 2}, "ab"));
    ck_assert(!mr_bytes_is(with_nul, "a"));
    ck_assert(mr_bytes_equal(with_nul, (struct mr_bytes){"a\0b", 3}));
    ck_assert(!mr_bytes_equal(with_nul, (struct mr_bytes){"a\0c", 3}));
    ck_assert_ptr_null(mr_bytes_of(NULL).at);
    ck_assert(mr_bytes_equal(mr_bytes_of(NULL), mr_bytes_of("")));
}
END_TEST

START_TEST(a_buffer_grows_and_keeps_a_nul_behind_its_end)
{
    struct mr_buf buf = {0};

    for (int i = 0; i < 1000; i++)
        mr_buf_add(&buf, "a\0b", 3);
    ck_assert_uint_eq(buf.len, 3000);
    ck_assert_int_eq(buf.at[3000], '\0');
    ck_assert_int_eq(memcmp(buf.at + 2997, "a\0b", 3), 0);
    mr_buf_clear(&buf);
    ck_assert_uint_eq(buf.len, 0);
    mr_buf_text(&buf, "n=");
    mr_buf_u64(&buf, 0);
    mr_buf_char(&buf, ' ');
    mr_buf_u64(&buf, UINT64_MAX);
    mr_buf_printf(&buf, " %s %d", "text", -3);
    ck_assert_str_eq(buf.at, "n=0 18446744073709551615 text -3");
    mr_buf_fini(&buf);
    mr_buf_fini(NULL);
}
END_TEST

START_TEST(steal_moves_the_bytes_out)
{
    struct mr_buf buf = {0};

    char *empty = mr_buf_steal(&buf);
    ck_assert_str_eq(empty, "");
    free(empty);
    mr_buf_text(&buf, "mine");
    char *text = mr_buf_steal(&buf);
    ck_assert_str_eq(text, "mine");
    ck_assert_ptr_null(buf.at);
    free(text);
}
END_TEST

#define BAD "\xef\xbf\xbd"
static const struct {
    struct mr_bytes in;
    const char *out;
} escapes[] = {
    {{"plain /", 7},              "plain /"                        },
    {{"a\"b\\c", 5},              "a\\\"b\\\\c"                    },
    {{"\n\t\x01\0\x7f", 5},       "\\n\\u0009\\u0001\\u0000\\u007f"},
    {{"\xc3\xab\xe2\x82\xac", 5}, "\xc3\xab\xe2\x82\xac"           },
    {{"\xf0\x9f\x90\x8e", 4},     "\xf0\x9f\x90\x8e"               },
    {{"\xff", 1},                 BAD                              },
    {{"\xc3", 1},                 BAD                              }, /* cut short */
    {{"\xc0\x80", 2},             BAD BAD                          }, /* overlong */
    {{"\xed\xa0\x80", 3},         BAD BAD BAD                      }, /* a surrogate */
    {{"\xf4\x90\x80\x80", 4},     BAD BAD BAD BAD                  }, /* past U+10FFFF */
};

START_TEST(json_text_is_escaped_and_always_utf8)
{
    struct mr_buf buf = {0};

    mr_buf_json(&buf, escapes[_i].in.at, escapes[_i].in.len);
    ck_assert_str_eq(buf.at, escapes[_i].out);
    mr_buf_fini(&buf);
}
END_TEST

static const struct {
    const char *word, *nearest;
} typos[] = {
    {"proceses",   "processes"  },
    {"timeuot",    "timeout"    },
    {"tries",      "tries"      },
    {"ttl",        NULL         },
    {"",           NULL         },
    {"xyzzy",      NULL         },
    {"concurency", "concurrency"},
};

START_TEST(the_nearest_word_is_what_was_meant)
{
    static const char *const words[] = {"processes", "timeout", "tries", "concurrency"};
    const char *nearest = mr_str_nearest(typos[_i].word, words, MR_COUNT(words));

    if (typos[_i].nearest)
        ck_assert_pstr_eq(nearest, typos[_i].nearest);
    else
        ck_assert_ptr_null(nearest);
}
END_TEST

START_TEST(names_hold_only_harmless_letters)
{
    char long_name[202];

    memset(long_name, 'a', sizeof(long_name));
    ck_assert(mr_str_is_queue_name(mr_bytes_of("{default}_1.a-B")));
    ck_assert(!mr_str_is_queue_name(mr_bytes_of("")));
    ck_assert(!mr_str_is_queue_name(mr_bytes_of(NULL)));
    ck_assert(!mr_str_is_queue_name(mr_bytes_of("default:notify")));
    ck_assert(!mr_str_is_queue_name(mr_bytes_of("two words")));
    ck_assert(!mr_str_is_queue_name((struct mr_bytes){"a\0b", 3}));
    ck_assert(mr_str_is_queue_name((struct mr_bytes){long_name, 100}));
    ck_assert(!mr_str_is_queue_name((struct mr_bytes){long_name, 101}));
    ck_assert(mr_str_is_job_name(mr_bytes_of("Illuminate\\Queue\\CallQueuedHandler@call")));
    ck_assert(!mr_str_is_job_name(mr_bytes_of("email/send")));
    ck_assert(mr_str_is_job_name((struct mr_bytes){long_name, 200}));
    ck_assert(!mr_str_is_job_name((struct mr_bytes){long_name, 201}));
}
END_TEST

START_TEST(bytes_are_printed_as_digits_and_read_back)
{
    unsigned char byte = 0;
    char out[3];

    for (unsigned i = 0; i < 256; i++) {
        byte = (unsigned char)i;
        mr_str_print_hex(&byte, 1, out);
        ck_assert_uint_eq(strlen(out), 2);
        ck_assert_int_eq(mr_str_hex(out[0]) * 16 + mr_str_hex(out[1]), (int)i);
    }
    mr_str_print_hex(&byte, 1, out);
    ck_assert_str_eq(out, "ff");
    mr_str_print_hex(NULL, 0, out);
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {bytes_compare_by_length_and_content,           0                },
        {a_buffer_grows_and_keeps_a_nul_behind_its_end, 0                },
        {steal_moves_the_bytes_out,                     0                },
        {json_text_is_escaped_and_always_utf8,          MR_COUNT(escapes)},
        {the_nearest_word_is_what_was_meant,            MR_COUNT(typos)  },
        {names_hold_only_harmless_letters,              0                },
        {bytes_are_printed_as_digits_and_read_back,     0                },
    };

    return mr_suite_run("str", tests);
}
