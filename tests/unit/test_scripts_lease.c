/* The scripts that keep house: register, renew, fence, reap, promote. */
#include "proto/scripts.h"
#include "tests/support/redis.h"
#include "tests/support/scripts.h"
#include "tests/support/suite.h"

#include <stdlib.h>

#define Q "queues:mail"
#define LEASE Q ":lease:w-10:0"
#define WAKE Q ":lease:w-10:w0"
#define WORKERS Q ":workers"
#define REAPED Q ":reaped"
#define PAUSED Q ":paused"
#define NOTIFY Q ":notify"
#define DELAYED Q ":delayed"
#define THROUGH Q ":promoting"

static struct mr_redis redis;

static void open_redis(void)
{
    mr_redis_start(&redis, NULL);
    mr_scripts_load(&redis);
}

static void close_redis(void)
{
    mr_redis_stop(&redis);
}

static long long run_do(const char *command)
{
    return mr_redis_int(&redis, command);
}

static long long redis_now_ms(void)
{
    redisReply *reply = mr_redis_ask(&redis, "TIME");
    long long now_ms = atoll(reply->element[0]->str) * 1000;

    freeReplyObject(reply);
    return now_ms;
}

static long long do_register(void)
{
    return mr_script_run_int(&redis, MR_SCRIPT_REGISTER, 2, WORKERS, REAPED, "w-10", "10000",
                             NULL);
}

static long long fence(const char *seen)
{
    return mr_script_run_int(&redis, MR_SCRIPT_FENCE, 2, WORKERS, REAPED, "w-10", seen, NULL);
}

START_TEST(register_gives_a_lease_on_the_clock_of_redis)
{
    open_redis();
    ck_assert_int_eq(do_register(), 1);
    long long until_ms = run_do("ZSCORE " WORKERS " w-10");
    ck_assert_int_ge(until_ms, redis_now_ms() + 8000);
    ck_assert_int_le(until_ms, redis_now_ms() + 11000);
    close_redis();
}
END_TEST

START_TEST(a_reaped_worker_cannot_register_again)
{
    open_redis();
    ck_assert_int_eq(do_register(), 1);
    ck_assert_int_eq(fence(""), 1);
    ck_assert_int_eq(do_register(), 0);
    ck_assert_int_eq(run_do("ZCARD " WORKERS), 0);
    close_redis();
}
END_TEST

START_TEST(renew_lengthens_the_living_and_names_the_missing)
{
    open_redis();
    run_do("ZADD " WORKERS " 1 a 1 b");
    redisReply *missing = mr_script_run(&redis, MR_SCRIPT_RENEW, 1, WORKERS, "10000", "a",
                                        "gone", "b", "lost", NULL);
    ck_assert_str_eq(mr_joined(missing), "gone lost");
    freeReplyObject(missing);
    ck_assert_int_eq(run_do("ZCARD " WORKERS), 2);
    ck_assert_int_gt(run_do("ZSCORE " WORKERS " b"), redis_now_ms());
    close_redis();
}
END_TEST

START_TEST(fence_takes_only_the_score_that_was_seen)
{
    open_redis();
    run_do("ZADD " WORKERS " 1700000000123 w-10");
    ck_assert_int_eq(fence("1700000000122"), 0);
    ck_assert_int_eq(run_do("ZCARD " WORKERS), 1);
    ck_assert_int_eq(fence("1700000000123"), 1);
    ck_assert_int_eq(run_do("ZCARD " WORKERS), 0);
    ck_assert_int_ge(run_do("ZSCORE " REAPED " w-10"), redis_now_ms() - 1000);
    ck_assert_int_eq(fence("1700000000123"), 1); /* the second reaper */
    close_redis();
}
END_TEST

