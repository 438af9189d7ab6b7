/* The steps of dispatchers, operators and producers over the real link. */
#include "proto/store.h"
#include "tests/support/scripts.h"
#include "tests/support/store.h"
#include "tests/support/suite.h"

#include <stdlib.h>
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

/* ---- leases of workers ---- */

START_TEST(a_worker_registers_renews_and_is_fenced)
{
    const char *workers[] = {"w-10", "gone"};

    mr_bed_open();
    register_worker();
    ck_assert_int_eq(mr_redis_int(&bed.redis, "SISMEMBER millrace:queues mail"), 1);
    mr_assert_ok(mr_store_renew(bed.store, &bed.mail, workers, 2, 10000, TELL), "gone");
    mr_answered(mr_store_workers(bed.store, &bed.mail, TELL));
    ck_assert_int_eq(strncmp(bed.answer.text, "w-10 ", 5), 0);
    char *seen = mr_strdup(bed.answer.text + 5);
    mr_assert_ok(mr_store_fence(bed.store, &bed.mail, "w-10", "1", TELL), "0");
    mr_assert_ok(mr_store_fence(bed.store, &bed.mail, "w-10", seen, TELL), "1");
    free(seen);
    mr_assert_ok(mr_store_fence(bed.store, &bed.mail, "w-10", NULL, TELL), "1");
    mr_assert_ok(mr_store_register(bed.store, &bed.mail, "w-10", 10000, TELL), "0");
    mr_answered(mr_store_reaped(bed.store, &bed.mail, TELL));
    ck_assert_int_eq(strncmp(bed.answer.text, "w-10 ", 5), 0);
    mr_assert_ok(mr_store_forget_reaped(bed.store, &bed.mail, 86400000, TELL), "0");
    mr_bed_close();
}
END_TEST

START_TEST(lists_of_the_dead_go_back_sixty_four_at_a_time)
{
    const char *leases[MR_REAP_LISTS_MAX + 1];

    mr_bed_open();
    for (unsigned i = 0; i <= MR_REAP_LISTS_MAX; i++)
        leases[i] = LEASE;
    mr_bed_do("RPUSH " LEASE " a b");
    ck_assert_int_eq(
        mr_store_reap_lists(bed.store, &bed.mail, leases, MR_REAP_LISTS_MAX + 1, TELL),
        MR_EINVAL);
    mr_assert_ok(mr_store_reap_lists(bed.store, &bed.mail, leases, MR_REAP_LISTS_MAX, TELL),
                 "2");
    ck_assert_str_eq(list("queues:mail"), "a b");
    mr_bed_close();
}
END_TEST

START_TEST(what_is_due_is_promoted_from_both_zsets)
{
    mr_bed_open();
    mr_bed_do("ZADD queues:mail:delayed 1 a 32503680000 later");
    mr_bed_do("ZADD queues:mail:reserved 1 b");
    mr_assert_ok(mr_store_promote(bed.store, &bed.mail, false, 10, TELL), "1 32503680000");
    mr_assert_ok(mr_store_promote(bed.store, &bed.mail, true, 10, TELL), "1 (nil)");
    ck_assert_str_eq(list("queues:mail"), "a b");
    mr_bed_close();
}
END_TEST

/* ---- the fleet ---- */

START_TEST(dispatchers_that_stay_silent_leave_the_fleet)
{
    mr_bed_open();
    mr_bed_do("ZADD millrace:dispatchers 1000 silent");
    mr_assert_ok(mr_store_heartbeat(bed.store, "here", 10000, TELL), "here");
    mr_assert_ok(mr_store_heartbeat(bed.store, "there", 10000, TELL), "here there");
    mr_bed_close();
}
END_TEST

START_TEST(the_wanted_total_is_set_and_changed_and_never_below_zero)
{
    mr_bed_open();
    mr_assert_ok(mr_store_scale(bed.store, "high", 2, 3, TELL),
                 "5"); /* nobody said: 3 it was */
    mr_assert_ok(mr_store_scale(bed.store, "high", -1, 3, TELL), "4");
    mr_assert_ok(mr_store_scale(bed.store, "high", -9, 3, TELL), "0");
    mr_assert_ok(mr_store_scale(bed.store, "high", 12, -1, TELL), "12");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "HGET millrace:wanted high"), 12);
    mr_bed_close();
}
END_TEST

/* ---- operators and producers ---- */

START_TEST(a_queue_is_paused_for_a_while_or_until_resumed)
{
    mr_bed_open();
    mr_assert_ok(mr_store_pause(bed.store, &bed.mail, 60000, TELL), "OK");
    ck_assert_int_gt(mr_redis_int(&bed.redis, "PTTL queues:mail:paused"), 50000);
    mr_assert_ok(mr_store_pause(bed.store, &bed.mail, 0, TELL), "OK");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "PTTL queues:mail:paused"), -1);
    mr_assert_ok(mr_store_resume(bed.store, &bed.mail, TELL), "1");
    mr_bed_close();
}
END_TEST

START_TEST(pushes_are_counted)
{
    const struct mr_bytes payloads[] = {
        {"a", 1},
        {"a", 1},
        {"",  0}
    };

    mr_bed_open();
    mr_assert_ok(mr_store_push(bed.store, &bed.mail, payloads, 3, 0, TELL), "3");
    mr_assert_ok(mr_store_push(bed.store, &bed.mail, payloads, 2, 32503680000.5, TELL), "2");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "SISMEMBER millrace:queues mail"), 1);
    mr_assert_ok(mr_store_sizes(bed.store, &bed.mail, TELL), "3 2 0 -1 0 0 0");
    mr_bed_close();
}
END_TEST

START_TEST(a_full_redis_refuses_pushes_and_settles)
{
    const struct mr_bytes payload = {"a", 1};

    mr_bed_open();
    register_worker();
    mr_bed_do("RPUSH " LEASE " a b");
    mr_bed_do("CONFIG SET maxmemory 1");
    mr_assert_code(mr_store_push(bed.store, &bed.mail, &payload, 1, 0, TELL), MR_EREFUSED);
    mr_assert_code(mr_store_push(bed.store, &bed.mail, &payload, 1, 5, TELL), MR_EREFUSED);
    mr_assert_code(mr_store_clear(bed.store, LEASE, 0, TELL), MR_EREFUSED);
    mr_assert_ok(mr_store_done(bed.store, LEASE, (const unsigned[]){0}, 1, TELL), "1");
    mr_assert_ok(mr_store_retry(bed.store, &bed.mail, LEASE, 1, 5, payload, TELL), "1");
    mr_bed_close();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_worker_registers_renews_and_is_fenced,                  0},
        {lists_of_the_dead_go_back_sixty_four_at_a_time,           0},
        {what_is_due_is_promoted_from_both_zsets,                  0},
        {dispatchers_that_stay_silent_leave_the_fleet,             0},
        {the_wanted_total_is_set_and_changed_and_never_below_zero, 0},
        {a_queue_is_paused_for_a_while_or_until_resumed,           0},
        {pushes_are_counted,                                       0},
        {a_full_redis_refuses_pushes_and_settles,                  0},
    };

    return mr_suite_run("store-house", tests);
}
