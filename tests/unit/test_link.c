#include "proto/base/clock.h"
#include "proto/link.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000, TICK_MS = 2, MAX_NOTES = 16384 };

/* A link on a loop of its own, and what it said. */
struct scene {
    struct mr_redis redis;
    uv_loop_t loop;
    uv_timer_t tick; /* so that a wait looks at its condition now and then */
    struct mr_link *link;
    struct mr_link_options options;
    unsigned ups, downs, answered, unknown, stopped;
    unsigned owed_at_down; /* answers still missing when on_down came; must be none */
    unsigned sent;
    struct mr_err why;
    long long integers[MAX_NOTES];
    char text[256];  /* of the last reply */
    size_t text_len; /* of the last reply */
    enum { DO_NOTHING, DO_DROP, DO_STOP, DO_SEND } in_reply, in_down, in_up;
};

static void on_tick(uv_timer_t *tick)
{
    (void)tick;
}

/* Turns the loop until the condition holds; fails the test when it never does. */
#define until(scene, condition)                                                                \
    do {                                                                                       \
        uint64_t end_ms = mr_clock_ms() + DEADLINE_MS;                                         \
        while (!(condition)) {                                                                 \
            ck_assert_msg(mr_clock_ms() < end_ms, "never happened: %s", #condition);           \
            uv_run(&(scene)->loop, UV_RUN_ONCE);                                               \
        }                                                                                      \
    } while (0)

static void on_stopped(void *arg)
{
    struct scene *s = arg;

    s->stopped++;
    s->link = NULL;
}

static void on_reply(void *arg, const redisReply *reply);

static void misbehave(struct scene *s, int what)
{
    if (what == DO_DROP)
        mr_link_drop(s->link, "the test said so");
    else if (what == DO_STOP)
        mr_link_stop(s->link, on_stopped, s);
    else if (what == DO_SEND && mr_link_is_up(s->link))
        ck_assert_int_eq(
            mr_link_command(s->link, on_reply, s, 1, (const char *const[]){"PING"}, NULL),
            MR_OK);
    else if (what == DO_SEND)
        ck_assert_int_eq(
            mr_link_command(s->link, on_reply, s, 1, (const char *const[]){"PING"}, NULL),
            MR_EDOWN);
}

static void on_reply(void *arg, const redisReply *reply)
{
    struct scene *s = arg;
    int what = s->in_reply;

    if (!reply) {
        s->unknown++;
    } else {
        if (reply->type == REDIS_REPLY_INTEGER)
            s->integers[s->answered] = reply->integer;
        s->text_len = reply->len;
        if (reply->str)
            snprintf(s->text, sizeof(s->text), "%s", reply->str);
        s->answered++;
    }
    if (what != DO_SEND)
        s->in_reply = DO_NOTHING;
    misbehave(s, what);
}

static void on_up(void *arg)
{
    struct scene *s = arg;

    s->ups++;
    misbehave(s, s->in_up);
}

static void on_down(void *arg, const struct mr_err *why)
{
    struct scene *s = arg;

    s->downs++;
    s->why = *why;
    s->owed_at_down += s->sent - s->answered - s->unknown;
    misbehave(s, s->in_down);
}

static void set(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&s->loop);
    uv_timer_init(&s->loop, &s->tick);
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    s->options = (struct mr_link_options){.connect_timeout_ms = 5000, .reply_timeout_ms = 5000};
}

static void set_with_redis(struct scene *s, const char *const *extra)
{
    set(s);
    mr_redis_start(&s->redis, extra);
    s->options.url = s->redis.url;
}

static void start(struct scene *s)
{
    const struct mr_link_events events = {.on_up = on_up, .on_down = on_down, .arg = s};
    struct mr_err err;

    ck_assert_msg(mr_link_new(&s->loop, &s->options, &events, &s->link, &err) == MR_OK, "%s",
                  err.text);
    mr_link_start(s->link);
}

static void bring_up(struct scene *s)
{
    start(s);
    until(s, s->ups == 1);
}

static void strike(struct scene *s)
{
    if (s->link && !s->stopped)
        mr_link_stop(s->link, on_stopped, s);
    until(s, s->stopped == 1);
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&s->loop), 0);
    if (s->redis.dir[0])
        mr_redis_stop(&s->redis);
}

