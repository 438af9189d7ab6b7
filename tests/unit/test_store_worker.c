/* The steps of a worker over the real link. */
#include "proto/store.h"
#include "tests/support/scripts.h"
#include "tests/support/store.h"
#include "tests/support/suite.h"

#include <string.h>

#define LEASE "queues:mail:lease:w-10:0"
#define WAKE "queues:mail:lease:w-10:w0"

static const char *list(const char *key)
{
    return mr_list_of(&bed.redis, key);
}

static void register_worker(void)
{
    mr_assert_ok(mr_store_register(bed.store, &bed.mail, "w-10", 10000, TELL), "1");
}

START_TEST(a_batch_is_fetched_read_and_ended)
{
    const struct mr_fetch_queue queues[] = {
        {&bed.mail, LEASE                    },
        {&bed.low,  "queues:low:lease:w-10:1"},
    };
    const unsigned tokens[] = {1, 0};

    mr_bed_open();
    register_worker();
    mr_assert_ok(mr_store_register(bed.store, &bed.low, "w-10", 10000, TELL), "1");
    mr_assert_ok(mr_store_registered(bed.store, &bed.low, "nobody", TELL), "(nil)");
    mr_bed_do("RPUSH queues:mail a b");
    mr_bed_do("RPUSH queues:low c d");
    mr_bed_do("RPUSH queues:mail:notify 1 1 1 1");
    mr_assert_ok(mr_store_fetch(bed.store, queues, 2, "w-10", 3, tokens, TELL), "2 1");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "LLEN queues:mail:notify"), 1);
    mr_assert_ok(mr_store_read(bed.store, LEASE, 0, -1, TELL), "a b");
    mr_assert_ok(mr_store_peek(bed.store, LEASE, 1, TELL), "b");
    mr_assert_ok(mr_store_clear(bed.store, LEASE, 0, TELL), "OK");
    mr_assert_ok(mr_store_read(bed.store, LEASE, 0, 0, TELL), "");
    mr_assert_ok(mr_store_done(bed.store, LEASE, (const unsigned[]){0, 1}, 2, TELL), "1");
    mr_assert_ok(mr_store_end(bed.store, LEASE, TELL), "1");
    mr_assert_ok(mr_store_end(bed.store, LEASE, TELL), "0");
    mr_bed_close();
}
END_TEST

START_TEST(a_lost_lease_fences_a_late_settle)
{
    mr_bed_open();
    mr_assert_code(mr_store_clear(bed.store, LEASE, 0, TELL), MR_EFENCED);
    mr_bed_do("RPUSH " LEASE " a");
    mr_assert_code(mr_store_clear(bed.store, LEASE, 1, TELL), MR_EFENCED);
    mr_assert_ok(mr_store_retry(bed.store, &bed.mail, LEASE, 1, 5, mr_bytes_of("x"), TELL),
                 "0");
    mr_bed_close();
}
END_TEST

START_TEST(a_payload_keeps_every_byte_on_its_way)
{
    static const char bytes[] = "{\"x\":\"\0\xff\r\n$3\r\n\"}";
    const struct mr_bytes payload = {bytes, sizeof(bytes)};

    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a");
    mr_assert_ok(mr_store_release(bed.store, &bed.mail, LEASE, 0, payload, TELL), "1");
    redisReply *reply = mr_redis_ask(&bed.redis, "LPOP queues:mail");
    ck_assert_uint_eq(reply->len, sizeof(bytes));
    ck_assert_mem_eq(reply->str, bytes, sizeof(bytes));
    freeReplyObject(reply);
    mr_bed_close();
}
END_TEST

START_TEST(a_wrong_type_is_for_a_person_not_a_fence)
{
    mr_bed_open();
    mr_bed_do("RPUSH " LEASE " a");
    mr_bed_do("SET queues:mail:delayed text");
    mr_bed_do("SET queues:mail text");
    mr_assert_code(mr_store_retry(bed.store, &bed.mail, LEASE, 0, 5, mr_bytes_of("a"), TELL),
                   MR_EFAULT);
    mr_assert_code(mr_store_back(bed.store, &bed.mail, LEASE, 0, TELL), MR_EFAULT);
    mr_assert_code(mr_store_push(bed.store, &bed.mail, &(struct mr_bytes){"a", 1}, 1, 0, TELL),
                   MR_EFAULT);
    ck_assert_str_eq(list(LEASE), "a");
    mr_bed_close();
}
END_TEST

