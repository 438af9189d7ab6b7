#include "proto/resp.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(a_command_is_its_words_with_their_lengths)
{
    struct mr_buf buf = {0};

    mr_resp_begin(&buf, 3);
    mr_resp_text(&buf, "SET");
    mr_resp_word(&buf, "a\0b", 3);
    mr_resp_word(&buf, "", 0);
    ck_assert_uint_eq(buf.len, 4 + 9 + 9 + 6);
    ck_assert_mem_eq(buf.at, "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n", buf.len);
    mr_buf_fini(&buf);
}
END_TEST

static const struct {
    int64_t number;
    const char *resp;
} numbers[] = {
    {0,         "$1\r\n0\r\n"                    },
    {-1,        "$2\r\n-1\r\n"                   },
    {128,       "$3\r\n128\r\n"                  },
    {INT64_MAX, "$19\r\n9223372036854775807\r\n" },
    {INT64_MIN, "$20\r\n-9223372036854775808\r\n"},
};

START_TEST(numbers_are_decimal)
{
    struct mr_buf buf = {0};

    mr_resp_number(&buf, numbers[_i].number);
    ck_assert_str_eq(buf.at, numbers[_i].resp);
    mr_buf_fini(&buf);
}
END_TEST

START_TEST(seconds_keep_their_milliseconds)
{
    struct mr_buf buf = {0};

    mr_resp_seconds(&buf, 1700000000.25);
    ck_assert_str_eq(buf.at, "$14\r\n1700000000.250\r\n");
    mr_buf_fini(&buf);
}
END_TEST

START_TEST(the_longest_double_fits)
{
    struct mr_buf buf = {0};

    mr_resp_seconds(&buf, -1.7976931348623157e308);
    ck_assert_int_eq(strncmp(buf.at, "$314\r\n-1797", 11), 0);
    mr_buf_fini(&buf);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_command_is_its_words_with_their_lengths, 0                     },
        {numbers_are_decimal,                       (int)MR_COUNT(numbers)},
        {seconds_keep_their_milliseconds,           0                     },
        {the_longest_double_fits,                   0                     },
    };

    return mr_suite_run("resp", tests);
}
