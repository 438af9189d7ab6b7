/* The scripts of dead letters. */
#include "proto/scripts.h"
#include "tests/support/redis.h"
#include "tests/support/scripts.h"
#include "tests/support/suite.h"

#include <string.h>

#define Q "queues:mail"
#define LEASE Q ":lease:w-10:0"
#define DEAD Q ":dead"
#define JOBS Q ":dead:jobs"
#define NOTIFY Q ":notify"
#define BIG(id) Q ":dead:big:" id

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

static const char *bury(const char *i, const char *id, const char *now_ms, const char *max)
{
    redisReply *reply = mr_script_run(&redis, MR_SCRIPT_DEAD, 3, LEASE, DEAD, JOBS, i, id,
                                      "{meta}", now_ms, max, NULL);
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}

/* The big one: two ids to choose from. */
static const char *bury_big(const char *i)
{
    redisReply *reply = mr_script_run(&redis, MR_SCRIPT_DEAD_BIG, 5, LEASE, DEAD, JOBS,
                                      BIG("u"), BIG("u~2"), i, "{meta}", "5", "u", "u~2", NULL);
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}

static const char *field(const char *name)
{
    redisReply *reply = mr_redis_ask(&redis, "HGET " JOBS " %s", name);
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}

static const char *ids(void)
{
    redisReply *reply = mr_redis_ask(&redis, "ZRANGE " DEAD " 0 -1");
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}

START_TEST(a_dead_letter_is_the_payload_and_its_record)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b");
    ck_assert_str_eq(bury("1", "u", "1700000000123", "10"), "0");
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a ");
    ck_assert_str_eq(field("u"), "b");
    ck_assert_str_eq(field("u:meta"), "{meta}");
    ck_assert_int_eq(mr_redis_int(&redis, "ZSCORE " DEAD " u"), 1700000000123);
    ck_assert_str_eq(bury("1", "u", "1700000000123", "10"), "-1"); /* repeated */
    ck_assert_str_eq(bury("2", "u", "1700000000123", "10"), "-1");
    ck_assert_str_eq(ids(), "u");
    close_redis();
}
END_TEST

/* 33: a record that held the payload inside JSON could not. */
START_TEST(a_dead_letter_keeps_every_byte)
{
    static const char bytes[] = "{\"x\":\"\0\xff\xc3\x28\r\n\"}";

    open_redis();
    freeReplyObject(mr_redis_ask(&redis, "RPUSH " LEASE " %b", bytes, sizeof(bytes)));
    ck_assert_str_eq(bury("0", "u", "1", "10"), "0");
    ck_assert_int_eq(mr_script_run_int(&redis, MR_SCRIPT_DEAD_RETRY, 5, DEAD, JOBS, BIG("u"), Q,
                                       NOTIFY, "u", NULL),
                     1);
    redisReply *again = mr_redis_ask(&redis, "LPOP " Q);
    ck_assert_uint_eq(again->len, sizeof(bytes));
    ck_assert_mem_eq(again->str, bytes, sizeof(bytes));
    freeReplyObject(again);
    close_redis();
}
END_TEST

/* 7 */
START_TEST(letters_of_the_same_uuid_stay_apart)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " first second third");
    ck_assert_str_eq(bury("0", "u", "1", "10"), "0");
    ck_assert_str_eq(bury("1", "u", "2", "10"), "0");
    ck_assert_str_eq(bury("2", "u", "3", "10"), "0");
    ck_assert_str_eq(ids(), "u u~2 u~3");
    ck_assert_str_eq(field("u"), "first");
    ck_assert_str_eq(field("u~2"), "second");
    ck_assert_str_eq(field("u~3"), "third");
    close_redis();
}
END_TEST

START_TEST(a_uuid_that_looks_like_a_record_overwrites_no_letter)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " odd plain");
    ck_assert_str_eq(bury("0", "u:meta", "1", "10"), "0");
    ck_assert_str_eq(bury("1", "u", "2", "10"), "0");
    ck_assert_str_eq(field("u:meta"), "odd");
    ck_assert_str_eq(field("u~2"), "plain");
    close_redis();
}
END_TEST

START_TEST(the_two_oldest_make_room)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b c d e");
    for (char i[2] = "0", id[2] = "a"; i[0] < '4'; i[0]++, id[0]++)
        ck_assert_str_eq(bury(i, id, i, "0"), "0"); /* 0: no bound */
    ck_assert_str_eq(bury("4", "e", "4", "2"), "2");
    ck_assert_str_eq(ids(), "c d e");
    ck_assert_int_eq(mr_redis_int(&redis, "HLEN " JOBS), 6);
    close_redis();
}
END_TEST

