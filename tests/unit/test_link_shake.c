#include "tests/support/link_scene.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A server of the test's own, that says what Redis never would. */
struct impostor {
    int listener, peer;
    char dir[32], url[128], path[64];
};

static void pose(struct impostor *impostor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(impostor->dir, sizeof(impostor->dir), "/tmp/mr-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(impostor->dir));
    snprintf(impostor->path, sizeof(impostor->path), "%s/s", impostor->dir);
    snprintf(impostor->url, sizeof(impostor->url), "unix:%s", impostor->path);
    memcpy(address.sun_path, impostor->path, sizeof(impostor->path));
    impostor->peer = -1;
    impostor->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(impostor->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(impostor->listener, 8), 0);
}

static bool is_met(struct impostor *impostor)
{
    if (impostor->peer < 0)
        impostor->peer = accept4(impostor->listener, NULL, NULL, SOCK_CLOEXEC);
    return impostor->peer >= 0;
}

static void lie(struct impostor *impostor, const char *text)
{
    ck_assert_int_eq(send(impostor->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void vanish(struct impostor *impostor)
{
    if (impostor->peer >= 0)
        close(impostor->peer);
    close(impostor->listener);
    unlink(impostor->path);
    rmdir(impostor->dir);
}

START_TEST(password_database_name_and_id_are_settled_before_on_up)
{
    struct mr_scene s;
    char url[256];

    mr_scene_set(&s);
    mr_redis_start(&s.redis, NULL);
    freeReplyObject(mr_redis_ask(&s.redis, "CONFIG SET requirepass geheim"));
    snprintf(url, sizeof(url), "redis+unix://:geheim@%s?db=3", s.redis.socket);
    s.options.url = url;
    s.options.name = "the-test";
    s.options.want_client_id = true;
    mr_scene_bring_up(&s);
    ck_assert_int_gt(mr_link_client_id(s.link), 0);
    mr_scene_say(&s, "SET", "here", "1", NULL);
    mr_scene_say(&s, "CLIENT", "GETNAME", NULL, NULL);
    mr_scene_until(&s, s.answered == 2);
    ck_assert_str_eq(s.text, "the-test");
    freeReplyObject(mr_redis_ask(&s.redis, "SELECT 3"));
    ck_assert_int_eq(mr_redis_int(&s.redis, "EXISTS here"), 1);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(user_and_password_of_the_options_win)
{
    struct mr_scene s;
    char url[256];

    mr_scene_set(&s);
    mr_redis_start(&s.redis, NULL);
    freeReplyObject(mr_redis_ask(&s.redis, "ACL SETUSER ann on >geheim +@all ~*"));
    snprintf(url, sizeof(url), "redis+unix://bob:wrong@%s", s.redis.socket);
    s.options.url = url;
    s.options.username = "ann";
    s.options.password = "geheim";
    mr_scene_bring_up(&s);
    mr_scene_say(&s, "ACL", "WHOAMI", NULL, NULL);
    mr_scene_until(&s, s.answered == 1);
    ck_assert_str_eq(s.text, "ann");
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_name_that_redis_refuses_does_no_harm)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    s.options.name = "two words";
    mr_scene_bring_up(&s);
    ck_assert_uint_eq(s.downs, 0);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(nothing_may_be_sent_before_the_handshake_is_answered)
{
    struct mr_scene s;
    struct impostor impostor;
    const char *ping = "PING";
    char bytes[256] = "";

    mr_scene_set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    s.options.password = "geheim";
    mr_scene_start(&s);
    ck_assert_int_eq(mr_link_command(s.link, mr_scene_on_reply, &s, 1, &ping, NULL), MR_EDOWN);
    mr_scene_until(&s, is_met(&impostor));
    mr_scene_until(&s, recv(impostor.peer, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
    ck_assert_str_eq(bytes, "*2\r\n$4\r\nAUTH\r\n$6\r\ngeheim\r\n*1\r\n$4\r\nPING\r\n");
    lie(&impostor, "+OK\r\n");
    for (int i = 0; i < 5; i++)
        uv_run(&s.loop, UV_RUN_ONCE);
    ck_assert_int_eq(mr_link_command(s.link, mr_scene_on_reply, &s, 1, &ping, NULL), MR_EDOWN);
    lie(&impostor, "+PONG\r\n");
    mr_scene_until(&s, s.ups == 1);
    mr_scene_strike(&s);
    vanish(&impostor);
}
END_TEST

static const struct {
    const char *config[2]; /* CONFIG SET before the link comes */
    const char *password;
    const char *query;
    const char *said;
    enum mr_code code;
} refusals[] = {
    {{"requirepass", "richtig"}, "geheim", "",       "WRONGPASS",             MR_EFAULT  },
    {{"requirepass", "richtig"}, NULL,     "",       "NOAUTH",                MR_EFAULT  },
    {{NULL, NULL},               "geheim", "",       "AUTH",                  MR_EFAULT  }, /* no password is set there */
    {{NULL, NULL},               NULL,     "?db=99", "SELECT 99",             MR_EFAULT  },
    {{"maxclients", "1"},        NULL,     "",       "max number of clients", MR_EREFUSED},
};

START_TEST(each_refusal_says_why_and_is_tried_again)
{
    struct mr_scene s;
    char url[256];

    mr_scene_set(&s);
    mr_redis_start(&s.redis, NULL);
    if (refusals[_i].config[0])
        freeReplyObject(mr_redis_ask(&s.redis, "CONFIG SET %s %s", refusals[_i].config[0],
                                     refusals[_i].config[1]));
    snprintf(url, sizeof(url), "%s%s", s.redis.url, refusals[_i].query);
    s.options.url = url;
    s.options.password = refusals[_i].password;
    mr_scene_start(&s);
    mr_scene_until(&s, s.downs == 2);
    ck_assert_msg(strstr(s.why.text, refusals[_i].said) != NULL, "%s", s.why.text);
    ck_assert_int_eq(s.why.code, refusals[_i].code);
    ck_assert_ptr_null(strstr(s.why.text, "geheim"));
    ck_assert_uint_eq(s.ups, 0);
    ck_assert_uint_eq(mr_link_reconnects(s.link), 0);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_server_that_repeats_the_password_is_not_quoted)
{
    static const char *const said[] = {
        "-ERR unknown command 'AUTH', with args beginning with: 'geh'\r\n",
        "-ERR what is geheim?\r\n",
    };
    struct mr_scene s;
    struct impostor impostor;

    mr_scene_set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    s.options.password = "geheim";
    mr_scene_start(&s);
    mr_scene_until(&s, is_met(&impostor));
    lie(&impostor, said[_i]);
    mr_scene_until(&s, s.downs == 1);
    ck_assert_ptr_nonnull(strstr(s.why.text, "AUTH was refused"));
    ck_assert_ptr_null(strstr(s.why.text, "geh"));
    mr_scene_strike(&s);
    vanish(&impostor);
}
END_TEST

START_TEST(a_server_that_never_greets_is_given_up)
{
    struct mr_scene s;
    struct impostor impostor;

    mr_scene_set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    s.options.connect_timeout_ms = 100;
    mr_scene_start(&s);
    mr_scene_until(&s, s.downs == 2);
    ck_assert_int_eq(s.why.code, MR_ETIMEDOUT);
    mr_scene_strike(&s);
    vanish(&impostor);
}
END_TEST

static const struct {
    const char *text, *said;
} nonsense[] = {
    {"!garbage\r\n",                                                       "Protocol error"},
    {"+UNASKED\r\n",                                                       "nobody asked"  },
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "redis at"      },
};

START_TEST(nonsense_from_the_server_ends_the_connection)
{
    struct mr_scene s;
    struct impostor impostor;

    mr_scene_set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    mr_scene_start(&s);
    mr_scene_until(&s, is_met(&impostor));
    lie(&impostor, "+PONG\r\n");
    mr_scene_until(&s, s.ups == 1);
    lie(&impostor, nonsense[_i].text);
    mr_scene_until(&s, s.downs == 1);
    ck_assert_msg(strstr(s.why.text, nonsense[_i].said) != NULL, "%s", s.why.text);
    mr_scene_strike(&s);
    vanish(&impostor);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {password_database_name_and_id_are_settled_before_on_up, 0                 },
        {user_and_password_of_the_options_win,                   0                 },
        {a_name_that_redis_refuses_does_no_harm,                 0                 },
        {nothing_may_be_sent_before_the_handshake_is_answered,   0                 },
        {each_refusal_says_why_and_is_tried_again,               MR_COUNT(refusals)},
        {a_server_that_repeats_the_password_is_not_quoted,       2                 },
        {a_server_that_never_greets_is_given_up,                 0                 },
        {nonsense_from_the_server_ends_the_connection,           MR_COUNT(nonsense)},
    };

    return mr_suite_run("link_shake", tests);
}
