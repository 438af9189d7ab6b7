/* Redis goes away, is away for long, comes back; hosts stand still and wake. */
#include "proto/base/clock.h"
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char two_workers[] =
    "lease: 2s\ngrace: 5s\n"
    "pools: { main: { queues: [main], processes: 2, concurrency: 10, tries: 50,"
    " max_crashes: 50, backoff: 10ms..50ms } }\n";
static const char *const always[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

static struct mr_mill mill;

START_TEST(redis_killed_under_load_loses_nothing_with_aof_always)
{
    enum { JOBS = 1500, ROUNDS = 3 };
    unsigned pushed = 0;

    mr_mill_start(&mill, two_workers, always);
    mr_mill_dispatch(&mill, 0, 2);
    for (int round = 0; round < ROUNDS; round++) {
        for (; pushed < (unsigned)(round + 1) * JOBS / ROUNDS; pushed++)
            mr_mill_push_ledger(&mill, "main", pushed, pushed % 10, 0);
        mr_redis_kill(&mill.redis);
        mr_redis_again(&mill.redis, always);
    }
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 40000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_ge(ends.least, 1);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    printf("# %d kills of Redis, %d jobs, %u repeated\n", ROUNDS, JOBS, ends.total - JOBS);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(an_outage_longer_than_the_lease_reaps_no_living_worker)
{
    pid_t before[MR_PROC_LIST], after[MR_PROC_LIST];
    enum { LEASE_MS = 2000 };

    mr_mill_start(&mill, two_workers, always);
    mr_mill_dispatch(&mill, 0, 2);
    mr_mill_push_ledger(&mill, "main", 0, 6 * LEASE_MS / 2, 0); /* runs through the outage */
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, 5000);
    int n_before = mr_mill_workers(&mill, 0, before);
    mr_redis_kill(&mill.redis);
    uint64_t away_ms = mr_clock_ms();
    mr_wait_for(mr_clock_ms() - away_ms > 2 * LEASE_MS, 3 * LEASE_MS);
    mr_redis_again(&mill.redis, always);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 20000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 0), 1); /* it was never taken from its worker */
    ck_assert_int_eq(mr_redis_int(&mill.redis, "ZCARD " MR_MILL_PREFIX "queues:main:reaped"),
                     0);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, after), n_before);
    for (int i = 0; i < n_before; i++)
        ck_assert_int_eq(before[i], after[i]);
    mr_mill_push_ledger(&mill, "main", 1, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, 10000);
    mr_mill_stop(&mill);
}
END_TEST

static void signal_host(unsigned i, int number)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&mill, i, workers);

    /* The dispatcher first: it must not see its children stop, as a suspended host does not. */
    if (number == SIGSTOP)
        mr_proc_signal(&mill.dispatchers[i], number);
    for (int w = 0; w < n; w++)
        kill(workers[w], number);
    if (number == SIGCONT)
        mr_proc_signal(&mill.dispatchers[i], number);
}

START_TEST(a_host_that_stood_still_settles_nothing_twice)
{
    enum { JOBS = 12 };

    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    for (unsigned n = 0; n < JOBS; n++)
        mr_mill_push_ledger(&mill, "main", n, 1500, 0);
    mr_wait_for(mr_mill_count(&mill, 's', JOBS).total == JOBS, 10000);
    signal_host(0, SIGSTOP);
    mr_mill_dispatch(&mill, 1, 2);
    /* The second host watches the first one's leases stand still for a whole lease, then takes its jobs. */
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 30000);
    struct mr_mill_tally meanwhile = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_eq(meanwhile.least, 1);
    signal_host(0, SIGCONT);
    /* The first one's late settles change nothing; it comes back with new incarnations. */
    mr_mill_push_ledger(&mill, "main", JOBS, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', JOBS) == 1, 20000);
    mr_wait_for(mr_mill_count(&mill, 'e', JOBS).total == 2 * JOBS,
                20000); /* the zombies' own ends */
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 20000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', JOBS).most, 2);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_redis_that_is_away_at_the_start_is_waited_for)
{
    mr_mill_start(&mill, two_workers, NULL);
    mr_redis_kill(&mill.redis);
    mr_mill_dispatch(&mill, 0, 0); /* it stays up without one */
    mr_redis_again(&mill.redis, NULL);
    mr_mill_push_ledger(&mill, "main", 0, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 20000);
    mr_mill_stop(&mill);
}
END_TEST

static long long all_calls(void)
{
    redisReply *info = mr_redis_ask(&mill.redis, "INFO commandstats");
    long long n = 0;

    for (char *row = info->str; (row = strstr(row, ":calls=")) != NULL; row++)
        n += atoll(row + 7);
    freeReplyObject(info);
    return n;
}

START_TEST(ten_idle_workers_cost_redis_next_to_nothing)
{
    static const char ten[] =
        "pools: { main: { queues: [main], processes: 10, concurrency: 10 } }\n";
    enum { WATCH_MS = 10000 };

    mr_mill_start(&mill, ten, NULL);
    mr_mill_dispatch(&mill, 0, 10);
    mr_mill_push_ledger(&mill, "main", 0, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 5000);
    uint64_t calm_ms = mr_clock_ms();
    mr_wait_for(mr_clock_ms() - calm_ms > 3000, 5000); /* all have armed their waiters */
    freeReplyObject(mr_redis_ask(&mill.redis, "CONFIG RESETSTAT"));
    uint64_t began_ms = mr_clock_ms();
    mr_wait_for(mr_clock_ms() - began_ms > WATCH_MS, 2 * WATCH_MS);
    /* Ten waiters of 5 s: two or three BLMOVE each in 10 s. No fetch, no read, no ping. */
    ck_assert_int_ge(mr_mill_calls(&mill, "blmove"), 10);
    ck_assert_int_le(mr_mill_calls(&mill, "blmove"), 40);
    ck_assert_int_eq(mr_mill_calls(&mill, "sort"), 0);
    ck_assert_int_eq(mr_mill_calls(&mill, "lrange"), 0);
    ck_assert_int_eq(mr_mill_calls(&mill, "ping"), 0);
    ck_assert_int_eq(mr_mill_calls(&mill, "lset"), 0);
    ck_assert_int_eq(mr_mill_calls(&mill, "del"), 0);
    /* Scripts: one behind each BLMOVE, five renewals, the promotion polls (4 a second), and the house-keeping's few. */
    ck_assert_int_le(mr_mill_calls(&mill, "evalsha"), 40 + 10 + 4 * 11 + 30);
    printf("# %lld commands in %d s of idling\n", all_calls(), WATCH_MS / 1000);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {redis_killed_under_load_loses_nothing_with_aof_always,  0},
        {an_outage_longer_than_the_lease_reaps_no_living_worker, 0},
        {a_host_that_stood_still_settles_nothing_twice,          0},
        {a_redis_that_is_away_at_the_start_is_waited_for,        0},
        {ten_idle_workers_cost_redis_next_to_nothing,            0},
    };

    return mr_suite_run_slow("outage", tests, 120);
}