START_TEST(the_newcomer_is_never_dropped_for_its_age)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b");
    ck_assert_str_eq(bury("0", "a", "100", "1"), "0");
    ck_assert_str_eq(bury("1", "b", "1", "1"), "0"); /* from a host whose clock is behind */
    ck_assert_str_eq(ids(), "b a");
    close_redis();
}
END_TEST

START_TEST(dead_into_a_wrong_type_leaves_the_job_leased)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a");
    freeReplyObject(mr_redis_ask(&redis, "SET " JOBS " text"));
    ck_assert_int_eq(strncmp(bury("0", "u", "1", "10"), "MISTYPE ", 8), 0);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a");
    ck_assert_str_eq(ids(), "");
    close_redis();
}
END_TEST

START_TEST(a_big_letter_has_a_key_of_its_own)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a huge huge2");
    ck_assert_str_eq(bury_big("1"), "0");
    ck_assert_str_eq(bury_big("1"), "-1");
    ck_assert_str_eq(bury_big("3"), "-1");
    ck_assert_str_eq(bury_big("2"), "0");
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "a  ");
    ck_assert_str_eq(mr_list_of(&redis, BIG("u")), "huge");
    ck_assert_str_eq(mr_list_of(&redis, BIG("u~2")), "huge2");
    ck_assert_str_eq(field("u"), "(nil)");
    ck_assert_str_eq(field("u~2:meta"), "{meta}");
    ck_assert_str_eq(ids(), "u u~2");
    close_redis();
}
END_TEST

START_TEST(a_big_letter_without_a_free_id_stays_leased)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b c");
    bury_big("0");
    bury_big("1");
    ck_assert_int_eq(strncmp(bury_big("2"), "BUSY ", 5), 0);
    ck_assert_str_eq(mr_list_of(&redis, LEASE), "  c");
    close_redis();
}
END_TEST

START_TEST(a_big_letter_without_the_right_to_sort_does_the_same)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a huge");
    freeReplyObject(mr_redis_ask(&redis, "ACL SETUSER default -sort"));
    ck_assert_str_eq(bury_big("1"), "0");
    ck_assert_str_eq(mr_list_of(&redis, BIG("u")), "huge");
    close_redis();
}
END_TEST

/* The commands of commandstats that carry a payload through Lua. */
START_TEST(a_big_payload_never_goes_through_lua)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " huge");
    freeReplyObject(mr_redis_ask(&redis, "CONFIG RESETSTAT"));
    ck_assert_str_eq(bury_big("0"), "0");
    redisReply *stats = mr_redis_ask(&redis, "INFO commandstats");
    ck_assert_ptr_nonnull(strstr(stats->str, "cmdstat_sort:"));
    ck_assert_ptr_null(strstr(stats->str, "cmdstat_lindex:"));
    ck_assert_ptr_null(strstr(stats->str, "cmdstat_lrange:"));
    freeReplyObject(stats);
    close_redis();
}
END_TEST

static long long drop(const char *id, const char *big)
{
    return mr_script_run_int(&redis, MR_SCRIPT_DEAD_DROP, 3, DEAD, JOBS, big, id, NULL);
}

START_TEST(a_dropped_letter_leaves_nothing)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a huge");
    bury("0", "x", "1", "10");
    bury_big("1");
    ck_assert_int_eq(drop("x", BIG("x")), 1);
    ck_assert_int_eq(drop("x", BIG("x")), 0);
    ck_assert_int_eq(drop("u:meta", BIG("u:meta")), 0); /* no letter: a record */
    ck_assert_int_eq(drop("u", BIG("u")), 1);
    ck_assert_int_eq(mr_redis_int(&redis, "EXISTS " DEAD " " JOBS " " BIG("u")), 0);
    close_redis();
}
END_TEST

static long long retry(const char *id, const char *big, const char *payload)
{
    return mr_script_run_int(&redis, MR_SCRIPT_DEAD_RETRY, 5, DEAD, JOBS, big, Q, NOTIFY, id,
                             payload, NULL);
}

START_TEST(a_retried_letter_is_ready_once)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b");
    mr_redis_int(&redis, "RPUSH " NOTIFY " 1");
    bury("0", "x", "1", "10");
    bury("1", "y", "1", "10");
    ck_assert_int_eq(retry("x", BIG("x"), NULL), 1);
    ck_assert_int_eq(retry("x", BIG("x"), NULL), 0);
    ck_assert_int_eq(retry("y", BIG("y"), "b with attempts 0"), 1);
    ck_assert_str_eq(mr_list_of(&redis, Q), "a b with attempts 0");
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " NOTIFY), 3);
    ck_assert_int_eq(mr_redis_int(&redis, "EXISTS " DEAD " " JOBS), 0);
    close_redis();
}
END_TEST

