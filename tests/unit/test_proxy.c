/* The bad network of the flow tests must be bad in exactly the way it is told. */
#include "tests/support/proxy.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

enum { DEADLINE_MS = 10000 };

static struct mr_redis redis;
static struct mr_proxy proxy;

static void set(void)
{
    mr_redis_start(&redis, NULL);
    mr_proxy_start(&proxy, redis.dir, redis.socket);
}

static void strike(void)
{
    mr_proxy_stop(&proxy);
    mr_redis_stop(&redis);
}

static redisContext *client(void)
{
    const struct timeval patience = {.tv_sec = 10};
    redisContext *context = redisConnectUnixWithTimeout(proxy.socket, patience);

    ck_assert(context && !context->err);
    ck_assert_int_eq(redisSetTimeout(context, patience), REDIS_OK);
    return context;
}

/* Sends without waiting for the answer. */
static void say(redisContext *context, const char *command)
{
    int done = 0;

    ck_assert_int_eq(redisAppendCommand(context, command), REDIS_OK);
    while (!done)
        ck_assert_int_eq(redisBufferWrite(context, &done), REDIS_OK);
}

/* The integer that comes next, or -1 when the connection ends. */
static long long hear(redisContext *context)
{
    redisReply *reply = NULL;

    if (redisGetReply(context, (void **)&reply) != REDIS_OK)
        return -1;
    long long number = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -2;
    freeReplyObject(reply);
    return number;
}

static struct mr_proxy_state look(void)
{
    struct mr_proxy_state state;

    mr_proxy_look(&proxy, &state);
    return state;
}

static long long count(void)
{
    return mr_redis_int(&redis, "GET n");
}

START_TEST(bytes_pass_both_ways)
{
    set();
    redisContext *c = client();
    for (int i = 1; i <= 100; i++) {
        say(c, "INCR n");
        ck_assert_int_eq(hear(c), i);
    }
    ck_assert_uint_eq(look().connections, 1);
    ck_assert_uint_gt(look().passed[MR_TO_SERVER], 0);
    redisFree(c);
    mr_wait_for(look().connections == 0, DEADLINE_MS);
    strike();
}
END_TEST

START_TEST(held_commands_run_when_they_may_pass)
{
    set();
    redisContext *c = client();
    mr_proxy_hold(&proxy, MR_TO_SERVER);
    say(c, "INCR n");
    mr_wait_for(look().held[MR_TO_SERVER] > 0, DEADLINE_MS);
    ck_assert_int_eq(count(), -1);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    ck_assert_int_eq(hear(c), 1);
    redisFree(c);
    strike();
}
END_TEST

START_TEST(held_commands_of_a_cut_client_run_late_and_as_often_as_told)
{
    set();
    redisContext *c = client();
    mr_proxy_hold(&proxy, MR_TO_SERVER);
    say(c, "INCR n");
    mr_wait_for(look().held[MR_TO_SERVER] > 0, DEADLINE_MS);
    mr_proxy_cut(&proxy);
    ck_assert_int_eq(hear(c), -1);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    redisFree(c);
    c = client();
    say(c, "SET n 10");
    hear(c);
    ck_assert_uint_eq(look().ghosts, 1);
    ck_assert_int_eq(count(), 10);
    mr_proxy_deliver(&proxy, 3);
    ck_assert_int_eq(count(), 13);
    ck_assert_uint_eq(look().ghosts, 0);
    redisFree(c);
    strike();
}
END_TEST

START_TEST(dropped_replies_never_come)
{
    set();
    redisContext *c = client();
    mr_proxy_drop(&proxy, MR_TO_CLIENT);
    say(c, "INCR n");
    mr_wait_for(count() == 1, DEADLINE_MS);
    mr_proxy_cut(&proxy);
    ck_assert_int_eq(hear(c), -1);
    redisFree(c);
    strike();
}
END_TEST

