#include "tests/support/grave.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static struct mr_grave t;

static struct mr_queue *mail(void)
{
    return mr_queues_find(&t.queues, "mail");
}

static void reap_stranger(const char *seen)
{
    uint64_t reaps = mr_reaper_stats(t.reaper).reaps;

    mr_reaper_stranger(t.reaper, mail(), t.child.worker, seen);
    mr_house_until(&t.house, mr_reaper_stats(t.reaper).reaps > reaps);
}

START_TEST(each_job_of_a_vanished_host_costs_an_attempt)
{
    mr_grave_open(&t);
    mr_grave_lease(&t, 2, 1, 2, 0);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:7 " POISON, t.child.worker,
                 ",\"attempts\":2,\"maxTries\":3");
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:7 %s", t.child.worker, "not json");
    reap_stranger("1");
    ck_assert_int_eq(mr_grave_ask(&t, "LLEN " Q), 0);
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 2);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "inDoubt"), 1);
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":dead"),
                     2); /* its tries are spent; nobody can read it */
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).lost, 4);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).strangers, 1);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

START_TEST(a_lost_page_is_like_a_vanished_host)
{
    mr_grave_open(&t);
    struct mr_page page = t.child.page;

    mr_grave_lease(&t, 0, 1, 1, 0);
    memset(&t.child.page, 0, sizeof(t.child.page));
    mr_grave_reap(&t);
    t.child.page = page;
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 0);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

START_TEST(a_stranger_that_renewed_meanwhile_is_left_alone)
{
    mr_grave_open(&t);
    mr_grave_lease(&t, 0, 1, 2, 0);
    mr_redis_int(&t.house.redis, "ZADD " Q ":workers 77 %s", t.child.worker);
    mr_reaper_stranger(t.reaper, mail(), t.child.worker, "76");
    mr_house_until(&t.house, !mr_reaper_busy_with(t.reaper, t.child.worker));
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "ZSCORE " Q ":workers %s", t.child.worker),
                     77);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "LLEN " Q ":lease:%s:0", t.child.worker), 2);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).reaps, 0);
    mr_grave_close(&t);
}
END_TEST

START_TEST(a_payload_over_the_limit_is_moved_inside_redis)
{
    mr_grave_open(&t);
    size_t len = (size_t)t.config.limits.payload_bytes + 1;
    char *payload = mr_zalloc(len);

    memset(payload, ' ', len);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 %b", t.child.worker, payload, len);
    reap_stranger("1");
    json_t *big = mr_grave_dead_member(&t, "big"), *id = mr_grave_dead_member(&t, "id");
    ck_assert(json_is_true(big));
    ck_assert_int_eq(
        mr_redis_int(&t.house.redis, "EXISTS " Q ":dead:big:%s", json_string_value(id)), 1);
    json_decref(big);
    json_decref(id);
    free(payload);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

START_TEST(strangers_of_many_names_are_reaped_together)
{
    mr_grave_open(&t);
    char workers[8][MR_WORKER_MAX];

    for (int i = 0; i < 8; i++) {
        mr_worker_make(workers[i], MR_GRAVE_NAMES);
        mr_redis_int(&t.house.redis, "ZADD " Q ":workers 1 %s", workers[i]);
        for (int j = 0; j < 5; j++)
            mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:%d " NOISE, workers[i], j,
                         10 * i + j);
    }
    for (int i = 0; i < 8; i++)
        mr_reaper_stranger(t.reaper, mail(), workers[i], "1");
    mr_house_until(&t.house, mr_reaper_stats(t.reaper).reaps == 8);
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 40);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {each_job_of_a_vanished_host_costs_an_attempt,    0},
        {a_lost_page_is_like_a_vanished_host,             0},
        {a_stranger_that_renewed_meanwhile_is_left_alone, 0},
        {a_payload_over_the_limit_is_moved_inside_redis,  0},
        {strangers_of_many_names_are_reaped_together,     0},
    };

    return mr_suite_run("reaper_stranger", tests);
}
