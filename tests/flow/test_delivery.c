/* One job's way from RPUSH to its end, with real processes. */
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char two_workers[] = "pools: { main: { queues: [high, main], processes: 2, "
                                  "concurrency: 10, backoff: 50ms..100ms } }\n";

static struct mr_mill mill;

START_TEST(one_push_is_run_and_settled)
{
    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    mr_mill_push_ledger(&mill, "main", 0, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 5000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_backlog_is_drained_and_nothing_runs_twice)
{
    enum { JOBS = 5000 };

    mr_mill_start(&mill, two_workers, NULL);
    for (unsigned n = 0; n < JOBS; n++)
        mr_mill_push_ledger(&mill, n % 2 ? "main" : "high", n, 0, 0);
    mr_mill_dispatch(&mill, 0, 2);
    mr_wait_for(mr_mill_is_empty(&mill, "main") && mr_mill_is_empty(&mill, "high"), 20000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_failing_job_is_retried_and_then_done)
{
    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    mr_mill_push_ledger(&mill, "main", 0, 0, 2);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 3, 10000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_job_that_always_fails_ends_as_a_dead_letter_whole)
{
    static const char payload[] = "{ \"job\":\"ledger.write\",\t\"uuid\":\"job-0\", "
                                  "\"data\":{\"fail\":9}, \"other\":[] }";

    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 10000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "class")), "exhausted");
    ck_assert_int_eq(json_integer_value(json_object_get(letter, "attempts")), 3);
    ck_assert_ptr_nonnull(
        strstr(json_string_value(json_object_get(letter, "reason")), "asked to fail"));
    ck_assert_uint_eq(json_array_size(json_object_get(letter, "history")), 3);
    json_decref(letter);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_delayed_job_is_never_early)
{
    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    freeReplyObject(mr_redis_ask(&mill.redis, "EVAL %s 1 %s",
                                 "return redis.call('ZADD', KEYS[1], redis.call('TIME')[1] + "
                                 "2, '{\"uuid\":\"job-0\",\"job\":\"ledger.write\"}')",
                                 MR_MILL_PREFIX "queues:main:delayed"));
    uint64_t pushed_ms = mr_wait_now_ms();
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 6000);
    uint64_t waited_ms = mr_wait_now_ms() - pushed_ms;
    ck_assert_uint_ge(waited_ms, 1000); /* TIME was cut to whole seconds */
    ck_assert_uint_le(waited_ms, 4000);
    mr_mill_stop(&mill);
}
END_TEST

static const struct {
    const char *payload, *class, *reason;
} bad[] = {
    {"not json at all",                                                  "refused",    ""                 },
    {"[1,2,3]",                                                          "refused",    "object"           },
    {"{\"data\":{}}",                                                    "refused",    "job"              },
    {"{\"job\":\"ledger.write\",\"job\":\"ledger.write\"}",              "refused",    "job"              },
    {"{\"job\":\"ledger.write\",\"attempts\":\"many\"}",                 "refused",    "attempts"         },
    {"{\"job\":\"ledger.write\",\"data\":\"\xff\"}",                     "refused",    ""                 },
    {"{\"job\":\"no spaces please\"}",                                   "refused",    "job"              },
    {"{\"job\":\"ledger.write\",\"data\":{\"n\":18446744073709551616}}", "refused",    ""                 },
    {"{\"job\":\"nobody.knows.this\"}",                                  "no_handler", "nobody.knows.this"},
    {"{\"job\":\"ledger.write\"",                                        "refused",    ""                 },
};

