#include "dispatcher/promote.h"
#include "tests/support/house.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Q "queues:mail"

static struct {
    struct mr_house house;
    struct mr_queues queues;
    struct mr_promote *promote;
} t;

static void set_up(void)
{
    memset(&t, 0, sizeof(t));
    mr_house_open(&t.house, NULL);
    mr_queues_init(&t.queues, "");
    mr_queues_add(&t.queues, "mail", true);
    ck_assert_int_eq(mr_promote_new(&t.house.loop, t.house.store, &t.queues, &t.promote),
                     MR_OK);
    mr_promote_start(t.promote);
}

static void tear_down(void)
{
    unsigned stopped = t.house.stopped;

    mr_promote_stop(t.promote, mr_house_on_stopped, &t.house);
    mr_house_until(&t.house, t.house.stopped > stopped);
    mr_queues_fini(&t.queues);
    mr_house_close(&t.house);
}

static long long ask(const char *command)
{
    return mr_redis_int(&t.house.redis, command);
}

static void delay(const char *zset, uint64_t at_ms, const char *payload)
{
    char due[32];

    snprintf(due, sizeof(due), "%.3f", (double)at_ms / 1000.0);
    mr_redis_int(&t.house.redis, "ZADD " Q ":%s %s %s", zset, due, payload);
}

/* Lua, because a hundred thousand round trips would be most of the test. */
static void fill(const char *script)
{
    freeReplyObject(mr_redis_ask(&t.house.redis, "EVAL %s 1 %s", script, Q ":delayed"));
}

static long long calls_of(const char *command)
{
    char name[64];
    redisReply *reply = mr_redis_ask(&t.house.redis, "INFO commandstats");

    snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
    const char *row = strstr(reply->str, name);
    long long calls = row ? atoll(row + strlen(name)) : 0;
    freeReplyObject(reply);
    return calls;
}

START_TEST(a_job_becomes_ready_when_it_is_due_and_not_before)
{
    set_up();
    uint64_t due_ms = mr_clock_wall_ms() + 1500;

    delay("delayed", due_ms, "soon");
    mr_house_until(&t.house, ask("LLEN " Q) == 1);
    /* Redis' clock and ours are the same here. */
    ck_assert_uint_ge(mr_clock_wall_ms(), due_ms);
    printf("# late by %d ms\n", (int)(mr_clock_wall_ms() - due_ms));
    ck_assert_uint_lt(mr_clock_wall_ms(), due_ms + 500);
    mr_house_until(&t.house, mr_promote_moved(t.promote) == 1);
    tear_down();
}
END_TEST

START_TEST(a_job_put_in_front_by_somebody_else_is_found_by_the_poll)
{
    set_up();
    uint64_t due_ms = mr_clock_wall_ms() + 700;

    delay("delayed", mr_clock_wall_ms() + 3600000, "later");
    mr_house_let_pass(&t.house, 600); /* the timer is set for the later one */
    delay("delayed", due_ms, "sooner");
    mr_house_until(&t.house, ask("LLEN " Q) == 1);
    ck_assert_uint_lt(mr_clock_wall_ms(), due_ms + 1500);
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 1);
    tear_down();
}
END_TEST

/* When the last Laravel worker has been replaced, somebody must still give back what it had reserved. */
START_TEST(reserved_jobs_of_a_replaced_laravel_worker_come_back)
{
    set_up();
    delay("reserved", mr_clock_wall_ms() - 1000, "reserved long ago");
    delay("reserved", mr_clock_wall_ms() + 4000, "reserved by one that lives");
    mr_house_until(&t.house, ask("LLEN " Q) == 1);
    ck_assert_int_eq(ask("ZCARD " Q ":reserved"), 1);
    mr_house_until(&t.house, ask("LLEN " Q) == 2);
    tear_down();
}
END_TEST

START_TEST(a_token_is_pushed_only_where_laravel_left_some)
{
    set_up();
    delay("delayed", 1, "a");
    mr_house_until(&t.house, ask("LLEN " Q) == 1);
    ck_assert_int_eq(ask("EXISTS " Q ":notify"), 0);
    ask("RPUSH " Q ":notify 1");
    delay("delayed", 1, "b");
    mr_house_until(&t.house, ask("LLEN " Q) == 2);
    ck_assert_int_eq(ask("LLEN " Q ":notify"), 2);
    tear_down();
}
END_TEST

