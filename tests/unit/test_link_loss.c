#include "proto/base/clock.h"
#include "tests/support/link_scene.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

START_TEST(killed_server_answers_nobody_knows_once_each_then_down_then_up)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    for (int i = 0; i < 100; i++)
        mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_link_flush(s.link);
    kill(s.redis.pid, SIGKILL);
    mr_redis_kill(&s.redis);
    mr_scene_until(&s, s.downs >= 1);
    ck_assert_uint_eq(s.unknown, 100);
    ck_assert_uint_eq(s.owed_at_down, 0);
    ck_assert_uint_eq(mr_link_reconnects(s.link), 1);
    ck_assert(!mr_link_is_up(s.link));
    mr_redis_again(&s.redis, NULL);
    mr_scene_until(&s, s.ups == 2);
    mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.answered == 1);
    ck_assert_uint_eq(s.unknown, 100);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_client_killed_by_an_operator_comes_back)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    s.options.want_client_id = true;
    mr_scene_bring_up(&s);
    long long id = mr_link_client_id(s.link);
    ck_assert_int_eq(mr_redis_int(&s.redis, "CLIENT KILL ID %lld", id), 1);
    mr_scene_until(&s, s.ups == 2);
    ck_assert_uint_eq(s.downs, 1);
    ck_assert_ptr_nonnull(strstr(s.why.text, "closed the connection"));
    ck_assert_int_ne(mr_link_client_id(s.link), id);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_silent_server_is_dropped_within_the_reply_timeout)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 200;
    s.options.connect_timeout_ms = 200;
    mr_scene_bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    uint64_t from_ms = mr_clock_ms();
    mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.downs == 1);
    ck_assert_uint_ge(mr_clock_ms() - from_ms, 200);
    ck_assert_int_eq(s.why.code, MR_ETIMEDOUT);
    ck_assert_uint_eq(s.unknown, 1);
    kill(s.redis.pid, SIGCONT);
    mr_scene_until(&s, s.ups == 2);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(silence_counts_only_while_a_reply_is_owed)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 50;
    mr_scene_bring_up(&s);
    mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.answered == 1);
    uint64_t from_ms = mr_clock_ms();
    mr_scene_until(&s, mr_clock_ms() - from_ms > 300);
    ck_assert_uint_eq(s.downs, 0);

    /* The late watchdog of the first command must not bite the second. */
    mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.answered == 2);
    ck_assert_uint_eq(s.downs, 0);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_process_that_slept_too_long_still_reads_what_came)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 50;
    mr_scene_bring_up(&s);
    mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_link_flush(s.link);
    usleep(
        200 *
        1000); /* the loop stands still, as in a stopped process; the answer lies in the socket */
    mr_scene_until(&s, s.answered == 1 || s.downs);
    ck_assert_uint_eq(s.downs, 0);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(attempts_go_on_with_growing_waits_until_a_server_is_there)
{
    static const unsigned ceilings_ms[] = {50, 100, 200, 400};
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_redis_kill(&s.redis);
    mr_scene_start(&s);
    mr_scene_until(&s, s.downs == 1);
    for (unsigned i = 0; i < MR_COUNT(ceilings_ms); i++) {
        uint64_t from_ms = mr_clock_ms();
        mr_scene_until(&s, s.downs == i + 2);
        ck_assert_uint_lt(mr_clock_ms() - from_ms, ceilings_ms[i] + 1000);
    }
    ck_assert_int_eq(s.why.code, MR_EDOWN);
    ck_assert_ptr_nonnull(strstr(s.why.text, s.redis.socket));
    mr_redis_again(&s.redis, NULL);
    mr_scene_until(&s, s.ups == 1);
    ck_assert_uint_eq(mr_link_reconnects(s.link), 0); /* nothing was lost that had been there */
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_reply_may_drop_the_link)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    s.in_reply = MR_DO_DROP;
    for (int i = 0; i < 10; i++)
        mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.ups == 2);
    ck_assert_uint_eq(s.answered, 1);
    ck_assert_uint_eq(s.unknown, 9);
    ck_assert_uint_eq(s.owed_at_down, 0);
    ck_assert_ptr_nonnull(strstr(s.why.text, "the test said so"));
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_reply_may_stop_the_link)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    s.in_reply = MR_DO_STOP;
    for (int i = 0; i < 10; i++)
        mr_scene_say(&s, "INCR", "n", NULL, NULL);
    mr_scene_until(&s, s.stopped == 1);
    ck_assert_uint_eq(s.answered, 1);
    ck_assert_uint_eq(s.unknown, 9);
    ck_assert_uint_eq(s.downs, 0);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(an_answer_that_never_came_may_stop_or_send)
{
    static const int what[] = {MR_DO_STOP, MR_DO_SEND, MR_DO_DROP};
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    kill(s.redis.pid, SIGSTOP);
    for (int i = 0; i < 10; i++)
        mr_scene_say(&s, "INCR", "n", NULL, NULL);
    s.in_reply = what[_i];
    mr_link_drop(s.link, "the test said so");
    ck_assert(!mr_link_is_up(s.link));
    ck_assert_uint_eq(s.unknown, 0); /* told by the loop, not inside the call */
    mr_scene_until(&s, s.unknown == 10);
    mr_scene_until(&s, what[_i] == MR_DO_STOP ? s.stopped == 1 : s.downs == 1);
    ck_assert_uint_eq(s.downs, what[_i] == MR_DO_STOP ? 0 : 1);
    kill(s.redis.pid, SIGCONT);
    s.in_reply = MR_DO_NOTHING;
    mr_scene_strike(&s);
}
END_TEST