static struct mr_answer woken;

static void on_woken(void *arg, enum mr_code code, const redisReply *reply)
{
    (void)arg;
    mr_note(&woken, code, reply);
}

/* on_job notes to the same argument as on_woken gets. */
static void wait_for_job(struct mr_store *waiter, unsigned block_s)
{
    bed.answer.came = woken.came = false;
    ck_assert_int_eq(mr_store_wait(waiter, &bed.mail, "w-10", WAKE, LEASE, block_s,
                                   mr_on_answer, on_woken, &bed.answer),
                     MR_OK);
    mr_link_flush(mr_store_link(waiter));
}

/* Until Redis itself sees the waiter blocked. */
static void until_blocked(void)
{
    for (int tries = 0;; tries++) {
        redisReply *info = mr_redis_ask(&bed.redis, "INFO clients");
        bool blocked = strstr(info->str, "blocked_clients:1") != NULL;

        freeReplyObject(info);
        if (blocked)
            return;
        ck_assert_int_lt(tries, 1000000);
        uv_run(&bed.loop, UV_RUN_NOWAIT);
    }
}

START_TEST(a_waiter_leases_what_comes)
{
    mr_bed_open();
    register_worker();
    wait_for_job(bed.store, 5);
    until_blocked();
    mr_bed_do("RPUSH queues:mail a b");
    mr_until(&woken.came);
    ck_assert_str_eq(bed.answer.text, "a");
    ck_assert_str_eq(woken.text, "1");
    ck_assert_str_eq(list(LEASE), "a");
    ck_assert_int_eq(mr_redis_int(&bed.redis, "EXISTS " WAKE), 0);
    mr_bed_close();
}
END_TEST

START_TEST(a_waiter_whose_script_was_forgotten_leases_all_the_same)
{
    mr_bed_open();
    register_worker();
    wait_for_job(bed.store, 5);
    until_blocked();
    mr_bed_do("SCRIPT FLUSH");
    mr_bed_do("RPUSH queues:mail a");
    mr_until(&woken.came);
    ck_assert_str_eq(woken.text, "1");
    ck_assert_str_eq(list(LEASE), "a");
    mr_bed_close();
}
END_TEST

START_TEST(a_waiter_can_be_called_off)
{
    mr_bed_open();
    register_worker();
    struct mr_store *waiter = mr_bed_store();
    mr_until_count(&bed.ready, 2);
    wait_for_job(waiter, 5);
    until_blocked();
    ck_assert_int_eq(
        mr_store_unblock(bed.store, mr_link_client_id(mr_store_link(waiter)), NULL, NULL),
        MR_OK);
    mr_until(&woken.came);
    ck_assert_str_eq(bed.answer.text, "(nil)");
    ck_assert_str_eq(woken.text, "0");
    mr_bed_stop(waiter);
    mr_bed_close();
}
END_TEST

/* 13 */
START_TEST(a_waiter_on_a_closed_name_takes_nothing)
{
    const char *wakes[] = {WAKE, "queues:mail:lease:w-10:w1"};

    mr_bed_open();
    register_worker();
    mr_bed_do("RPUSH queues:mail c");
    mr_bed_do("RPUSH " WAKE " a b");
    mr_assert_ok(mr_store_close(bed.store, &bed.mail, wakes, 2, TELL), "2");
    wait_for_job(bed.store, 1);
    mr_until(&woken.came);
    ck_assert_int_eq(bed.answer.code, MR_EFENCED);
    ck_assert_str_eq(woken.text, "0");
    ck_assert_str_eq(list("queues:mail"), "a b c");
    mr_assert_ok(mr_store_exists(bed.store, wakes, 2, TELL), "2");
    mr_bed_close();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_batch_is_fetched_read_and_ended,                       0},
        {a_lost_lease_fences_a_late_settle,                       0},
        {a_payload_keeps_every_byte_on_its_way,                   0},
        {a_wrong_type_is_for_a_person_not_a_fence,                0},
        {a_waiter_leases_what_comes,                              0},
        {a_waiter_whose_script_was_forgotten_leases_all_the_same, 0},
        {a_waiter_can_be_called_off,                              0},
        {a_waiter_on_a_closed_name_takes_nothing,                 0},
    };

    return mr_suite_run("store-worker", tests);
}
