/* The store's connection: when it is ready, what it answers when not, scripts forgotten. */
#include "proto/store.h"
#include "tests/support/scripts.h"
#include "tests/support/store.h"
#include "tests/support/suite.h"

#include <string.h>

#define LEASE "queues:mail:lease:w-10:0"

static const char *list(const char *key)
{
    return mr_list_of(&bed.redis, key);
}

static void register_worker(void)
{
    mr_assert_ok(mr_store_register(bed.store, &bed.mail, "w-10", 10000, TELL), "1");
}

START_TEST(ready_means_that_every_script_is_loaded)
{
    mr_bed_open();
    ck_assert(mr_store_is_ready(bed.store));
    for (enum mr_script script = 0; script < MR_SCRIPTS; script++) {
        redisReply *exists =
            mr_redis_ask(&bed.redis, "SCRIPT EXISTS %s", mr_script_row(script)->sha1);

        ck_assert_str_eq(mr_joined(exists), "1");
        freeReplyObject(exists);
    }
    mr_bed_close();
}
END_TEST

START_TEST(nothing_is_sent_before_the_store_is_ready)
{
    mr_bed_open_redis();
    bed.store = mr_bed_store();
    ck_assert_int_eq(mr_store_end(bed.store, LEASE, TELL), MR_EDOWN);
    mr_until_count(&bed.ready, 1);
    ck_assert(!bed.answer.came);
    mr_bed_close();
}
END_TEST

START_TEST(a_prefix_too_long_for_a_key_is_refused)
{
    const struct mr_store_events events = {0};
    char prefix[MR_PREFIX_MAX + 2];
    struct mr_store_options options = {.prefix = prefix};
    struct mr_store *store;
    struct mr_err err = {0};

    memset(prefix, 'p', sizeof(prefix));
    prefix[sizeof(prefix) - 1] = '\0';
    ck_assert_int_eq(mr_store_new(NULL, &options, &events, &store, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "redis.prefix"));
}
END_TEST

START_TEST(a_replica_is_left_before_anything_is_written)
{
    mr_bed_open_redis();
    mr_bed_do("REPLICAOF 127.0.0.1 1");
    bed.store = mr_bed_store();
    mr_until_count(&bed.downs, 1);
    ck_assert_ptr_nonnull(strstr(bed.why, "replica"));
    ck_assert_int_eq(bed.ready, 0);
    mr_bed_do("REPLICAOF NO ONE");
    mr_until_count(&bed.ready, 1);
    mr_bed_close();
}
END_TEST

START_TEST(a_master_that_became_a_replica_is_left)
{
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a");
    mr_bed_do("REPLICAOF 127.0.0.1 1");
    if (_i == 0)
        mr_assert_code(mr_store_clear(bed.store, LEASE, 0, TELL), MR_EREFUSED);
    else
        mr_assert_code(mr_store_back(bed.store, &bed.mail, LEASE, 0, TELL), MR_EREFUSED);
    ck_assert_ptr_nonnull(strstr(bed.answer.text, "READONLY"));
    mr_until_count(&bed.downs, 1);
    ck_assert(!mr_store_is_ready(bed.store));
    mr_bed_close();
}
END_TEST

START_TEST(without_the_right_to_ask_for_the_role_it_serves_all_the_same)
{
    mr_bed_open_redis();
    mr_bed_do("ACL SETUSER default -role");
    bed.store = mr_bed_store();
    mr_until_count(&bed.ready, 1);
    register_worker();
    mr_bed_close();
}
END_TEST

START_TEST(without_the_right_to_load_scripts_the_reason_is_told)
{
    mr_bed_open_redis();
    mr_bed_do("ACL SETUSER default -script");
    bed.store = mr_bed_store();
    mr_until_count(&bed.downs, 1);
    ck_assert_msg(strstr(bed.why, "SCRIPT LOAD") && strstr(bed.why, "NOPERM"), "%s", bed.why);
    ck_assert_int_eq(bed.ready, 0);
    mr_bed_do("ACL SETUSER default +script");
    mr_until_count(&bed.ready, 1);
    mr_bed_close();
}
END_TEST

