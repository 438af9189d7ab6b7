/* Who lives and who is taken for dead: workers that stand still, sleep, do not let go, or have done their share. */
#include "tests/support/mill.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define Q MR_MILL_PREFIX "queues:main"

enum { PATIENCE_MS = 30000 };

static const char one_worker[] =
    "lease: 2s\ngrace: 1s\n"
    "pools: { main: { queues: [main], processes: 1, concurrency: 5,"
    " tries: 10, backoff: 10ms..20ms } }\n";
static const char two_workers[] =
    "lease: 2s\ngrace: 3s\n"
    "pools: { main: { queues: [main], processes: 2, concurrency: 5,"
    " tries: 10, backoff: 10ms..20ms } }\n";

static struct mr_mill mill;

static void push(unsigned from, unsigned n, unsigned ms)
{
    for (unsigned i = from; i < from + n; i++)
        mr_mill_push_ledger(&mill, "main", i, ms, 0);
}

static void push_raw(const char *payload)
{
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

static void await_started(unsigned n)
{
    mr_wait_for(mr_mill_count(&mill, 's', n).least >= 1, PATIENCE_MS);
}

static void await_all(unsigned n)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    ck_assert_uint_ge(mr_mill_count(&mill, 'e', n).least, 1);
}

static pid_t only_worker(void)
{
    pid_t workers[MR_PROC_LIST];

    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    return workers[0];
}

/* Nothing runs beside a job that has crashed before, so it stays in its lease, unstarted. */
static const char waits_alone[] = "{\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"crashes\":1}";

static void lease_one_running_and_one_not(void)
{
    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_pause(&mill, "main");
    push(0, 1, 700);
    push_raw(waits_alone);
    mr_mill_work(&mill, 0, mill.redis.url);
    mr_mill_resume(&mill, "main");
    await_started(1);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 0); /* both are leased */
}

/*
 * It is stopped with a job that it has leased and not started, and its lease ends meanwhile. When it wakes it must not start the job:
 * somebody else has done so.
 */
START_TEST(a_worker_that_slept_through_its_lease_starts_nothing_more)
{
    lease_one_running_and_one_not();
    mr_proc_signal(&mill.workers[0], SIGSTOP);
    mr_mill_dispatch(&mill, 0, 1);
    await_all(2);
    mr_proc_signal(&mill.workers[0], SIGCONT);
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 76);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 1), 1);
    await_all(2);
    mr_mill_stop(&mill);
}
END_TEST

/*
 * It is no longer registered and ends what it runs. The other job of that batch is not settled by that: it stays in its lease for
 * the reaper, and were the batch ended with the job that ran, it would be gone.
 */
START_TEST(a_fenced_worker_leaves_what_it_did_not_start_where_it_is)
{
    lease_one_running_and_one_not();
    freeReplyObject(mr_redis_ask(&mill.redis, "DEL " Q ":workers"));
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 76);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 1), 0);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 1);
    redisReply *lease = mr_redis_ask(&mill.redis, "KEYS " Q ":lease:*-*:?");
    redisReply *places = mr_redis_ask(&mill.redis, "LRANGE %s 0 -1", lease->element[0]->str);
    ck_assert_uint_eq(places->elements, 2);
    ck_assert_uint_eq(places->element[0]->len, 0);
    ck_assert_str_eq(places->element[1]->str, waits_alone);
    freeReplyObject(places);
    freeReplyObject(lease);
    mr_mill_stop(&mill);
}
END_TEST

/* As a reaper does it: what is not settled goes back to the head, in order, and the list is gone. */
static void take_the_lease_away(void)
{
    redisReply *lease = mr_redis_ask(&mill.redis, "KEYS " Q ":lease:*-*:?");

    ck_assert_uint_eq(lease->elements, 1);
    while (mr_redis_int(&mill.redis, "EXISTS %s", lease->element[0]->str) == 1)
        mr_redis_do(&mill.redis, "LMOVE %s " Q " RIGHT LEFT", lease->element[0]->str);
    freeReplyObject(lease);
}

/*
 * It is registered and fresh, and yet its batch was taken from it. Nobody tells it so but the answer to its next settlement: from then
 * on the rest of that batch is not its to start.
 */
START_TEST(a_settlement_that_is_refused_ends_the_whole_batch)
{
    enum { QUICK = 200, FIRST = QUICK, SECOND, LAST };
    static const char one_at_a_time[] =
        "lease: 10s\npools: { main: { queues: [main], concurrency: 1 } }\n";

    mr_mill_start(&mill, one_at_a_time, NULL);
    mr_mill_work(&mill, 0, mill.redis.url);
    push(0, QUICK, 0); /* it learns that jobs here are quick, and fetches ahead */
    await_all(QUICK);
    mr_mill_pause(&mill, "main");
    push(FIRST, 1, 700);
    push(SECOND, 1, 700);
    push(LAST, 1, 0);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_noted(&mill, 's', FIRST) == 1, PATIENCE_MS);
    mr_wait_for(mr_mill_ready(&mill, "main") == 0, PATIENCE_MS); /* all three are leased */
    mr_mill_pause(&mill, "main");
    take_the_lease_away();
    mr_wait_for(mr_mill_noted(&mill, 'e', SECOND) == 1, PATIENCE_MS);
    mr_wait_for(mr_proc_said(&mill.workers[0], "lease.lost"), PATIENCE_MS);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', LAST), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 3);
    mr_mill_resume(&mill, "main");
    await_all(QUICK + 3);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', LAST), 1);
    mr_mill_stop(&mill);
}
END_TEST

