/* The scripts of a worker's way: fetch, wake, settle; and of leases: register, renew, fence, reap. */
#include "proto/scripts.h"
#include "tests/support/redis.h"
#include "tests/support/scripts.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Q "queues:mail"
#define LEASE Q ":lease:w-10:0"
#define WAKE Q ":lease:w-10:w0"
#define WORKERS Q ":workers"
#define REAPED Q ":reaped"
#define PAUSED Q ":paused"
#define NOTIFY Q ":notify"
#define DELAYED Q ":delayed"
#define THROUGH Q ":promoting"

#define LOW "queues:low"
#define LOW_LEASE LOW ":lease:w-10:1"
#define LOW_WORKERS LOW ":workers"

#define MAIL_KEYS Q, LEASE, WORKERS, PAUSED, NOTIFY
#define LOW_KEYS LOW, LOW_LEASE, LOW_WORKERS, LOW ":paused", LOW ":notify"
#define WOKEN_KEYS WAKE, LEASE, Q, WORKERS, PAUSED, NOTIFY

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

/* Registers w-10 in both queues and pushes a, b, c to the first. */
static void stock(void)
{
    run_do("ZADD " WORKERS " 1 w-10");
    run_do("ZADD " LOW_WORKERS " 1 w-10");
    run_do("RPUSH " Q " a b c");
}

static const char *fetch_two(const char *n)
{
    redisReply *reply = mr_script_run(&redis, MR_SCRIPT_FETCH, 10, MAIL_KEYS, LOW_KEYS, n,
                                      "w-10", "0", "0", NULL);
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}

static long long fetch_one(const char *n, const char *tokens)
{
    return mr_script_run_int(&redis, MR_SCRIPT_FETCH, 5, MAIL_KEYS, n, "w-10", tokens, NULL);
}

/* That the text of an error begins with MISTYPE: refused before anything was written. */
static void assert_mistype(redisReply *reply)
{
    ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
    ck_assert_msg(strncmp(reply->str, "MISTYPE ", 8) == 0, "%s", reply->str);
    freeReplyObject(reply);
}

/* ---- fetch ---- */

START_TEST(fetch_takes_from_the_head_in_order)
{
    open_redis();
    stock();
    ck_assert_int_eq(fetch_one("2", "0"), 2);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a b");
    ck_assert_str_eq(mr_list_of(&redis, Q), "c");
    close_redis();
}
END_TEST

START_TEST(fetch_fills_up_from_the_next_queue)
{
    open_redis();
    stock();
    run_do("RPUSH " LOW " x y z");
    ck_assert_str_eq(fetch_two("5"), "3 2");
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a b c");
    ck_assert_str_eq(mr_list_of(&redis, LOW_LEASE), "x y");
    ck_assert_str_eq(mr_list_of(&redis, LOW), "z");
    close_redis();
}
END_TEST

START_TEST(fetch_of_nothing_makes_no_lease)
{
    open_redis();
    run_do("ZADD " WORKERS " 1 w-10");
    ck_assert_int_eq(fetch_one("5", "0"), 0);
    ck_assert_int_eq(run_do("EXISTS " LEASE), 0);
    close_redis();
}
END_TEST

static const struct {
    const char *spoil;
    const char *answer;
} spoiled[] = {
    {"ZREM " WORKERS " w-10", "-2 1"},
    {"RPUSH " LEASE " old",   "-1 1"},
    {"SET " PAUSED " 1",      "-3 1"},
    {"SET " Q " text",        "-4 1"},
    {"SET " WORKERS " text",  "-4 1"},
};

START_TEST(a_queue_that_refuses_is_skipped_and_the_next_is_served)
{
    open_redis();
    stock();
    run_do("RPUSH " LOW " x");
    freeReplyObject(mr_redis_ask(&redis, spoiled[_i].spoil));
    ck_assert_str_eq(fetch_two("5"), spoiled[_i].answer);
    ck_assert_str_eq(mr_list_of(&redis, LOW_LEASE), "x");
    ck_assert_int_eq(run_do("EXISTS " LEASE), _i == 1);
    close_redis();
}
END_TEST

