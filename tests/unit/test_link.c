#include "proto/base/mem.h"
#include "tests/support/link_scene.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A TCP port that was free a moment ago. */
static void free_port(char *out, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    snprintf(out, size, "%d", ntohs(address.sin_port));
}

START_TEST(ten_thousand_commands_of_one_turn_answer_in_order)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    for (int i = 0; i < 10000; i++)
        mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.answered == 10000);
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(s.integers[i], i + 1);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(commands_of_one_turn_leave_together)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    long long before = mr_redis_int(&s.redis, "EVAL %s 0",
                                    "return redis.call('INFO','stats'):match("
                                    "'total_reads_processed:(%d+)')");
    for (int i = 0; i < 20; i++)
        mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.answered == 20);
    long long reads = mr_redis_int(&s.redis, "EVAL %s 0",
                                   "return redis.call('INFO','stats'):match("
                                   "'total_reads_processed:(%d+)')") -
                      before;
    ck_assert_int_le(reads, 2); /* ours, and the question */
    mr_scene_strike(&s);
}
END_TEST

START_TEST(bytes_given_as_resp_go_as_they_are)
{
    static const char resp[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\0b\r\n";
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    ck_assert_int_eq(mr_link_send(s.link, resp, sizeof(resp) - 1, NULL, NULL), MR_OK);
    mr_scene_say(&s, "STRLEN", "k", NULL, NULL);
    mr_scene_until(&s, s.answered == 1);
    ck_assert_int_eq(s.integers[0], 3);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(sixty_four_megabytes_go_there_and_back)
{
    enum { BYTES = 64 << 20 };
    struct mr_scene s;
    char *payload = mr_zalloc(BYTES);
    const char *words[] = {"SET", "big", payload};
    const size_t lens[] = {3, 3, BYTES};

    memset(payload, 'x', BYTES);
    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    ck_assert_int_eq(mr_link_command(s.link, mr_scene_on_reply, &s, 3, words, lens), MR_OK);
    mr_scene_say(&s, "GET", "big", NULL, NULL);
    mr_scene_until(&s, s.answered == 2);
    ck_assert_uint_eq(s.text_len, BYTES);
    mr_scene_say(&s, "PING", NULL, NULL, NULL); /* the parser of the large reply has gone */
    mr_scene_until(&s, s.answered == 3);
    ck_assert_str_eq(s.text, "PONG");
    free(payload);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_name_is_resolved_until_an_address_answers)
{
    struct mr_scene s;
    char port[8], url[64];
    const char *const extra[] = {"--port", port, "--bind", "127.0.0.1", NULL};

    free_port(port, sizeof(port));
    mr_scene_set_with_redis(&s, extra);
    snprintf(url, sizeof(url), "redis://localhost:%s/2", port);
    s.options.url = url;
    mr_scene_bring_up(&s);
    ck_assert_str_eq(mr_link_address(s.link), url + strlen("redis://"));
    mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.answered == 1);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_refused_port_and_an_unknown_name_say_so)
{
    static const char *const said[] = {"connection refused", "cannot resolve no-such.invalid"};
    struct mr_scene s;
    char port[8], url[64];

    mr_scene_set(&s);
    free_port(port, sizeof(port));
    snprintf(url, sizeof(url), "redis://%s:%s", _i ? "no-such.invalid" : "127.0.0.1", port);
    s.options.url = url;
    mr_scene_start(&s);
    mr_scene_until(&s, s.downs == 2);
    ck_assert_msg(strstr(s.why.text, said[_i]) != NULL, "%s", s.why.text);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(stopping_while_a_name_is_looked_up_is_clean)
{
    struct mr_scene s;

    mr_scene_set(&s);
    s.options.url = "redis://no-such.invalid";
    mr_scene_start(&s);
    mr_scene_strike(&s);
    ck_assert_uint_eq(s.downs + s.ups, 0);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {ten_thousand_commands_of_one_turn_answer_in_order, 0},
        {commands_of_one_turn_leave_together,               0},
        {bytes_given_as_resp_go_as_they_are,                0},
        {sixty_four_megabytes_go_there_and_back,            0},
        {a_name_is_resolved_until_an_address_answers,       0},
        {a_refused_port_and_an_unknown_name_say_so,         2},
        {stopping_while_a_name_is_looked_up_is_clean,       0},
    };

    return mr_suite_run("link", tests);
}
