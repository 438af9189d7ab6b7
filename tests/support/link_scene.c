#include "tests/support/link_scene.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { TICK_MS = 2 };

static void on_tick(uv_timer_t *tick)
{
    (void)tick;
}

static void on_stopped(void *arg)
{
    struct mr_scene *s = arg;

    s->stopped++;
    s->link = NULL;
}

static void misbehave(struct mr_scene *s, int what)
{
    if (what == MR_DO_DROP)
        mr_link_drop(s->link, "the test said so");
    else if (what == MR_DO_STOP)
        mr_link_stop(s->link, on_stopped, s);
    else if (what == MR_DO_SEND && mr_link_is_up(s->link))
        ck_assert_int_eq(mr_link_command(s->link, mr_scene_on_reply, s, 1,
                                         (const char *const[]){"PING"}, NULL),
                         MR_OK);
    else if (what == MR_DO_SEND)
        ck_assert_int_eq(mr_link_command(s->link, mr_scene_on_reply, s, 1,
                                         (const char *const[]){"PING"}, NULL),
                         MR_EDOWN);
}

void mr_scene_on_reply(void *arg, const redisReply *reply)
{
    struct mr_scene *s = arg;
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
    if (what != MR_DO_SEND)
        s->in_reply = MR_DO_NOTHING;
    misbehave(s, what);
}

static void on_up(void *arg)
{
    struct mr_scene *s = arg;

    s->ups++;
    misbehave(s, s->in_up);
}

static void on_down(void *arg, const struct mr_err *why)
{
    struct mr_scene *s = arg;

    s->downs++;
    s->why = *why;
    s->owed_at_down += s->sent - s->answered - s->unknown;
    misbehave(s, s->in_down);
}

void mr_scene_set(struct mr_scene *s)
{
    memset(s, 0, sizeof(*s));
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&s->loop);
    uv_timer_init(&s->loop, &s->tick);
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    s->options = (struct mr_link_options){.connect_timeout_ms = 5000, .reply_timeout_ms = 5000};
}

void mr_scene_set_with_redis(struct mr_scene *s, const char *const *extra)
{
    mr_scene_set(s);
    mr_redis_start(&s->redis, extra);
    s->options.url = s->redis.url;
}

enum mr_code mr_scene_make(struct mr_scene *s, struct mr_err *err)
{
    const struct mr_link_events events = {.on_up = on_up, .on_down = on_down, .arg = s};

    return mr_link_new(&s->loop, &s->options, &events, &s->link, err);
}

void mr_scene_start(struct mr_scene *s)
{
    struct mr_err err;

    ck_assert_msg(mr_scene_make(s, &err) == MR_OK, "%s", err.text);
    mr_link_start(s->link);
}

void mr_scene_bring_up(struct mr_scene *s)
{
    mr_scene_start(s);
    mr_scene_until(s, s->ups == 1);
}

void mr_scene_strike(struct mr_scene *s)
{
    if (s->link && !s->stopped)
        mr_link_stop(s->link, on_stopped, s);
    mr_scene_until(s, !s->link);
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&s->loop), 0);
    if (s->redis.dir[0])
        mr_redis_stop(&s->redis);
}

void mr_scene_say(struct mr_scene *s, const char *a, const char *b, const char *c,
                  const char *d)
{
    const char *words[] = {a, b, c, d};
    int n = 1;

    while (n < 4 && words[n])
        n++;
    ck_assert_int_eq(mr_link_command(s->link, mr_scene_on_reply, s, n, words, NULL), MR_OK);
    s->sent++;
}