/* 28: an error after the first queue's LTRIM would say "nothing done" of jobs that are leased. */
START_TEST(a_wrong_type_behind_the_first_queue_is_an_answer_not_an_error)
{
    open_redis();
    stock();
    run_do("HSET " LOW " field value");
    run_do("SET " NOTIFY " text");
    ck_assert_str_eq(fetch_two("5"), "3 -4");
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a b c");
    close_redis();
}
END_TEST

/* 30 */
START_TEST(fetch_takes_one_token_a_job_and_the_tokens_of_wakes)
{
    open_redis();
    stock();
    run_do("RPUSH " NOTIFY " 1 1 1 1 1 1");
    ck_assert_int_eq(fetch_one("2", "3"), 2);
    ck_assert_int_eq(run_do("LLEN " NOTIFY), 1);
    close_redis();
}
END_TEST

START_TEST(fetch_brings_no_payload_through_lua)
{
    static const char *const readers[] = {"lrange", "lindex", "lmove", "rpoplpush", "lpush"};
    char wanted[64];

    open_redis();
    stock();
    freeReplyObject(mr_redis_ask(&redis, "CONFIG RESETSTAT"));
    ck_assert_int_eq(fetch_one("2", "0"), 2);
    redisReply *stats = mr_redis_ask(&redis, "INFO commandstats");
    ck_assert_ptr_nonnull(strstr(stats->str, "cmdstat_sort:"));
    for (size_t i = 0; i < MR_COUNT(readers); i++) {
        snprintf(wanted, sizeof(wanted), "cmdstat_%s:", readers[i]);
        ck_assert_ptr_null(strstr(stats->str, wanted));
    }
    freeReplyObject(stats);
    close_redis();
}
END_TEST

START_TEST(fetch_without_the_right_to_sort_moves_one_by_one)
{
    open_redis();
    stock();
    freeReplyObject(mr_redis_ask(&redis, "ACL SETUSER default -sort"));
    ck_assert_int_eq(fetch_one("2", "0"), 2);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a b");
    ck_assert_str_eq(mr_list_of(&redis, Q), "c");
    close_redis();
}
END_TEST

/* ---- woken and close ---- */

static long long woken(void)
{
    return mr_script_run_int(&redis, MR_SCRIPT_WOKEN, 6, WOKEN_KEYS, "w-10", NULL);
}

START_TEST(woken_makes_a_lease_of_what_came_and_frees_the_wake_name)
{
    open_redis();
    stock();
    run_do("RPUSH " NOTIFY " 1 1");
    run_do("RPUSH " WAKE " job");
    ck_assert_int_eq(woken(), 1);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "job");
    ck_assert_int_eq(run_do("EXISTS " WAKE), 0);
    ck_assert_int_eq(run_do("LLEN " NOTIFY), 1);
    close_redis();
}
END_TEST

static const struct {
    const char *spoil;
    int answer;
    int idle_answer; /* when nothing came */
} unwelcome[] = {
    {"ZREM " WORKERS " w-10", -2, -2},
    {"SET " PAUSED " 1",      -3, -3},
    {"RPUSH " LEASE " old",   -1, 0 },
};

START_TEST(woken_gives_back_what_may_not_be_run)
{
    open_redis();
    stock();
    run_do("RPUSH " WAKE " 1 2");
    run_do("RPUSH " NOTIFY " 1");
    freeReplyObject(mr_redis_ask(&redis, unwelcome[_i].spoil));
    ck_assert_int_eq(woken(), unwelcome[_i].answer);
    ck_assert_str_eq(mr_list_of(&redis, Q), "1 2 a b c");
    ck_assert_int_eq(run_do("EXISTS " WAKE), 0);
    ck_assert_int_eq(run_do("LLEN " NOTIFY), 1); /* 30: BLMOVE had taken none */
    close_redis();
}
END_TEST

START_TEST(an_idle_waiter_learns_that_it_is_fenced_or_paused)
{
    open_redis();
    stock();
    freeReplyObject(mr_redis_ask(&redis, unwelcome[_i].spoil));
    ck_assert_int_eq(woken(), unwelcome[_i].idle_answer);
    close_redis();
}
END_TEST