/* A command of up to four words. */
static void say(struct scene *s, const char *a, const char *b, const char *c, const char *d)
{
    const char *words[] = {a, b, c, d};
    int n = 1;

    while (n < 4 && words[n])
        n++;
    ck_assert_int_eq(mr_link_command(s->link, on_reply, s, n, words, NULL), MR_OK);
    s->sent++;
}

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

/* ---- replies ---- */

START_TEST(ten_thousand_commands_of_one_turn_answer_in_order)
{
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    for (int i = 0; i < 10000; i++)
        say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.answered == 10000);
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(s.integers[i], i + 1);
    strike(&s);
}
END_TEST

START_TEST(commands_of_one_turn_leave_together)
{
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    long long before = mr_redis_int(&s.redis, "EVAL %s 0",
                                    "return redis.call('INFO','stats'):match("
                                    "'total_reads_processed:(%d+)')");
    for (int i = 0; i < 20; i++)
        say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.answered == 20);
    long long reads = mr_redis_int(&s.redis, "EVAL %s 0",
                                   "return redis.call('INFO','stats'):match("
                                   "'total_reads_processed:(%d+)')") -
                      before;
    ck_assert_int_le(reads, 2); /* ours, and the question */
    strike(&s);
}
END_TEST

START_TEST(bytes_given_as_resp_go_as_they_are)
{
    static const char resp[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\0b\r\n";
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    ck_assert_int_eq(mr_link_send(s.link, resp, sizeof(resp) - 1, NULL, NULL), MR_OK);
    say(&s, "STRLEN", "k", NULL, NULL);
    until(&s, s.answered == 1);
    ck_assert_int_eq(s.integers[0], 3);
    strike(&s);
}
END_TEST

START_TEST(sixty_four_megabytes_go_there_and_back)
{
    enum { BYTES = 64 << 20 };
    struct scene s;
    char *payload = mr_zalloc(BYTES);
    const char *words[] = {"SET", "big", payload};
    const size_t lens[] = {3, 3, BYTES};

    memset(payload, 'x', BYTES);
    set_with_redis(&s, NULL);
    bring_up(&s);
    ck_assert_int_eq(mr_link_command(s.link, on_reply, &s, 3, words, lens), MR_OK);
    say(&s, "GET", "big", NULL, NULL);
    until(&s, s.answered == 2);
    ck_assert_uint_eq(s.text_len, BYTES);
    say(&s, "PING", NULL, NULL, NULL); /* the parser of the large reply has gone */
    until(&s, s.answered == 3);
    ck_assert_str_eq(s.text, "PONG");
    free(payload);
    strike(&s);
}
END_TEST

/* ---- the handshake ---- */

START_TEST(password_database_name_and_id_are_settled_before_on_up)
{
    struct scene s;
    char url[256];

    set(&s);
    mr_redis_start(&s.redis, NULL);
    freeReplyObject(mr_redis_ask(&s.redis, "CONFIG SET requirepass geheim"));
    snprintf(url, sizeof(url), "redis+unix://:geheim@%s?db=3", s.redis.socket);
    s.options.url = url;
    s.options.name = "the-test";
    s.options.want_client_id = true;
    bring_up(&s);
    ck_assert_int_gt(mr_link_client_id(s.link), 0);
    say(&s, "SET", "here", "1", NULL);
    say(&s, "CLIENT", "GETNAME", NULL, NULL);
    until(&s, s.answered == 2);
    ck_assert_str_eq(s.text, "the-test");
    freeReplyObject(mr_redis_ask(&s.redis, "SELECT 3"));
    ck_assert_int_eq(mr_redis_int(&s.redis, "EXISTS here"), 1);
    strike(&s);
}
END_TEST

START_TEST(user_and_password_of_the_options_win)
{
    struct scene s;
    char url[256];

    set(&s);
    mr_redis_start(&s.redis, NULL);
    freeReplyObject(mr_redis_ask(&s.redis, "ACL SETUSER ann on >geheim +@all ~*"));
    snprintf(url, sizeof(url), "redis+unix://bob:wrong@%s", s.redis.socket);
    s.options.url = url;
    s.options.username = "ann";
    s.options.password = "geheim";
    bring_up(&s);
    say(&s, "ACL", "WHOAMI", NULL, NULL);
    until(&s, s.answered == 1);
    ck_assert_str_eq(s.text, "ann");
    strike(&s);
}
END_TEST

START_TEST(a_name_that_redis_refuses_does_no_harm)
{
    struct scene s;

    set_with_redis(&s, NULL);
    s.options.name = "two words";
    bring_up(&s);
    ck_assert_uint_eq(s.downs, 0);
    strike(&s);
}
END_TEST

START_TEST(nothing_may_be_sent_before_the_handshake_is_answered)
{
    struct scene s;
    struct impostor impostor;
    const char *ping = "PING";
    char bytes[256] = "";

    set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    s.options.password = "geheim";
    start(&s);
    ck_assert_int_eq(mr_link_command(s.link, on_reply, &s, 1, &ping, NULL), MR_EDOWN);
    until(&s, is_met(&impostor));
    until(&s, recv(impostor.peer, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
    ck_assert_str_eq(bytes, "*2\r\n$4\r\nAUTH\r\n$6\r\ngeheim\r\n*1\r\n$4\r\nPING\r\n");
    lie(&impostor, "+OK\r\n");
    for (int i = 0; i < 5; i++)
        uv_run(&s.loop, UV_RUN_ONCE);
    ck_assert_int_eq(mr_link_command(s.link, on_reply, &s, 1, &ping, NULL), MR_EDOWN);
    lie(&impostor, "+PONG\r\n");
    until(&s, s.ups == 1);
    strike(&s);
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
    struct scene s;
    char url[256];

    set(&s);
    mr_redis_start(&s.redis, NULL);
    if (refusals[_i].config[0])
        freeReplyObject(mr_redis_ask(&s.redis, "CONFIG SET %s %s", refusals[_i].config[0],
                                     refusals[_i].config[1]));
    snprintf(url, sizeof(url), "%s%s", s.redis.url, refusals[_i].query);
    s.options.url = url;
    s.options.password = refusals[_i].password;
    start(&s);
    until(&s, s.downs == 2);
    ck_assert_msg(strstr(s.why.text, refusals[_i].said) != NULL, "%s", s.why.text);
    ck_assert_int_eq(s.why.code, refusals[_i].code);
    ck_assert_ptr_null(strstr(s.why.text, "geheim"));
    ck_assert_uint_eq(s.ups, 0);
    ck_assert_uint_eq(mr_link_reconnects(s.link), 0);
    strike(&s);
}
END_TEST

START_TEST(a_server_that_repeats_the_password_is_not_quoted)
{
    static const char *const said[] = {
        "-ERR unknown command 'AUTH', with args beginning with: 'geh'\r\n",
        "-ERR what is geheim?\r\n",
    };
    struct scene s;
    struct impostor impostor;

    set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    s.options.password = "geheim";
    start(&s);
    until(&s, is_met(&impostor));
    lie(&impostor, said[_i]);
    until(&s, s.downs == 1);
    ck_assert_ptr_nonnull(strstr(s.why.text, "AUTH was refused"));
    ck_assert_ptr_null(strstr(s.why.text, "geh"));
    strike(&s);
    vanish(&impostor);
}
END_TEST

START_TEST(a_server_that_never_greets_is_given_up)
{
    struct scene s;
    struct impostor impostor;

    set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    s.options.connect_timeout_ms = 100;
    start(&s);
    until(&s, s.downs == 2);
    ck_assert_int_eq(s.why.code, MR_ETIMEDOUT);
    strike(&s);
    vanish(&impostor);
}
END_TEST

/* ---- nonsense ---- */

static const struct {
    const char *text, *said;
} nonsense[] = {
    {"!garbage\r\n",                                                       "Protocol error"},
    {"+UNASKED\r\n",                                                       "nobody asked"  },
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "redis at"      },
};

START_TEST(nonsense_from_the_server_ends_the_connection)
{
    struct scene s;
    struct impostor impostor;

    set(&s);
    pose(&impostor);
    s.options.url = impostor.url;
    start(&s);
    until(&s, is_met(&impostor));
    lie(&impostor, "+PONG\r\n");
    until(&s, s.ups == 1);
    lie(&impostor, nonsense[_i].text);
    until(&s, s.downs == 1);
    ck_assert_msg(strstr(s.why.text, nonsense[_i].said) != NULL, "%s", s.why.text);
    strike(&s);
    vanish(&impostor);
}
END_TEST

/* ---- losing it ---- */

START_TEST(killed_server_answers_nobody_knows_once_each_then_down_then_up)
{
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    for (int i = 0; i < 100; i++)
        say(&s, "INCR", "n", NULL, NULL);
    mr_link_flush(s.link);
    kill(s.redis.pid, SIGKILL);
    mr_redis_kill(&s.redis);
    until(&s, s.downs >= 1);
    ck_assert_uint_eq(s.unknown, 100);
    ck_assert_uint_eq(s.owed_at_down, 0);
    ck_assert_uint_eq(mr_link_reconnects(s.link), 1);
    ck_assert(!mr_link_is_up(s.link));
    mr_redis_again(&s.redis, NULL);
    until(&s, s.ups == 2);
    say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.answered == 1);
    ck_assert_uint_eq(s.unknown, 100);
    strike(&s);
}
END_TEST

START_TEST(a_client_killed_by_an_operator_comes_back)
{
    struct scene s;

    set_with_redis(&s, NULL);
    s.options.want_client_id = true;
    bring_up(&s);
    long long id = mr_link_client_id(s.link);
    ck_assert_int_eq(mr_redis_int(&s.redis, "CLIENT KILL ID %lld", id), 1);
    until(&s, s.ups == 2);
    ck_assert_uint_eq(s.downs, 1);
    ck_assert_ptr_nonnull(strstr(s.why.text, "closed the connection"));
    ck_assert_int_ne(mr_link_client_id(s.link), id);
    strike(&s);
}
END_TEST

START_TEST(a_silent_server_is_dropped_within_the_reply_timeout)
{
    struct scene s;

    set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 200;
    s.options.connect_timeout_ms = 200;
    bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    uint64_t from_ms = mr_clock_ms();
    say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.downs == 1);
    ck_assert_uint_ge(mr_clock_ms() - from_ms, 200);
    ck_assert_int_eq(s.why.code, MR_ETIMEDOUT);
    ck_assert_uint_eq(s.unknown, 1);
    kill(s.redis.pid, SIGCONT);
    until(&s, s.ups == 2);
    strike(&s);
}
END_TEST

