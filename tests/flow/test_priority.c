/* The order among the queues of one pool, while one of them is full of jobs so short that they are fetched ahead. */
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <string.h>

enum { FLOOD = 30000, PATIENCE_MS = 20000, N_BEFORE = 40 };

static const char high_before_low[] = "pools: { main: { queues: [high, low], processes: 0, "
                                      "concurrency: 10, max_wait: 500ms } }\n";

/* In a place of their own, or one after the other on the loop. */
static const char *const short_jobs[] = {
    "{\"job\":\"debug.sleep\",\"data\":{\"ms\":1}}",
    "{\"job\":\"debug.block\",\"data\":{\"us\":100}}",
};

static struct mr_mill mill;

/* The worker knows how quick the jobs of both queues are, and has seen both empty, before the flood comes, all at once. */
static void begin_with_flood(const char *queue, const char *job)
{
    mr_mill_start(&mill, high_before_low, NULL);
    for (unsigned i = 0; i < FLOOD; i++)
        mr_redis_do(&mill.redis, "RPUSH aside %s", job);
    mr_mill_work(&mill, 0, mill.redis.url);
    for (unsigned i = 1; i <= N_BEFORE; i++)
        mr_mill_push_ledger(&mill, i % 2 ? "high" : "low", i, 0, 0);
    mr_wait_for(mr_mill_is_empty(&mill, "high") && mr_mill_is_empty(&mill, "low"), PATIENCE_MS);
    mr_wait_for(mr_mill_is_waiting(&mill), PATIENCE_MS);
    mr_redis_do(&mill.redis, "RENAME aside " MR_MILL_PREFIX "queues:%s", queue);
    mr_wait_for(mr_mill_ready(&mill, queue) < FLOOD - 500, PATIENCE_MS);
}

/* How much of the flood is left once the job pushed into the other queue has run. */
static long long left_after_one_of(const char *queue, const char *flooded)
{
    mr_mill_push_ledger(&mill, queue, 0, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, PATIENCE_MS);
    return mr_mill_ready(&mill, flooded);
}

START_TEST(an_urgent_job_is_run_in_the_midst_of_a_flood)
{
    begin_with_flood("low", short_jobs[_i]);
    for (unsigned i = N_BEFORE + 1; i <= N_BEFORE + 50; i++) {
        mr_mill_push_ledger(&mill, "high", i, 0, 0);
        mr_wait_for(mr_mill_noted(&mill, 'e', i) == 1, PATIENCE_MS);
    }
    ck_assert_int_gt(mr_mill_ready(&mill, "low"), FLOOD / 2);
    mr_redis_do(&mill.redis, "DEL " MR_MILL_PREFIX "queues:low");
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_lower_queue_is_served_after_its_longest_wait)
{
    begin_with_flood("high", short_jobs[_i]);
    ck_assert_int_gt(left_after_one_of("low", "high"), FLOOD / 2);
    mr_redis_do(&mill.redis, "DEL " MR_MILL_PREFIX "queues:high");
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_urgent_job_is_run_in_the_midst_of_a_flood,   MR_COUNT(short_jobs)},
        {a_lower_queue_is_served_after_its_longest_wait, MR_COUNT(short_jobs)},
    };

    return mr_suite_run("priority", tests);
}