START_TEST(woken_on_a_closed_name_says_that_nothing_came)
{
    open_redis();
    stock();
    freeReplyObject(mr_redis_ask(&redis, "SET " WAKE " closed"));
    run_do("RPUSH " NOTIFY " 1");
    ck_assert_int_eq(woken(), 0);
    ck_assert_int_eq(run_do("LLEN " NOTIFY), 1);
    close_redis();
}
END_TEST

START_TEST(close_gives_back_in_order_and_bars_every_name)
{
    open_redis();
    run_do("RPUSH " Q " c");
    run_do("RPUSH " WAKE " a b");
    ck_assert_int_eq(
        mr_script_run_int(&redis, MR_SCRIPT_CLOSE, 3, Q, WAKE, Q ":lease:w-10:w1", NULL), 2);
    ck_assert_str_eq(mr_list_of(&redis, Q), "a b c");
    ck_assert_int_gt(run_do("TTL " WAKE), 86000);
    ck_assert_int_gt(run_do("TTL " Q ":lease:w-10:w1"), 86000);
    close_redis();
}
END_TEST

/* 13 */
START_TEST(a_late_blmove_meets_the_closing_string_and_the_job_stays)
{
    open_redis();
    run_do("RPUSH " Q " job");
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_CLOSE, 2, Q, WAKE, NULL), 0);
    redisReply *late = mr_redis_ask(&redis, "BLMOVE " Q " " WAKE " LEFT RIGHT 1");
    ck_assert_int_eq(late->type, REDIS_REPLY_ERROR);
    ck_assert_int_eq(strncmp(late->str, "WRONGTYPE", 9), 0);
    freeReplyObject(late);
    ck_assert_str_eq(mr_list_of(&redis, Q), "job");
    close_redis();
}
END_TEST

/* ---- settle ---- */

START_TEST(done_settles_places_and_moves_none)
{
    open_redis();
    run_do("RPUSH " LEASE " a b c");
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_DONE, 1, LEASE, "0", "2", NULL), 1);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), " b ");
    close_redis();
}
END_TEST

START_TEST(done_of_a_lost_or_shorter_lease_writes_nothing)
{
    open_redis();
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_DONE, 1, LEASE, "0", NULL), 0);
    run_do("RPUSH " LEASE " a");
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_DONE, 1, LEASE, "0", "1", NULL), 0);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a");
    close_redis();
}
END_TEST

static long long retry(const char *i, const char *payload)
{
    return mr_script_run_int(&redis, MR_SCRIPT_RETRY, 2, LEASE, DELAYED, i, "1700000000.250",
                             payload, NULL);
}

START_TEST(retry_moves_its_own_place_to_delayed)
{
    open_redis();
    run_do("RPUSH " LEASE " a b");
    ck_assert_int_eq(retry("1", "b2"), 1);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a ");
    redisReply *score = mr_redis_ask(&redis, "ZSCORE " DELAYED " b2");
    ck_assert_str_eq(score->str, "1700000000.25");
    freeReplyObject(score);
    close_redis();
}
END_TEST

/* 5 */
START_TEST(five_jobs_of_equal_bytes_stay_five)
{
    open_redis();
    run_do("RPUSH " LEASE " j j j j j");
    for (char i[2] = "0"; i[0] < '5'; i[0]++)
        ck_assert_int_eq(retry(i, "{\"job\":\"x\"}"), 1);
    ck_assert_int_eq(run_do("ZCARD " DELAYED), 5);
    ck_assert_int_eq(run_do("ZRANK " DELAYED " {\"job\":\"x\"}"), 0);
    close_redis();
}
END_TEST

START_TEST(a_retry_that_is_repeated_moves_nothing_twice)
{
    open_redis();
    run_do("RPUSH " LEASE " a");
    ck_assert_int_eq(retry("0", "a2"), 1);
    ck_assert_int_eq(retry("0", "a2"), 0);
    ck_assert_int_eq(retry("7", "a2"), 0);
    run_do("DEL " LEASE);
    ck_assert_int_eq(retry("0", "a2"), 0);
    ck_assert_int_eq(run_do("ZCARD " DELAYED), 1);
    close_redis();
}
END_TEST