/* Nobody tells them that nobody renews them: no pipe was closed, no process ended. */
START_TEST(workers_of_a_stopped_dispatcher_renew_themselves)
{
    pid_t before[MR_PROC_LIST], after[MR_PROC_LIST];

    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    push(0, 4, 7000); /* more than three leases */
    await_started(4);
    int n = mr_mill_workers(&mill, 0, before);
    mr_proc_signal(&mill.dispatchers[0], SIGSTOP);
    mr_mill_dispatch(&mill, 1, 2); /* it would reap them */
    await_all(4);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', 4).most, 1);
    ck_assert_int_eq(mr_redis_int(&mill.redis, "ZCARD " Q ":reaped"), 0);
    mr_proc_signal(&mill.dispatchers[0], SIGCONT);
    push(4, 20, 10);
    await_all(24);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, after), n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(after[i], before[i]);
    mr_mill_stop(&mill);
}
END_TEST

/* Its dispatcher lives and could renew it for ever, and its jobs would never run. */
START_TEST(a_stopped_worker_is_killed_and_its_jobs_run_again)
{
    pid_t workers[MR_PROC_LIST];

    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    push(0, 10, 1000);
    await_started(10);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 2);
    kill(workers[0], SIGSTOP);
    mr_wait_for(!mr_proc_alive(workers[0]), PATIENCE_MS);
    await_all(10);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_wait_for(mr_mill_workers(&mill, 0, workers) == 2, PATIENCE_MS);
    mr_mill_stop(&mill);
}
END_TEST

/* The same with a loop that a job holds: that job is late, its neighbours only had bad luck. */
START_TEST(a_worker_whose_loop_stands_still_is_killed_and_one_job_is_to_blame)
{
    enum { NEIGHBOURS = 3 };

    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    pid_t worker = only_worker();
    push(0, NEIGHBOURS, 2000);
    await_started(NEIGHBOURS);
    push_raw("{\"uuid\":\"block\",\"job\":\"debug.block\",\"maxTries\":1,\"timeout\":1,"
             "\"data\":{\"ms\":60000}}");
    mr_mill_await_letter(&mill, "main", "timed_out", "");
    ck_assert(!mr_proc_alive(worker));
    await_all(NEIGHBOURS);
    mr_mill_stop(&mill);
}
END_TEST

/*
 * Its worker is replaced, but not before the neighbours have ended in peace; and the replacement starts at once, beside it.
 */
START_TEST(a_job_that_ignores_its_deadline_takes_nobody_with_it)
{
    enum { NEIGHBOURS = 3, LATER = NEIGHBOURS };

    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    pid_t worker = only_worker();
    push(0, NEIGHBOURS, 8000);
    push_raw("{\"uuid\":\"deaf\",\"job\":\"debug.burn\",\"maxTries\":1,\"timeout\":1,"
             "\"data\":{\"ms\":60000,\"deaf\":true}}");
    await_started(NEIGHBOURS);
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "job.stuck"), PATIENCE_MS);
    push(LATER, 1, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', LATER) == 1, PATIENCE_MS);
    ck_assert(mr_proc_alive(worker)); /* somebody else has run it */
    ck_assert_uint_eq(mr_mill_count(&mill, 'e', NEIGHBOURS).total, 0);
    mr_mill_await_letter(&mill, "main", "timed_out", "");
    mr_wait_for(!mr_proc_alive(worker), PATIENCE_MS);
    struct mr_mill_tally starts = mr_mill_count(&mill, 's', NEIGHBOURS);
    ck_assert_uint_eq(starts.most, 1);
    ck_assert_uint_eq(mr_mill_count(&mill, 'e', NEIGHBOURS).least, 1);
    mr_mill_stop(&mill);
}
END_TEST