START_TEST(on_up_may_send_drop_or_stop)
{
    static const int what[] = {MR_DO_SEND, MR_DO_DROP, MR_DO_STOP};
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    s.in_up = what[_i];
    mr_scene_start(&s);
    if (what[_i] == MR_DO_SEND)
        mr_scene_until(&s, s.answered == 1);
    else if (what[_i] == MR_DO_DROP)
        mr_scene_until(&s, s.ups == 3 && s.downs == 3);
    else
        mr_scene_until(&s, s.stopped == 1);
    s.in_up = MR_DO_NOTHING;
    mr_scene_strike(&s);
}
END_TEST

START_TEST(on_down_may_send_drop_or_stop)
{
    static const int what[] = {MR_DO_SEND, MR_DO_DROP, MR_DO_STOP};
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    mr_scene_bring_up(&s);
    s.in_down = what[_i];
    mr_link_drop(s.link, "the test said so");
    mr_scene_until(&s, what[_i] == MR_DO_STOP ? s.stopped == 1 : s.ups == 2);
    ck_assert_uint_eq(s.downs, 1);
    mr_scene_strike(&s);
}
END_TEST

START_TEST(stopping_an_idle_a_waiting_and_a_never_started_link_is_clean)
{
    struct mr_scene s;

    mr_scene_set_with_redis(&s, NULL);
    if (_i == 0) {
        ck_assert_int_eq(mr_scene_make(&s, NULL), MR_OK);
    } else if (_i == 1) {
        mr_scene_bring_up(&s);
    } else {
        mr_redis_kill(&s.redis);
        mr_scene_start(&s);
        mr_scene_until(&s, s.downs == 3);
    }
    mr_scene_strike(&s);
}
END_TEST

START_TEST(a_user_without_a_password_is_refused)
{
    struct mr_scene s;
    struct mr_err err;

    mr_scene_set(&s);
    s.options.url = "redis://ann@localhost";
    ck_assert_int_eq(mr_scene_make(&s, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "needs a password"));
    mr_scene_strike(&s);
}
END_TEST

/* Sending from a prepare callback comes after the loop decided to sleep; it must not sleep on the bytes. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct mr_scene *s = prepare->data;

    uv_prepare_stop(prepare);
    mr_scene_say(s, "INCR", "n", NULL, NULL);
}

START_TEST(a_command_sent_just_before_the_poll_leaves_all_the_same)
{
    struct mr_scene s;
    uv_prepare_t prepare;

    mr_scene_set_with_redis(&s, NULL);
    s.options.reply_timeout_ms = 0; /* no timer that would wake the loop */
    mr_scene_bring_up(&s);
    uv_timer_stop(&s.tick);
    uv_prepare_init(&s.loop, &prepare);
    prepare.data = &s;
    uv_prepare_start(&prepare, on_prepare);
    alarm(10);
    while (s.answered == 0)
        uv_run(&s.loop, UV_RUN_ONCE);
    alarm(0);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_timer_again(&s.tick);
    mr_scene_strike(&s);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {killed_server_answers_nobody_knows_once_each_then_down_then_up, 0},
        {a_client_killed_by_an_operator_comes_back,                      0},
        {a_silent_server_is_dropped_within_the_reply_timeout,            0},
        {silence_counts_only_while_a_reply_is_owed,                      0},
        {a_process_that_slept_too_long_still_reads_what_came,            0},
        {attempts_go_on_with_growing_waits_until_a_server_is_there,      0},
        {a_reply_may_drop_the_link,                                      0},
        {a_reply_may_stop_the_link,                                      0},
        {an_answer_that_never_came_may_stop_or_send,                     3},
        {on_up_may_send_drop_or_stop,                                    3},
        {on_down_may_send_drop_or_stop,                                  3},
        {stopping_an_idle_a_waiting_and_a_never_started_link_is_clean,   3},
        {a_user_without_a_password_is_refused,                           0},
        {a_command_sent_just_before_the_poll_leaves_all_the_same,        0},
    };

    return mr_suite_run("link_loss", tests);
}