START_TEST(retry_into_a_wrong_type_leaves_the_job_leased)
{
    open_redis();
    run_do("RPUSH " LEASE " a");
    freeReplyObject(mr_redis_ask(&redis, "SET " DELAYED " text"));
    assert_mistype(
        mr_script_run(&redis, MR_SCRIPT_RETRY, 2, LEASE, DELAYED, "0", "1", "a", NULL));
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a");
    close_redis();
}
END_TEST

static long long release(const char *i)
{
    return mr_script_run_int(&redis, MR_SCRIPT_RELEASE, 3, LEASE, Q, NOTIFY, i, "b2", NULL);
}

START_TEST(release_puts_its_place_at_the_head)
{
    open_redis();
    run_do("RPUSH " Q " c");
    run_do("RPUSH " LEASE " a b");
    ck_assert_int_eq(release("1"), 1);
    ck_assert_int_eq(release("1"), 0);
    ck_assert_str_eq(mr_list_of(&redis, Q), "b2 c");
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a ");
    close_redis();
}
END_TEST

static long long back(const char *from)
{
    return mr_script_run_int(&redis, MR_SCRIPT_BACK, 3, LEASE, Q, NOTIFY, from, NULL);
}

/* 6 */
START_TEST(a_suffix_goes_back_and_running_jobs_keep_their_places)
{
    open_redis();
    run_do("RPUSH " Q " z");
    freeReplyObject(mr_redis_ask(&redis, "RPUSH " LEASE " same %s same %s same", "", ""));
    ck_assert_int_eq(back("2"), 2);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "same ");
    ck_assert_int_eq(run_do("LLEN " LEASE), 2);
    ck_assert_str_eq(mr_list_of(&redis, Q), "same same z");
    ck_assert_int_eq(back("2"), 0);
    close_redis();
}
END_TEST

/* 30 */
START_TEST(what_goes_back_brings_its_tokens_only_where_laravel_reads_them)
{
    open_redis();
    run_do("RPUSH " LEASE " a b c d");
    ck_assert_int_eq(back("3"), 1);
    ck_assert_int_eq(run_do("EXISTS " NOTIFY), 0);
    run_do("RPUSH " NOTIFY " 1");
    ck_assert_int_eq(back("2"), 1);
    ck_assert_int_eq(release("1"), 1);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_REAP_LISTS, 3, Q, NOTIFY, LEASE, NULL),
                     1);
    ck_assert_int_eq(run_do("LLEN " NOTIFY), 4);
    close_redis();
}
END_TEST

/* ---- leases of workers ---- */

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

/* 10: the empty payload is the one exception to "no job is lost": it is the tombstone. */
START_TEST(an_empty_payload_counts_as_settled)
{
    open_redis();
    freeReplyObject(mr_redis_ask(&redis, "RPUSH " LEASE " %s", ""));
    ck_assert_int_eq(retry("0", "x"), 0);
    ck_assert_int_eq(release("0"), 0);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_REAP_LISTS, 3, Q, NOTIFY, LEASE, NULL),
                     0);
    ck_assert_int_eq(run_do("EXISTS " LEASE " " Q " " DELAYED), 0);
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

/* ---- a full Redis ---- */

/* 23: what a plain ZADD, LSET, LMOVE or SET may not do any more, the scripts do. */
START_TEST(a_full_redis_still_renews_settles_and_closes)
{
    open_redis();
    stock();
    run_do("RPUSH " LEASE " a b c d e");
    run_do("RPUSH " WAKE " w");
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));
    redisReply *plain = mr_redis_ask(&redis, "LSET " LEASE " 0 %s", "");
    ck_assert_int_eq(plain->type, REDIS_REPLY_ERROR);
    ck_assert_int_eq(strncmp(plain->str, "OOM", 3), 0);
    freeReplyObject(plain);

    redisReply *missing =
        mr_script_run(&redis, MR_SCRIPT_RENEW, 1, WORKERS, "10000", "w-10", NULL);
    ck_assert_uint_eq(missing->elements, 0);
    freeReplyObject(missing);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_DONE, 1, LEASE, "0", NULL), 1);
    ck_assert_int_eq(retry("1", "b"), 1);
    ck_assert_int_eq(release("2"), 1);
    ck_assert_int_eq(back("4"), 1);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_CLOSE, 2, Q, WAKE, NULL), 1);
    ck_assert_str_eq(mr_list_of(&redis, Q), "w e b2 a b c");
    ck_assert_str_eq(promote("10"), "1 (nil)");
    ck_assert_int_eq(fence(""), 1);
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_REAP_LISTS, 3, Q, NOTIFY, LEASE, NULL),
                     1);
    ck_assert_int_eq(do_register(), 0);
    close_redis();
}
END_TEST