START_TEST(fence_of_a_stranger_nobody_knows_is_refused)
{
    open_redis();
    ck_assert_int_eq(fence("1700000000123"), 0);
    ck_assert_int_eq(run_do("EXISTS " REAPED), 0);
    ck_assert_int_eq(fence(""), 1); /* an own child, never registered here: it never will be */
    ck_assert_int_eq(run_do("ZCARD " REAPED), 1);
    close_redis();
}
END_TEST

START_TEST(reaped_lists_go_back_without_what_was_settled)
{
    open_redis();
    run_do("RPUSH " Q " z");
    freeReplyObject(mr_redis_ask(&redis, "RPUSH " LEASE " %s a %s b", "", ""));
    freeReplyObject(mr_redis_ask(&redis, "SET " WAKE " closed"));
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_REAP_LISTS, 5, Q, NOTIFY, LEASE, WAKE,
                                       Q ":lease:w-10:9", NULL),
                     2);
    ck_assert_str_eq(mr_list_of(&redis, Q), "a b z");
    ck_assert_int_eq(run_do("EXISTS " LEASE), 0);
    close_redis();
}
END_TEST

START_TEST(old_reaped_workers_are_forgotten)
{
    open_redis();
    run_do("ZADD " REAPED " 1000 old");
    ck_assert_int_eq(fence(""), 1);
    ck_assert_int_eq(
        mr_script_run_int(&redis, MR_SCRIPT_FORGET_REAPED, 1, REAPED, "86400000", NULL), 1);
    ck_assert_int_eq(run_do("ZCARD " REAPED), 1);
    close_redis();
}
END_TEST

/* ---- promote, delay, sizes ---- */

static const char *promote(const char *n)
{
    redisReply *reply =
        mr_script_run(&redis, MR_SCRIPT_PROMOTE, 4, DELAYED, Q, THROUGH, NOTIFY, n, NULL);
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}

/* 31 */
START_TEST(promote_moves_in_order_of_due_time_and_no_more_than_asked)
{
    open_redis();
    run_do("ZADD " DELAYED " 30 c 10.5 a 20 b 32503680000.5 later");
    run_do("RPUSH " Q " first");
    ck_assert_str_eq(promote("2"), "2 30");
    ck_assert_str_eq(promote("100"), "1 32503680000.5");
    ck_assert_str_eq(promote("100"), "0 32503680000.5");
    ck_assert_str_eq(mr_list_of(&redis, Q), "first a b c");
    run_do("DEL " DELAYED);
    ck_assert_str_eq(promote("100"), "0 (nil)");
    ck_assert_int_eq(run_do("EXISTS " THROUGH), 0);
    close_redis();
}
END_TEST

/* 31: 20,000 at once, where unpack fails. */
START_TEST(promote_moves_twenty_thousand)
{
    open_redis();
    freeReplyObject(mr_redis_ask(
        &redis, "EVAL %s 1 " DELAYED,
        "for i = 1, 20000 do redis.call('ZADD', KEYS[1], i, 'job' .. i) end return 1"));
    ck_assert_str_eq(promote("20000"), "20000 (nil)");
    ck_assert_int_eq(run_do("LLEN " Q), 20000);
    close_redis();
}
END_TEST

START_TEST(promote_overwrites_what_an_error_left_behind)
{
    open_redis();
    run_do("ZADD " DELAYED " 1 a");
    run_do("RPUSH " THROUGH " a stale");
    ck_assert_str_eq(promote("10"), "1 (nil)");
    ck_assert_str_eq(mr_list_of(&redis, Q), "a");
    close_redis();
}
END_TEST

START_TEST(promote_without_the_right_to_sort_does_the_same)
{
    open_redis();
    run_do("ZADD " DELAYED " 2 b 1 a 32503680000 later");
    freeReplyObject(mr_redis_ask(&redis, "ACL SETUSER default -sort"));
    ck_assert_str_eq(promote("10"), "2 32503680000");
    ck_assert_str_eq(mr_list_of(&redis, Q), "a b");
    close_redis();
}
END_TEST