START_TEST(a_lost_connection_answers_unknown_then_says_so)
{
    const char *pop[] = {"BLPOP", "nothing", "0"};

    mr_bed_open();
    ck_assert_int_eq(mr_store_command(bed.store, TELL, 3, pop, NULL), MR_OK);
    mr_link_flush(mr_store_link(bed.store));
    mr_redis_kill(&bed.redis);
    mr_until_count(&bed.downs, 1);
    ck_assert(bed.answer.came && bed.answer.lost);
    ck_assert_int_eq(bed.answer.code, MR_EUNKNOWN);
    ck_assert_int_eq(mr_store_end(bed.store, LEASE, TELL), MR_EDOWN);
    mr_redis_again(&bed.redis, NULL);
    mr_until_count(&bed.ready, 2);
    register_worker();
    mr_bed_close();
}
END_TEST

START_TEST(stopping_answers_what_is_owed)
{
    const char *pop[] = {"BLPOP", "nothing", "0"};

    mr_bed_open();
    ck_assert_int_eq(mr_store_command(bed.store, TELL, 3, pop, NULL), MR_OK);
    mr_bed_close();
    ck_assert(bed.answer.came && bed.answer.lost);
    ck_assert_int_eq(bed.downs, 0);
}
END_TEST

/* ---- the script cache is emptied ---- */

START_TEST(a_forgotten_script_is_loaded_and_the_command_repeated)
{
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a b c");
    mr_bed_do("SCRIPT FLUSH");
    mr_assert_ok(mr_store_retry(bed.store, &bed.mail, LEASE, 0, 5, mr_bytes_of("a2"), TELL),
                 "1");
    mr_bed_do("SCRIPT FLUSH");
    mr_assert_ok(mr_store_back(bed.store, &bed.mail, LEASE, 1, TELL), "2");
    mr_bed_do("SCRIPT FLUSH");
    register_worker();
    mr_bed_close();
}
END_TEST

START_TEST(a_fetch_is_not_repeated_but_the_next_one_works)
{
    const struct mr_fetch_queue queue = {&bed.mail, LEASE};

    mr_bed_open();
    register_worker();
    mr_bed_do("RPUSH queues:mail a");
    mr_bed_do("SCRIPT FLUSH");
    mr_assert_code(mr_store_fetch(bed.store, &queue, 1, "w-10", 5, NULL, TELL), MR_EREFUSED);
    ck_assert_int_eq(strncmp(bed.answer.text, "NOSCRIPT", 8), 0);
    mr_assert_ok(mr_store_fetch(bed.store, &queue, 1, "w-10", 5, NULL, TELL), "1");
    mr_bed_close();
}
END_TEST

START_TEST(a_script_that_cannot_be_loaded_again_is_a_refusal)
{
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a");
    mr_bed_do("SCRIPT FLUSH");
    mr_bed_do("ACL SETUSER default -script");
    mr_assert_code(mr_store_back(bed.store, &bed.mail, LEASE, 0, TELL), MR_EREFUSED);
    ck_assert_str_eq(list(LEASE), "a");
    mr_bed_close();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {ready_means_that_every_script_is_loaded,                      0},
        {nothing_is_sent_before_the_store_is_ready,                    0},
        {a_prefix_too_long_for_a_key_is_refused,                       0},
        {a_replica_is_left_before_anything_is_written,                 0},
        {a_master_that_became_a_replica_is_left,                       2},
        {without_the_right_to_ask_for_the_role_it_serves_all_the_same, 0},
        {without_the_right_to_load_scripts_the_reason_is_told,         0},
        {a_lost_connection_answers_unknown_then_says_so,               0},
        {stopping_answers_what_is_owed,                                0},
        {a_forgotten_script_is_loaded_and_the_command_repeated,        0},
        {a_fetch_is_not_repeated_but_the_next_one_works,               0},
        {a_script_that_cannot_be_loaded_again_is_a_refusal,            0},
    };

    return mr_suite_run("store", tests);
}