START_TEST(silence_counts_only_while_a_reply_is_owed)
{
    struct scene s;

    set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 50;
    bring_up(&s);
    say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.answered == 1);
    uint64_t from_ms = mr_clock_ms();
    until(&s, mr_clock_ms() - from_ms > 300);
    ck_assert_uint_eq(s.downs, 0);

    /* The late watchdog of the first command must not bite the second. */
    say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.answered == 2);
    ck_assert_uint_eq(s.downs, 0);
    strike(&s);
}
END_TEST

START_TEST(a_process_that_slept_too_long_still_reads_what_came)
{
    struct scene s;

    set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 50;
    bring_up(&s);
    say(&s, "INCR", "n", NULL, NULL);
    mr_link_flush(s.link);
    usleep(
        200 *
        1000); /* the loop stands still, as in a stopped process; the answer lies in the socket */
    until(&s, s.answered == 1 || s.downs);
    ck_assert_uint_eq(s.downs, 0);
    strike(&s);
}
END_TEST

START_TEST(attempts_go_on_with_growing_waits_until_a_server_is_there)
{
    static const unsigned ceilings_ms[] = {50, 100, 200, 400};
    struct scene s;

    set_with_redis(&s, NULL);
    mr_redis_kill(&s.redis);
    start(&s);
    until(&s, s.downs == 1);
    for (unsigned i = 0; i < MR_COUNT(ceilings_ms); i++) {
        uint64_t from_ms = mr_clock_ms();
        until(&s, s.downs == i + 2);
        ck_assert_uint_lt(mr_clock_ms() - from_ms, ceilings_ms[i] + 1000);
    }
    ck_assert_int_eq(s.why.code, MR_EDOWN);
    ck_assert_ptr_nonnull(strstr(s.why.text, s.redis.socket));
    mr_redis_again(&s.redis, NULL);
    until(&s, s.ups == 1);
    ck_assert_uint_eq(mr_link_reconnects(s.link), 0); /* nothing was lost that had been there */
    strike(&s);
}
END_TEST