/* 30 */
START_TEST(promote_brings_a_token_a_job_only_where_laravel_reads_them)
{
    open_redis();
    run_do("ZADD " DELAYED " 1 a 2 b 3 c");
    ck_assert_str_eq(promote("1"), "1 2");
    ck_assert_int_eq(run_do("EXISTS " NOTIFY), 0);
    run_do("RPUSH " NOTIFY " 1");
    ck_assert_str_eq(promote("10"), "2 (nil)");
    ck_assert_int_eq(run_do("LLEN " NOTIFY), 3);
    close_redis();
}
END_TEST

START_TEST(delayed_pushes_of_equal_bytes_stay_apart)
{
    open_redis();
    ck_assert_int_eq(
        mr_script_run_int(&redis, MR_SCRIPT_DELAY, 1, DELAYED, "10", "j", "j", "k", NULL), 3);
    ck_assert_int_eq(run_do("ZCARD " DELAYED), 3);
    close_redis();
}
END_TEST

START_TEST(sizes_count_everything_and_mark_what_has_a_wrong_type)
{
    open_redis();
    run_do("RPUSH " Q " a b");
    run_do("ZADD " DELAYED " 1 a");
    freeReplyObject(mr_redis_ask(&redis, "SET " PAUSED " 1"));
    freeReplyObject(mr_redis_ask(&redis, "SET " Q ":dead text"));
    redisReply *sizes = mr_script_run(&redis, MR_SCRIPT_SIZES, 6, Q, DELAYED, Q ":reserved",
                                      Q ":dead", PAUSED, WORKERS, NULL);
    ck_assert_str_eq(mr_joined(sizes), "2 1 0 -1 -1 1 0");
    freeReplyObject(sizes);
    close_redis();
}
END_TEST

/* 23 */
START_TEST(a_full_redis_still_keeps_and_ends_leases)
{
    open_redis();
    run_do("RPUSH " LEASE " a");
    run_do("RPUSH " WAKE " w");
    run_do("ZADD " DELAYED " 1 b");
    ck_assert_int_eq(do_register(), 1);
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));

    redisReply *missing =
        mr_script_run(&redis, MR_SCRIPT_RENEW, 1, WORKERS, "10000", "w-10", NULL);
    ck_assert_uint_eq(missing->elements, 0);
    freeReplyObject(missing);
    ck_assert_int_eq(fence(""), 1);
    ck_assert_int_eq(do_register(), 0);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_REAP_LISTS, 3, Q, NOTIFY, LEASE, NULL),
                     1);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_CLOSE, 2, Q, WAKE, NULL), 1);
    ck_assert_str_eq(promote("10"), "1 (nil)");
    ck_assert_str_eq(mr_list_of(&redis, Q), "w a b");
    close_redis();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {register_gives_a_lease_on_the_clock_of_redis,               0},
        {a_reaped_worker_cannot_register_again,                      0},
        {renew_lengthens_the_living_and_names_the_missing,           0},
        {fence_takes_only_the_score_that_was_seen,                   0},
        {fence_of_a_stranger_nobody_knows_is_refused,                0},
        {reaped_lists_go_back_without_what_was_settled,              0},
        {old_reaped_workers_are_forgotten,                           0},
        {promote_moves_in_order_of_due_time_and_no_more_than_asked,  0},
        {promote_moves_twenty_thousand,                              0},
        {promote_overwrites_what_an_error_left_behind,               0},
        {promote_without_the_right_to_sort_does_the_same,            0},
        {promote_brings_a_token_a_job_only_where_laravel_reads_them, 0},
        {delayed_pushes_of_equal_bytes_stay_apart,                   0},
        {sizes_count_everything_and_mark_what_has_a_wrong_type,      0},
        {a_full_redis_still_keeps_and_ends_leases,                   0},
    };

    return mr_suite_run("scripts-lease", tests);
}
