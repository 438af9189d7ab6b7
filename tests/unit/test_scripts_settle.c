/* The scripts that settle places: done, retry, release, back. */
#include "proto/scripts.h"
#include "tests/support/redis.h"
#include "tests/support/scripts.h"
#include "tests/support/suite.h"

#include <string.h>

#define Q "queues:mail"
#define LEASE Q ":lease:w-10:0"
#define NOTIFY Q ":notify"
#define DELAYED Q ":delayed"

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

/* That the text of an error begins with MISTYPE: refused before anything was written. */
static void assert_mistype(redisReply *reply)
{
    ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
    ck_assert_msg(strncmp(reply->str, "MISTYPE ", 8) == 0, "%s", reply->str);
    freeReplyObject(reply);
}

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

/* 23: what a plain LSET, LPUSH or ZADD may not do any more, the scripts do. */
START_TEST(a_full_redis_is_still_settled_in)
{
    open_redis();
    run_do("RPUSH " LEASE " a b c d e");
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));
    redisReply *plain = mr_redis_ask(&redis, "LSET " LEASE " 0 %s", "");
    ck_assert_int_eq(plain->type, REDIS_REPLY_ERROR);
    ck_assert_int_eq(strncmp(plain->str, "OOM", 3), 0);
    freeReplyObject(plain);

    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_DONE, 1, LEASE, "0", NULL), 1);
    ck_assert_int_eq(retry("1", "b"), 1);
    ck_assert_int_eq(release("2"), 1);
    ck_assert_int_eq(back("3"), 2);
    ck_assert_str_eq(mr_list_of(&redis, Q), "d e b2");
    ck_assert_int_eq(run_do("ZCARD " DELAYED), 1);
    close_redis();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {done_settles_places_and_moves_none,                             0},
        {done_of_a_lost_or_shorter_lease_writes_nothing,                 0},
        {retry_moves_its_own_place_to_delayed,                           0},
        {five_jobs_of_equal_bytes_stay_five,                             0},
        {a_retry_that_is_repeated_moves_nothing_twice,                   0},
        {retry_into_a_wrong_type_leaves_the_job_leased,                  0},
        {release_puts_its_place_at_the_head,                             0},
        {a_suffix_goes_back_and_running_jobs_keep_their_places,          0},
        {what_goes_back_brings_its_tokens_only_where_laravel_reads_them, 0},
        {an_empty_payload_counts_as_settled,                             0},
        {a_full_redis_is_still_settled_in,                               0},
    };

    return mr_suite_run("scripts-settle", tests);
}