/* ---- TCP ---- */

START_TEST(localhost_is_resolved_and_each_address_tried)
{
    struct scene s;
    char port[8], url[64];
    const char *const extra[] = {"--port", port, "--bind", "127.0.0.1", NULL};

    free_port(port, sizeof(port));
    set_with_redis(&s, extra);
    snprintf(url, sizeof(url), "redis://localhost:%s/2", port);
    s.options.url = url;
    bring_up(&s);
    ck_assert_str_eq(mr_link_address(s.link), url + strlen("redis://"));
    say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.answered == 1);
    strike(&s);
}
END_TEST

START_TEST(a_refused_port_and_an_unknown_name_say_so)
{
    static const char *const said[] = {"connection refused", "cannot resolve no-such.invalid"};
    struct scene s;
    char port[8], url[64];

    set(&s);
    free_port(port, sizeof(port));
    snprintf(url, sizeof(url), "redis://%s:%s", _i ? "no-such.invalid" : "127.0.0.1", port);
    s.options.url = url;
    start(&s);
    until(&s, s.downs == 2);
    ck_assert_msg(strstr(s.why.text, said[_i]) != NULL, "%s", s.why.text);
    strike(&s);
}
END_TEST

START_TEST(stopping_while_a_name_is_looked_up_is_clean)
{
    struct scene s;

    set(&s);
    s.options.url = "redis://no-such.invalid";
    start(&s);
    strike(&s);
    ck_assert_uint_eq(s.downs + s.ups, 0);
}
END_TEST