START_TEST(a_big_letter_is_retried_from_its_key)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " huge");
    bury_big("0");
    ck_assert_int_eq(retry("u", BIG("u"), NULL), 1);
    ck_assert_str_eq(mr_list_of(&redis, Q), "huge");
    ck_assert_int_eq(mr_redis_int(&redis, "EXISTS " DEAD " " JOBS " " BIG("u")), 0);
    close_redis();
}
END_TEST

START_TEST(a_letter_without_its_bytes_is_left_to_be_seen)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " huge");
    bury_big("0");
    mr_redis_int(&redis, "DEL " BIG("u"));
    ck_assert_int_eq(retry("u", BIG("u"), NULL), 0);
    ck_assert_str_eq(ids(), "u");
    close_redis();
}
END_TEST

START_TEST(letters_expire_by_age_and_by_number_and_big_ones_are_named)
{
    redisReply *reply;

    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b huge d e");
    bury("0", "a", "1", "0");
    bury("1", "b", "2", "0");
    bury_big("2"); /* at 5 */
    bury("3", "d", "7", "0");
    bury("4", "e", "8", "0");

    reply = mr_script_run(&redis, MR_SCRIPT_DEAD_EXPIRE, 2, DEAD, JOBS, "7", "0", "1", NULL);
    ck_assert_str_eq(mr_joined(reply), "1");
    freeReplyObject(reply);
    reply = mr_script_run(&redis, MR_SCRIPT_DEAD_EXPIRE, 2, DEAD, JOBS, "7", "0", "100", NULL);
    ck_assert_str_eq(mr_joined(reply), "1 u");
    freeReplyObject(reply);
    ck_assert_str_eq(ids(), "u d e");
    reply = mr_script_run(&redis, MR_SCRIPT_DEAD_EXPIRE, 2, DEAD, JOBS, "0", "1", "100", NULL);
    ck_assert_str_eq(mr_joined(reply), "1 u");
    freeReplyObject(reply);
    ck_assert_str_eq(ids(), "u e");
    close_redis();
}
END_TEST

/* One letter of a page as "id score meta". */
static redisReply *page(const char *cursor, const char *limit)
{
    return mr_script_run(&redis, MR_SCRIPT_DEAD_LIST, 2, DEAD, JOBS, cursor, limit, NULL);
}

START_TEST(letters_are_listed_newest_first_page_by_page)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a b c");
    bury("0", "a", "1", "0");
    bury("1", "b", "2", "0");
    bury("2", "c", "2", "0");

    redisReply *first = page("", "2");
    ck_assert_uint_eq(first->elements, 2);
    ck_assert_str_eq(mr_joined(first->element[0]), "c 2 {meta}");
    ck_assert_str_eq(mr_joined(first->element[1]), "b 2 {meta}");
    freeReplyObject(first);
    redisReply *second = page("b", "2");
    ck_assert_uint_eq(second->elements, 1);
    ck_assert_str_eq(mr_joined(second->element[0]), "a 1 {meta}");
    freeReplyObject(second);
    redisReply *gone = page("nobody", "2");
    ck_assert_int_eq(gone->type, REDIS_REPLY_NIL);
    freeReplyObject(gone);
    close_redis();
}
END_TEST

/* 23 */
START_TEST(a_full_redis_still_buries)
{
    open_redis();
    mr_redis_int(&redis, "RPUSH " LEASE " a huge");
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));
    ck_assert_str_eq(bury("0", "x", "1", "10"), "0");
    ck_assert_str_eq(bury_big("1"), "0");
    ck_assert_int_eq(retry("u", BIG("u"), NULL), 1);
    ck_assert_int_eq(drop("x", BIG("x")), 1);
    close_redis();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_dead_letter_is_the_payload_and_its_record,                0},
        {a_dead_letter_keeps_every_byte,                             0},
        {letters_of_the_same_uuid_stay_apart,                        0},
        {a_uuid_that_looks_like_a_record_overwrites_no_letter,       0},
        {the_two_oldest_make_room,                                   0},
        {the_newcomer_is_never_dropped_for_its_age,                  0},
        {dead_into_a_wrong_type_leaves_the_job_leased,               0},
        {a_big_letter_has_a_key_of_its_own,                          0},
        {a_big_letter_without_a_free_id_stays_leased,                0},
        {a_big_letter_without_the_right_to_sort_does_the_same,       0},
        {a_big_payload_never_goes_through_lua,                       0},
        {a_dropped_letter_leaves_nothing,                            0},
        {a_retried_letter_is_ready_once,                             0},
        {a_big_letter_is_retried_from_its_key,                       0},
        {a_letter_without_its_bytes_is_left_to_be_seen,              0},
        {letters_expire_by_age_and_by_number_and_big_ones_are_named, 0},
        {letters_are_listed_newest_first_page_by_page,               0},
        {a_full_redis_still_buries,                                  0},
    };

    return mr_suite_run("scripts-dead", tests);
}