START_TEST(bad_input_is_kept_byte_for_byte_with_the_reason)
{
    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    mr_mill_push_raw(&mill, "main", bad[_i].payload, strlen(bad[_i].payload));
    mr_mill_push_ledger(&mill, "main", 1, 0, 0); /* nothing else stops */
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 10000);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, 5000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "class")), bad[_i].class);
    ck_assert_msg(
        strstr(json_string_value(json_object_get(letter, "reason")), bad[_i].reason) != NULL,
        "reason: %s", json_string_value(json_object_get(letter, "reason")));
    redisReply *kept =
        mr_redis_ask(&mill.redis, "HGET " MR_MILL_PREFIX "queues:main:dead:jobs %s",
                     json_string_value(json_object_get(letter, "id")));
    if (strcmp(bad[_i].class, "refused") == 0)
        ck_assert_str_eq(kept->str, bad[_i].payload); /* a retried one carries its counts */
    freeReplyObject(kept);
    json_decref(letter);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(two_identical_payloads_are_two_jobs)
{
    static const char payload[] = "{\"job\":\"ledger.write\",\"data\":{\"fail\":1}}";

    mr_mill_start(&mill, two_workers, NULL);
    for (int i = 0; i < 2; i++)
        mr_mill_push_raw(&mill, "main", payload, strlen(payload));
    mr_mill_dispatch(&mill, 0, 2);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    /* Both failed once and ended once: four ends of jobs that the producer did not name. */
    FILE *ledger = fopen(mill.ledger, "re");
    char line[160];
    int ends = 0;
    while (fgets(line, sizeof(line), ledger))
        ends += line[0] == 'e';
    fclose(ledger);
    ck_assert_int_eq(ends, 4);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_flushed_script_cache_stops_nothing)
{
    enum { JOBS = 400 };

    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    for (unsigned n = 0; n < JOBS; n++) {
        mr_mill_push_ledger(&mill, "main", n, 5, n % 3 == 0);
        if (n % 20 == 0)
            freeReplyObject(mr_redis_ask(&mill.redis, "SCRIPT FLUSH"));
    }
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 20000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    ck_assert_uint_ge(mr_mill_count(&mill, 'e', JOBS).least, 1);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_full_redis_drains_by_itself)
{
    enum { JOBS = 300 };
    char filler[4096];

    mr_mill_start(&mill, two_workers, NULL);
    for (unsigned n = 0; n < JOBS; n++)
        mr_mill_push_ledger(&mill, "main", n, 1, 0);
    memset(filler, 'x', sizeof(filler));
    freeReplyObject(mr_redis_ask(&mill.redis, "SET ballast %b", filler, sizeof(filler)));
    freeReplyObject(mr_redis_ask(&mill.redis, "CONFIG SET maxmemory 1"));
    redisReply *refused = mr_redis_ask(&mill.redis, "RPUSH " MR_MILL_PREFIX "queues:main x");
    ck_assert_int_eq(refused->type, REDIS_REPLY_ERROR); /* it really is full */
    freeReplyObject(refused);
    mr_mill_dispatch(&mill, 0, 2);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 20000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_paused_queue_gives_nothing_until_it_is_resumed)
{
    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    freeReplyObject(mr_redis_ask(&mill.redis, "SET " MR_MILL_PREFIX "queues:main:paused 1"));
    for (unsigned n = 0; n < 20; n++)
        mr_mill_push_ledger(&mill, "main", n, 0, 0);
    mr_mill_push_ledger(&mill, "high", 20, 0, 0); /* the other queue of the pool goes on */
    mr_wait_for(mr_mill_noted(&mill, 'e', 20) == 1, 5000);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', 20).total, 0);
    mr_wait_for(mr_mill_ready(&mill, "main") == 20, 5000);
    freeReplyObject(mr_redis_ask(&mill.redis, "DEL " MR_MILL_PREFIX "queues:main:paused"));
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_uint_eq(mr_mill_count(&mill, 'e', 20).least, 1);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {one_push_is_run_and_settled,                         0            },
        {a_backlog_is_drained_and_nothing_runs_twice,         0            },
        {a_failing_job_is_retried_and_then_done,              0            },
        {a_job_that_always_fails_ends_as_a_dead_letter_whole, 0            },
        {a_delayed_job_is_never_early,                        0            },
        {bad_input_is_kept_byte_for_byte_with_the_reason,     MR_COUNT(bad)},
        {two_identical_payloads_are_two_jobs,                 0            },
        {a_flushed_script_cache_stops_nothing,                0            },
        {a_full_redis_drains_by_itself,                       0            },
        {a_paused_queue_gives_nothing_until_it_is_resumed,    0            },
    };

    return mr_suite_run_slow("delivery", tests, 60);
}