/* ---- callbacks that end what they stand in ---- */

START_TEST(a_reply_may_drop_the_link)
{
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    s.in_reply = DO_DROP;
    for (int i = 0; i < 10; i++)
        say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.ups == 2);
    ck_assert_uint_eq(s.answered, 1);
    ck_assert_uint_eq(s.unknown, 9);
    ck_assert_uint_eq(s.owed_at_down, 0);
    ck_assert_ptr_nonnull(strstr(s.why.text, "the test said so"));
    strike(&s);
}
END_TEST

START_TEST(a_reply_may_stop_the_link)
{
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    s.in_reply = DO_STOP;
    for (int i = 0; i < 10; i++)
        say(&s, "INCR", "n", NULL, NULL);
    until(&s, s.stopped == 1);
    ck_assert_uint_eq(s.answered, 1);
    ck_assert_uint_eq(s.unknown, 9);
    ck_assert_uint_eq(s.downs, 0);
    strike(&s);
}
END_TEST

START_TEST(an_answer_that_never_came_may_stop_or_send)
{
    static const int what[] = {DO_STOP, DO_SEND, DO_DROP};
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    for (int i = 0; i < 10; i++)
        say(&s, "INCR", "n", NULL, NULL);
    s.in_reply = what[_i];
    mr_link_drop(s.link, "the test said so");
    ck_assert(!mr_link_is_up(s.link));
    ck_assert_uint_eq(s.unknown, 0); /* told by the loop, not inside the call */
    until(&s, s.unknown == 10);
    until(&s, what[_i] == DO_STOP ? s.stopped == 1 : s.downs == 1);
    ck_assert_uint_eq(s.downs, what[_i] == DO_STOP ? 0 : 1);
    kill(s.redis.pid, SIGCONT);
    s.in_reply = DO_NOTHING;
    strike(&s);
}
END_TEST

START_TEST(on_up_may_send_drop_or_stop)
{
    static const int what[] = {DO_SEND, DO_DROP, DO_STOP};
    struct scene s;

    set_with_redis(&s, NULL);
    s.in_up = what[_i];
    start(&s);
    if (what[_i] == DO_SEND)
        until(&s, s.answered == 1);
    else if (what[_i] == DO_DROP)
        until(&s, s.ups == 3 && s.downs == 3);
    else
        until(&s, s.stopped == 1);
    s.in_up = DO_NOTHING;
    strike(&s);
}
END_TEST

START_TEST(on_down_may_send_drop_or_stop)
{
    static const int what[] = {DO_SEND, DO_DROP, DO_STOP};
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    s.in_down = what[_i];
    mr_link_drop(s.link, "the test said so");
    until(&s, what[_i] == DO_STOP ? s.stopped == 1 : s.ups == 2);
    ck_assert_uint_eq(s.downs, 1);
    strike(&s);
}
END_TEST