/* A hundred thousand due at once are moved in order, by calls that block nobody for long. */
START_TEST(a_storm_is_moved_in_small_calls)
{
    set_up();
    long long calls = calls_of("evalsha");

    fill("for i = 1, 100000 do redis.call('ZADD', KEYS[1], i, 'job' .. i) end");
    mr_house_until(&t.house, ask("LLEN " Q) == 100000);
    calls = calls_of("evalsha") - calls;
    ck_assert_int_gt(calls, 50);
    ck_assert_int_lt(calls, 400);
    redisReply *last = mr_redis_ask(&t.house.redis, "LINDEX " Q " -1");
    ck_assert_str_eq(last->str, "job100000");
    freeReplyObject(last);
    tear_down();
}
END_TEST

/* The mean size differs from call to call, and so does the number asked for; no call is left for a poll to go on with. */
START_TEST(a_storm_of_uneven_payloads_goes_on_by_itself)
{
    set_up();
    fill("for i = 1, 30000 do"
         " redis.call('ZADD', KEYS[1], i, i .. string.rep('x', 300 + i / 50)) end");
    mr_house_until(&t.house, mr_promote_moved(t.promote) > 0);
    mr_promote_set_fleet(t.promote, 1000); /* the next poll is minutes away */
    mr_house_until(&t.house, ask("LLEN " Q) == 30000);
    tear_down();
}
END_TEST

START_TEST(large_payloads_are_moved_a_few_at_a_time)
{
    set_up();
    fill("for i = 1, 200 do redis.call('ZADD', KEYS[1], i, i .. string.rep('x', 100000)) end");
    long long calls = calls_of("evalsha");
    mr_house_until(&t.house, ask("LLEN " Q) == 200);
    ck_assert_int_gt(calls_of("evalsha") - calls, 200 / 4);
    tear_down();
}
END_TEST

START_TEST(idle_it_asks_four_times_a_second)
{
    set_up();
    mr_house_let_pass(&t.house, 300);
    long long calls = calls_of("evalsha");
    mr_house_let_pass(&t.house, 2000);
    ck_assert_int_le(calls_of("evalsha") - calls, 9);
    tear_down();
}
END_TEST

START_TEST(a_fleet_shares_the_polls)
{
    set_up();
    mr_promote_set_fleet(t.promote, 8);
    mr_house_let_pass(&t.house, 300);
    long long calls = calls_of("evalsha");
    mr_house_let_pass(&t.house, 2000);
    ck_assert_int_le(calls_of("evalsha") - calls, 2);
    tear_down();
}
END_TEST

START_TEST(it_goes_on_after_an_outage)
{
    set_up();
    delay("delayed", mr_clock_wall_ms() + 3600000, "later");
    mr_house_let_pass(&t.house, 300);
    mr_redis_kill(&t.house.redis);
    mr_house_until(&t.house, !mr_store_is_ready(t.house.store));
    mr_redis_again(&t.house.redis, NULL);
    delay("delayed", 1, "due");
    mr_house_until(&t.house, ask("LLEN " Q) == 1);
    tear_down();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_job_becomes_ready_when_it_is_due_and_not_before,        0},
        {a_job_put_in_front_by_somebody_else_is_found_by_the_poll, 0},
        {reserved_jobs_of_a_replaced_laravel_worker_come_back,     0},
        {a_token_is_pushed_only_where_laravel_left_some,           0},
        {a_storm_is_moved_in_small_calls,                          0},
        {a_storm_of_uneven_payloads_goes_on_by_itself,             0},
        {large_payloads_are_moved_a_few_at_a_time,                 0},
        {idle_it_asks_four_times_a_second,                         0},
        {a_fleet_shares_the_polls,                                 0},
        {it_goes_on_after_an_outage,                               0},
    };

    return mr_suite_run("promote", tests);
}