START_TEST(a_full_redis_is_still_fetched_from)
{
    open_redis();
    stock();
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));
    ck_assert_int_eq(fetch_one("2", "0"), 2);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a b");
    close_redis();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {fetch_takes_from_the_head_in_order,                             0                       },
        {fetch_fills_up_from_the_next_queue,                             0                       },
        {fetch_of_nothing_makes_no_lease,                                0                       },
        {a_queue_that_refuses_is_skipped_and_the_next_is_served,         (int)MR_COUNT(spoiled)  },
        {a_wrong_type_behind_the_first_queue_is_an_answer_not_an_error,  0                       },
        {fetch_takes_one_token_a_job_and_the_tokens_of_wakes,            0                       },
        {fetch_brings_no_payload_through_lua,                            0                       },
        {fetch_without_the_right_to_sort_moves_one_by_one,               0                       },
        {woken_makes_a_lease_of_what_came_and_frees_the_wake_name,       0                       },
        {woken_gives_back_what_may_not_be_run,                           (int)MR_COUNT(unwelcome)},
        {an_idle_waiter_learns_that_it_is_fenced_or_paused,              (int)MR_COUNT(unwelcome)},
        {woken_on_a_closed_name_says_that_nothing_came,                  0                       },
        {close_gives_back_in_order_and_bars_every_name,                  0                       },
        {a_late_blmove_meets_the_closing_string_and_the_job_stays,       0                       },
        {done_settles_places_and_moves_none,                             0                       },
        {done_of_a_lost_or_shorter_lease_writes_nothing,                 0                       },
        {retry_moves_its_own_place_to_delayed,                           0                       },
        {five_jobs_of_equal_bytes_stay_five,                             0                       },
        {a_retry_that_is_repeated_moves_nothing_twice,                   0                       },
        {retry_into_a_wrong_type_leaves_the_job_leased,                  0                       },
        {release_puts_its_place_at_the_head,                             0                       },
        {a_suffix_goes_back_and_running_jobs_keep_their_places,          0                       },
        {what_goes_back_brings_its_tokens_only_where_laravel_reads_them, 0                       },
        {register_gives_a_lease_on_the_clock_of_redis,                   0                       },
        {a_reaped_worker_cannot_register_again,                          0                       },
        {renew_lengthens_the_living_and_names_the_missing,               0                       },
        {fence_takes_only_the_score_that_was_seen,                       0                       },
        {fence_of_a_stranger_nobody_knows_is_refused,                    0                       },
        {reaped_lists_go_back_without_what_was_settled,                  0                       },
        {an_empty_payload_counts_as_settled,                             0                       },
        {old_reaped_workers_are_forgotten,                               0                       },
        {promote_moves_in_order_of_due_time_and_no_more_than_asked,      0                       },
        {promote_moves_twenty_thousand,                                  0                       },
        {promote_overwrites_what_an_error_left_behind,                   0                       },
        {promote_without_the_right_to_sort_does_the_same,                0                       },
        {promote_brings_a_token_a_job_only_where_laravel_reads_them,     0                       },
        {delayed_pushes_of_equal_bytes_stay_apart,                       0                       },
        {sizes_count_everything_and_mark_what_has_a_wrong_type,          0                       },
        {a_full_redis_still_renews_settles_and_closes,                   0                       },
        {a_full_redis_is_still_fetched_from,                             0                       },
    };

    return mr_suite_run("scripts", tests);
}