START_TEST(stopping_an_idle_a_waiting_and_a_never_started_link_is_clean)
{
    const struct mr_link_events events = {.on_up = on_up, .on_down = on_down};
    struct scene s;

    set_with_redis(&s, NULL);
    if (_i == 0) {
        ck_assert_int_eq(mr_link_new(&s.loop, &s.options, &events, &s.link, NULL), MR_OK);
    } else if (_i == 1) {
        bring_up(&s);
    } else {
        mr_redis_kill(&s.redis);
        start(&s);
        until(&s, s.downs == 3);
    }
    strike(&s);
}
END_TEST

START_TEST(a_user_without_a_password_is_refused)
{
    const struct mr_link_events events = {.on_up = on_up, .on_down = on_down};
    struct scene s;
    struct mr_err err;

    set(&s);
    s.options.url = "redis://ann@localhost";
    ck_assert_int_eq(mr_link_new(&s.loop, &s.options, &events, &s.link, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "needs a password"));
    uv_close((uv_handle_t *)&s.tick, NULL);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&s.loop), 0);
}
END_TEST

/* Sending from a prepare callback comes after the loop decided to sleep; it must not sleep on the bytes. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct scene *s = prepare->data;

    uv_prepare_stop(prepare);
    say(s, "INCR", "n", NULL, NULL);
}

START_TEST(a_command_sent_just_before_the_poll_leaves_all_the_same)
{
    struct scene s;
    uv_prepare_t prepare;

    set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 0; /* no timer that would wake the loop */
    bring_up(&s);
    uv_timer_stop(&s.tick);
    uv_prepare_init(&s.loop, &prepare);
    prepare.data = &s;
    uv_prepare_start(&prepare, on_prepare);
    alarm(10);
    while (s.answered == 0)
        uv_run(&s.loop, UV_RUN_ONCE);
    alarm(0);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_timer_start(&s.tick, on_tick, TICK_MS, TICK_MS);
    strike(&s);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {ten_thousand_commands_of_one_turn_answer_in_order,              0                 },
        {commands_of_one_turn_leave_together,                            0                 },
        {bytes_given_as_resp_go_as_they_are,                             0                 },
        {sixty_four_megabytes_go_there_and_back,                         0                 },
        {password_database_name_and_id_are_settled_before_on_up,         0                 },
        {user_and_password_of_the_options_win,                           0                 },
        {a_name_that_redis_refuses_does_no_harm,                         0                 },
        {nothing_may_be_sent_before_the_handshake_is_answered,           0                 },
        {each_refusal_says_why_and_is_tried_again,                       MR_COUNT(refusals)},
        {a_server_that_repeats_the_password_is_not_quoted,               2                 },
        {a_server_that_never_greets_is_given_up,                         0                 },
        {nonsense_from_the_server_ends_the_connection,                   MR_COUNT(nonsense)},
        {killed_server_answers_nobody_knows_once_each_then_down_then_up, 0                 },
        {a_client_killed_by_an_operator_comes_back,                      0                 },
        {a_silent_server_is_dropped_within_the_reply_timeout,            0                 },
        {silence_counts_only_while_a_reply_is_owed,                      0                 },
        {a_process_that_slept_too_long_still_reads_what_came,            0                 },
        {attempts_go_on_with_growing_waits_until_a_server_is_there,      0                 },
        {localhost_is_resolved_and_each_address_tried,                   0                 },
        {a_refused_port_and_an_unknown_name_say_so,                      2                 },
        {stopping_while_a_name_is_looked_up_is_clean,                    0                 },
        {a_reply_may_drop_the_link,                                      0                 },
        {a_reply_may_stop_the_link,                                      0                 },
        {an_answer_that_never_came_may_stop_or_send,                     3                 },
        {on_up_may_send_drop_or_stop,                                    3                 },
        {on_down_may_send_drop_or_stop,                                  3                 },
        {stopping_an_idle_a_waiting_and_a_never_started_link_is_clean,   3                 },
        {a_user_without_a_password_is_refused,                           0                 },
        {a_command_sent_just_before_the_poll_leaves_all_the_same,        0                 },
    };

    return mr_suite_run("link", tests);
}
