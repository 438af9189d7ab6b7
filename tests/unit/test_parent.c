#include "tests/support/suite.h"
#include "worker/parent.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;
static struct mr_parent parent;
static int dispatcher;
static char heard[1024];

static void add(const char *word)
{
    strncat(heard, word, sizeof(heard) - strlen(heard) - 1);
}

static void on_drain(void *arg)
{
    (void)arg;
    add("drain ");
}

static void on_cancel(void *arg, const char *uuid)
{
    (void)arg;
    add("cancel:");
    add(uuid);
    add(" ");
}

static void on_gone(void *arg)
{
    (void)arg;
    add("gone");
    mr_parent_stop(&parent);
}

static const struct mr_parent_events events = {on_drain, on_cancel, on_gone, NULL};

static void start(void)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    dispatcher = ends[0];
    uv_loop_init(&loop);
    mr_parent_start(&parent, &loop, ends[1], &events);
}

static void say(const char *words)
{
    ck_assert_int_eq(write(dispatcher, words, strlen(words)), (ssize_t)strlen(words));
}

START_TEST(words_are_heard_in_order_and_then_the_end)
{
    start();
    say("qc0190-a\nc\nzq");
    close(dispatcher);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_str_eq(heard, "drain cancel:0190-a cancel: drain gone");
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

START_TEST(a_word_may_come_in_pieces)
{
    start();
    say("c01");
    uv_run(&loop, UV_RUN_ONCE);
    ck_assert_str_eq(heard, "");
    say("90\n");
    close(dispatcher);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_str_eq(heard, "cancel:0190 gone");
}
END_TEST

START_TEST(an_endless_uuid_harms_nobody)
{
    start();
    say("c");
    for (int i = 0; i < 100; i++)
        say("0123456789");
    say("\nq");
    close(dispatcher);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_ptr_nonnull(strstr(heard, "cancel:0123456789"));
    ck_assert_ptr_nonnull(strstr(heard, "drain"));
}
END_TEST

START_TEST(what_it_says_arrives)
{
    char said[3] = "";

    start();
    mr_parent_say(&parent, 'r');
    mr_parent_say(&parent, 'd');
    ck_assert_int_eq(read(dispatcher, said, 2), 2);
    ck_assert_str_eq(said, "rd");
}
END_TEST

START_TEST(a_pulse_that_is_none_counts_as_a_parent_gone)
{
    uv_loop_init(&loop);
    mr_parent_start(&parent, &loop, 999, &events);
    ck_assert_str_eq(heard, "");
    mr_parent_say(&parent, 'r');
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_str_eq(heard, "gone");
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {words_are_heard_in_order_and_then_the_end,    0},
        {a_word_may_come_in_pieces,                    0},
        {an_endless_uuid_harms_nobody,                 0},
        {what_it_says_arrives,                         0},
        {a_pulse_that_is_none_counts_as_a_parent_gone, 0},
    };

    return mr_suite_run("parent", tests);
}