/* Released while it still runs, it would run twice at once; so it goes back only when its process has ended. */
START_TEST(a_job_that_does_not_stop_goes_back_when_its_process_has_ended)
{
    static const char deaf[] = "{\"uuid\":\"deaf\",\"job\":\"debug.burn\",\"timeout\":0,"
                               "\"data\":{\"ms\":600000,\"deaf\":true}}";

    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    pid_t worker = only_worker();
    push_raw(deaf);
    push(0, 1, 60000);
    await_started(1);
    mr_proc_signal(&mill.dispatchers[0], SIGTERM);
    while (mr_proc_alive(worker)) {
        ck_assert_int_le(mr_mill_ready(&mill, "main"), 1); /* the other one, which heeds */
        mr_wait_a_moment();
    }
    ck_assert_int_eq(mr_proc_exit_status(&mill.dispatchers[0], PATIENCE_MS), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 2);
    ck_assert_int_eq(mr_mill_leases(&mill, "main") + mr_mill_delayed(&mill, "main"), 0);
    redisReply *ready = mr_redis_ask(&mill.redis, "LRANGE " Q " 0 -1");
    for (size_t i = 0; i < 2; i++) /* no attempt was spent */
        ck_assert_ptr_null(strstr(ready->element[i]->str, "attempts"));
    freeReplyObject(ready);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_job_on_the_loop_is_cancelled_at_its_deadline)
{
    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    pid_t worker = only_worker();
    push_raw("{\"uuid\":\"job-0\",\"job\":\"ledger.write\",\"maxTries\":1,\"timeout\":1,"
             "\"data\":{\"ms\":60000}}");
    push(1, 1, 2500);
    mr_mill_await_letter(&mill, "main", "timed_out", "ran longer than");
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, PATIENCE_MS);
    ck_assert_int_eq(only_worker(), worker);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 1), 1);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(workers_that_have_done_their_share_are_replaced_and_lose_none)
{
    enum { JOBS = 600 };
    static const char twenty_each[] =
        "lease: 2s\ngrace: 3s\n"
        "pools: { main: { queues: [main], processes: 2, concurrency: 5, max_jobs: 50 } }\n";

    mr_mill_start(&mill, twenty_each, NULL);
    push(0, JOBS, 3);
    mr_mill_dispatch(&mill, 0, 2);
    await_all(JOBS);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', JOBS).most, 1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "why=recycle"));
    mr_mill_stop(&mill);
}
END_TEST

/* Redis has not heard of its end when the worker is killed; but its page has. */
START_TEST(a_job_that_was_finished_before_the_kill_does_not_run_again)
{
    struct mr_proxy proxy;

    mr_mill_start(&mill, one_worker, NULL);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
    mr_mill_dispatch_at(&mill, 0, 1, proxy.url);
    mr_proxy_only(&proxy, "millrace-worker");
    push(0, 4, 500);
    await_started(4);
    mr_proxy_hold(&proxy, MR_TO_SERVER);
    mr_wait_for(mr_mill_count(&mill, 'e', 4).least == 1, PATIENCE_MS);
    kill(only_worker(), SIGKILL);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    await_all(4);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', 4).most, 1);
    mr_mill_stop(&mill);
    mr_proxy_stop(&proxy);
}
END_TEST

/* Laravel pushes a token for each job and its own workers take one; were they left, the list would grow for ever. */
START_TEST(tokens_of_laravel_do_not_pile_up)
{
    enum { JOBS = 100 };

    mr_mill_start(&mill, two_workers, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    for (unsigned n = 0; n < JOBS; n++) {
        mr_mill_push_ledger(&mill, "main", n, 0, n % 5 == 0); /* some come back delayed */
        freeReplyObject(mr_redis_ask(&mill.redis, "RPUSH " Q ":notify 1"));
        if (n % 10 == 0)
            mr_wait_for(mr_mill_ready(&mill, "main") == 0, PATIENCE_MS);
    }
    await_all(JOBS);
    mr_wait_for(mr_redis_int(&mill.redis, "LLEN " Q ":notify") <= 2, PATIENCE_MS);
    mr_mill_stop(&mill);
}
END_TEST

/* The worker lives, so no reaper looks; it does not know the list, so it does not look either: until it is told. */
START_TEST(a_list_of_nobodys_under_a_living_worker_goes_back)
{
    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    redisReply *workers = mr_redis_ask(&mill.redis, "ZRANGE " Q ":workers 0 -1");
    ck_assert_uint_eq(workers->elements, 1);
    freeReplyObject(mr_redis_ask(&mill.redis, "RPUSH " Q ":lease:%s:9 %s",
                                 workers->element[0]->str,
                                 "{\"uuid\":\"job-0\",\"job\":\"ledger.write\"}"));
    freeReplyObject(workers);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 2 * PATIENCE_MS);
    await_all(1);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_worker_that_slept_through_its_lease_starts_nothing_more,          0},
        {a_fenced_worker_leaves_what_it_did_not_start_where_it_is,           0},
        {a_settlement_that_is_refused_ends_the_whole_batch,                  0},
        {a_job_that_does_not_stop_goes_back_when_its_process_has_ended,      0},
        {a_job_that_was_finished_before_the_kill_does_not_run_again,         0},
        {tokens_of_laravel_do_not_pile_up,                                   0},
        {workers_of_a_stopped_dispatcher_renew_themselves,                   0},
        {a_stopped_worker_is_killed_and_its_jobs_run_again,                  0},
        {a_worker_whose_loop_stands_still_is_killed_and_one_job_is_to_blame, 0},
        {a_job_that_ignores_its_deadline_takes_nobody_with_it,               0},
        {a_job_on_the_loop_is_cancelled_at_its_deadline,                     0},
        {workers_that_have_done_their_share_are_replaced_and_lose_none,      0},
        {a_list_of_nobodys_under_a_living_worker_goes_back,                  0},
    };

    return mr_suite_run_slow("life", tests, 90);
}
