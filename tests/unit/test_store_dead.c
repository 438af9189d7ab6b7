/* Dead letters over the real link. */
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

static void bury(unsigned i, const char *id, uint64_t now_ms, uint64_t max, bool big,
                 const char *answer)
{
    const struct mr_dead_letter letter = {
        .id = id, .meta = {"{m}", 3},
             .now_ms = now_ms, .max = max, .big = big
    };

    mr_assert_ok(mr_store_dead(bed.store, &bed.mail, LEASE, i, &letter, TELL), answer);
}

START_TEST(a_letter_is_kept_listed_shown_retried_and_dropped)
{
    const struct mr_bytes none = {0};

    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a b c");
    bury(0, "x", 1, 0, false, "0");
    bury(0, "x", 1, 0, false, "-1");
    bury(1, "y", 2, 0, false, "0");
    bury(2, "z", 3, 0, false, "0");
    mr_answered(mr_store_dead_list(bed.store, &bed.mail, "z", 1, TELL));
    ck_assert_int_eq(bed.answer.code, MR_OK);
    mr_assert_ok(mr_store_dead_list(bed.store, &bed.mail, "gone", 1, TELL), "(nil)");
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "y", TELL), "b {m}");
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "y:meta", TELL), "(nil) (nil)");
    mr_assert_ok(mr_store_dead_retry(bed.store, &bed.mail, "x", none, TELL), "1");
    mr_assert_ok(mr_store_dead_retry(bed.store, &bed.mail, "y", mr_bytes_of("b2"), TELL), "1");
    mr_assert_ok(mr_store_dead_retry(bed.store, &bed.mail, "y", none, TELL), "0");
    mr_assert_ok(mr_store_dead_drop(bed.store, &bed.mail, "z", TELL), "1");
    ck_assert_str_eq(list("queues:mail"), "a b2");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "EXISTS queues:mail:dead queues:mail:dead:jobs"),
                     0);
    mr_bed_close();
}
END_TEST

/* 7 */
START_TEST(big_letters_of_the_same_uuid_stay_apart)
{
    const struct mr_bytes none = {0};

    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a b c d e");
    for (unsigned i = 0; i < 5; i++)
        bury(i, "u", i, 0, i != 1, "0");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "ZCARD queues:mail:dead"), 5);
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "u", TELL), "a {m}");
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "u~2", TELL), "b {m}");
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "u~3", TELL), "c {m}");
    mr_assert_ok(mr_store_dead_retry(bed.store, &bed.mail, "u~3", none, TELL), "1");
    ck_assert_str_eq(list("queues:mail"), "c");
    mr_assert_ok(mr_store_dead_drop(bed.store, &bed.mail, "u", TELL), "1");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "EXISTS queues:mail:dead:big:u"), 0);
    mr_bed_close();
}
END_TEST

START_TEST(big_letters_expire_with_their_keys)
{
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a b c d");
    bury(0, "a", 1, 0, true, "0");
    bury(1, "b", 2, 0, false, "0");
    bury(2, "c", 3, 0, false, "0");
    mr_assert_ok(mr_store_dead_expire(bed.store, &bed.mail, 3, 100, TELL), "2");
    mr_assert_ok(mr_store_dead_expire(bed.store, &bed.mail, 3, 100, TELL), "0");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "EXISTS queues:mail:dead:big:a"), 0);
    ck_assert_int_eq(mr_redis_int(&bed.redis, "ZCARD queues:mail:dead"), 1);
    bury(3, "d", 4, 1, true, "0"); /* over the bound of one: c makes room */
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "c", TELL), "(nil) (nil)");
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "d", TELL), "d {m}");
    mr_bed_close();
}
END_TEST

START_TEST(an_old_big_letter_makes_room_for_a_small_one)
{
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a b");
    bury(0, "a", 1, 0, true, "0");
    bury(1, "b", 2, 1, false, "1");
    mr_assert_ok(mr_store_dead_get(bed.store, &bed.mail, "a", TELL), "(nil) (nil)");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "EXISTS queues:mail:dead:big:a"), 0);
    mr_bed_close();
}
END_TEST

START_TEST(an_id_may_be_longer_than_any_key_of_ours)
{
    char id[3 * MR_KEY_MAX];
    const struct mr_bytes none = {0};

    memset(id, 'u', sizeof(id));
    id[sizeof(id) - 1] = '\0';
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a");
    bury(0, id, 1, 0, true, "0");
    mr_assert_ok(mr_store_dead_retry(bed.store, &bed.mail, id, none, TELL), "1");
    ck_assert_str_eq(list("queues:mail"), "a");
    mr_bed_close();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_letter_is_kept_listed_shown_retried_and_dropped, 0},
        {big_letters_of_the_same_uuid_stay_apart,           0},
        {big_letters_expire_with_their_keys,                0},
        {an_old_big_letter_makes_room_for_a_small_one,      0},
        {an_id_may_be_longer_than_any_key_of_ours,          0},
    };

    return mr_suite_run("store-dead", tests);
}
