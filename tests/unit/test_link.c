#include "proto/base/clock.h"
#include "proto/link.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
    if (s->redis.pid)
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

START_TEST(killed_server_answers_nobody_knows_once_each_then_down_then_up)
{
    struct scene s;

    set_with_redis(&s, NULL);
    bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    for (int i = 0; i < 100; i++)
        say(&s, "INCR", "n", NULL, NULL);
    mr_link_flush(s.link);
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

int main(void)
{
    const struct mr_test tests[] = {
        {ten_thousand_commands_of_one_turn_answer_in_order,              0},
        {password_database_name_and_id_are_settled_before_on_up,         0},
        {killed_server_answers_nobody_knows_once_each_then_down_then_up, 0},
    };

    return mr_suite_run("link", tests);
}