START_TEST(a_trap_loses_the_reply_of_a_command_that_ran)
{
    set();
    redisContext *c = client();
    mr_proxy_trap(&proxy, MR_TRAP_LOSE_REPLY, "INCR");
    say(c, "SET n 5");
    hear(c);
    ck_assert(!mr_proxy_sprung(&proxy));
    say(c, "INCR n");
    ck_assert_int_eq(hear(c), -1);
    ck_assert(mr_proxy_sprung(&proxy));
    mr_wait_for(count() == 6, DEADLINE_MS);
    redisFree(c);
    strike();
}
END_TEST

START_TEST(a_trap_cuts_before_the_command_and_after_the_one_before)
{
    set();
    redisContext *c = client();
    mr_proxy_trap(&proxy, MR_TRAP_CUT_BEFORE, "INCRBY");
    ck_assert_int_eq(redisAppendCommand(c, "INCR n"), REDIS_OK);
    ck_assert_int_eq(redisAppendCommand(c, "INCRBY n 10"), REDIS_OK);
    say(c, "INCR n");
    mr_wait_for(count() == 1, DEADLINE_MS);
    ck_assert(mr_proxy_sprung(&proxy));
    mr_wait_for(look().connections == 0, DEADLINE_MS);
    ck_assert_int_eq(count(), 1);
    redisFree(c);
    strike();
}
END_TEST

START_TEST(a_trap_holds_this_connection_alone)
{
    set();
    redisContext *c = client(), *other = client();
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, "INCR");
    say(c, "INCR n");
    mr_wait_for(mr_proxy_sprung(&proxy), DEADLINE_MS);
    say(other, "INCR n");
    ck_assert_int_eq(hear(other), 1);
    mr_proxy_cut(&proxy);
    mr_proxy_deliver(&proxy, 1);
    ck_assert_int_eq(count(), 2);
    redisFree(c);
    redisFree(other);
    strike();
}
END_TEST

START_TEST(faults_touch_only_the_connections_they_are_meant_for)
{
    set();
    redisContext *named = client(), *other = client();
    say(named, "CLIENT SETNAME victim");
    hear(named);
    mr_proxy_only(&proxy, "victim");
    mr_proxy_cut(&proxy);
    ck_assert_int_eq(hear(named), -1);
    say(other, "INCR n");
    ck_assert_int_eq(hear(other), 1);
    redisFree(named);
    redisFree(other);
    strike();
}
END_TEST

START_TEST(a_cut_after_some_bytes_lets_exactly_these_through)
{
    set();
    redisContext *c = client();
    say(c, "SET text 0123456789");
    hear(c);
    mr_proxy_cut_after(&proxy, MR_TO_CLIENT, 7); /* "$10\r\n01" */
    uint64_t before = look().passed[MR_TO_CLIENT];
    say(c, "GET text");
    ck_assert_int_eq(hear(c), -1);
    ck_assert_uint_eq(look().passed[MR_TO_CLIENT] - before, 7);
    redisFree(c);
    c = client();
    say(c, "INCR n");
    ck_assert_int_eq(hear(c), 1);
    redisFree(c);
    strike();
}
END_TEST

START_TEST(a_refusing_proxy_hangs_up)
{
    set();
    signal(SIGPIPE, SIG_IGN); /* writing to one who hung up */
    mr_proxy_refuse(&proxy, true);
    redisContext *c = client();
    if (redisAppendCommand(c, "INCR n") == REDIS_OK)
        ck_assert_int_eq(hear(c), -1);
    redisFree(c);
    mr_proxy_refuse(&proxy, false);
    c = client();
    say(c, "INCR n");
    ck_assert_int_eq(hear(c), 1);
    redisFree(c);
    strike();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {bytes_pass_both_ways,                                        0},
        {held_commands_run_when_they_may_pass,                        0},
        {held_commands_of_a_cut_client_run_late_and_as_often_as_told, 0},
        {dropped_replies_never_come,                                  0},
        {a_trap_loses_the_reply_of_a_command_that_ran,                0},
        {a_trap_cuts_before_the_command_and_after_the_one_before,     0},
        {a_trap_holds_this_connection_alone,                          0},
        {faults_touch_only_the_connections_they_are_meant_for,        0},
        {a_cut_after_some_bytes_lets_exactly_these_through,           0},
        {a_refusing_proxy_hangs_up,                                   0},
    };

    return mr_suite_run("proxy", tests);
}
