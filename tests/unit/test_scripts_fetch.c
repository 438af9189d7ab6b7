/* The scripts by which jobs come: fetch, woken, close. */
#include "proto/scripts.h"
#include "tests/support/redis.h"
#include "tests/support/scripts.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

#define Q "queues:mail"
#define LEASE Q ":lease:w-10:0"
#define WAKE Q ":lease:w-10:w0"
#define WORKERS Q ":workers"
#define PAUSED Q ":paused"
#define NOTIFY Q ":notify"
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

int main(void)
{
    const struct mr_test tests[] = {
        {fetch_takes_from_the_head_in_order,                            0                       },
        {fetch_fills_up_from_the_next_queue,                            0                       },
        {fetch_of_nothing_makes_no_lease,                               0                       },
        {a_queue_that_refuses_is_skipped_and_the_next_is_served,        (int)MR_COUNT(spoiled)  },
        {a_wrong_type_behind_the_first_queue_is_an_answer_not_an_error, 0                       },
        {fetch_takes_one_token_a_job_and_the_tokens_of_wakes,           0                       },
        {fetch_brings_no_payload_through_lua,                           0                       },
        {fetch_without_the_right_to_sort_moves_one_by_one,              0                       },
        {a_full_redis_is_still_fetched_from,                            0                       },
        {woken_makes_a_lease_of_what_came_and_frees_the_wake_name,      0                       },
        {woken_gives_back_what_may_not_be_run,                          (int)MR_COUNT(unwelcome)},
        {an_idle_waiter_learns_that_it_is_fenced_or_paused,             (int)MR_COUNT(unwelcome)},
        {woken_on_a_closed_name_says_that_nothing_came,                 0                       },
        {close_gives_back_in_order_and_bars_every_name,                 0                       },
        {a_late_blmove_meets_the_closing_string_and_the_job_stays,      0                       },
    };

    return mr_suite_run("scripts-fetch", tests);
}
