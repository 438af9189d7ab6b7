/* Redis answers, but with a no: for want of rights or of time. Nothing is lost, nothing stands still, and nothing spins. */
#include "tests/support/mill.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 10000 };

static const char four_at_once[] =
    "lease: 2s\ngrace: 3s\n"
    "pools: { main: { queues: [main], processes: 0, concurrency: 4 } }\n";

static struct mr_mill mill;

/* The worker speaks as a user of its own, so that the test can take rights from it and stay able to look. */
static void begin(const char *yaml)
{
    char url[160];

    mr_mill_start(&mill, yaml, NULL);
    freeReplyObject(mr_redis_ask(&mill.redis, "ACL SETUSER w on >secret ~* &* +@all"));
    snprintf(url, sizeof(url), "redis+unix://w:secret@%s", mill.redis.socket);
    mr_mill_pause(&mill, "main");
    mr_mill_work(&mill, 0, url);
}

static void let(const char *right)
{
    redisReply *ok = mr_redis_ask(&mill.redis, "ACL SETUSER w %s", right);

    ck_assert_str_eq(ok->str, "OK");
    freeReplyObject(ok);
}

static void push(unsigned from, unsigned n, unsigned ms)
{
    for (unsigned i = from; i < from + n; i++)
        mr_mill_push_ledger(&mill, "main", i, ms, 0);
}

static void expect_ends(unsigned n)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', n);

    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1);
    mr_mill_stop(&mill);
}

/* The jobs are leased and cannot be read: were they not asked for again they would stand there for ever. */
START_TEST(leased_jobs_that_cannot_be_read_are_read_when_they_can)
{
    begin(four_at_once);
    let("-lrange");
    push(0, 4, 0);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_refusals(&mill, "lrange") > 2, PATIENCE_MS);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 1);
    let("+lrange");
    expect_ends(4);
}
END_TEST

static const struct {
    const char *command;
    unsigned
        jobs; /* one job's batch ends with DEL; two that end apart are cleared one by one */
} settlements[] = {
    {"del",  1},
    {"lset", 2}
};

START_TEST(a_refused_settlement_is_said_again_but_not_in_a_hurry)
{
    const char *command = settlements[_i].command;
    char right[16];
    enum { WATCH_MS = 2000, ONCE_A_MS = 100 };

    begin(four_at_once);
    snprintf(right, sizeof(right), "-%s", command);
    let(right);
    push(0, 1, 0);
    if (settlements[_i].jobs == 2)
        push(1, 1, 3000);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_refusals(&mill, command) > 0, PATIENCE_MS);
    long long before = mr_mill_refusals(&mill, command);
    uint64_t began_ms = mr_wait_now_ms();
    mr_wait_for(mr_wait_now_ms() - began_ms > WATCH_MS, 2 * WATCH_MS);
    long long said = mr_mill_refusals(&mill, command) - before;
    ck_assert_int_ge(said, 3);
    ck_assert_int_le(said, 2 * WATCH_MS / ONCE_A_MS);
    right[0] = '+';
    let(right);
    expect_ends(settlements[_i].jobs);
}
END_TEST

static const struct {
    const char *refused, *job;
    bool at_once; /* else when the batch is here: a fetch needs the right too */
} last_words[] = {
    {"-evalsha",
     "{\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"data\":{\"ms\":500,\"fail\":1}}",           false},
    {"-rpush",
     "{\"uuid\":\"job-1\",\"job\":\"debug.push\",\"data\":{\"queue\":\"other\",\"job\":\"a\"}}", true },
};

/* Two answers are on their way when the first of them says that the batch is gone: the other finds nothing to settle. */
START_TEST(a_batch_that_vanishes_takes_its_worker_not_along)
{
    begin(four_at_once);
    push(0, 1, 1500);
    mr_mill_push_raw(&mill, "main", last_words[_i].job, strlen(last_words[_i].job));
    if (last_words[_i].at_once)
        let(last_words[_i].refused);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, PATIENCE_MS);
    let(last_words[_i].refused);
    mr_wait_for(mr_mill_refusals(&mill, last_words[_i].refused + 1) > 1, PATIENCE_MS);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 0);
    mr_redis_do(
        &mill.redis, "EVAL %s 0",
        "for _, key in ipairs(redis.call('KEYS', '*:lease:*')) do redis.call('DEL', key) "
        "end");
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, PATIENCE_MS);
    let("+@all");
    push(2, 1, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 2) == 1, PATIENCE_MS);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_refused_closing_of_a_wake_name_is_said_again_but_not_in_a_hurry)
{
    enum { WATCH_MS = 2000, ONCE_A_MS = 100 };

    begin(four_at_once);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_is_waiting(&mill), PATIENCE_MS);
    let("-evalsha");
    mr_mill_kill_waiters(&mill);
    mr_wait_for(mr_mill_refusals(&mill, "evalsha") > 0, PATIENCE_MS);
    long long before = mr_mill_refusals(&mill, "evalsha");
    uint64_t began_ms = mr_wait_now_ms();
    mr_wait_for(mr_wait_now_ms() - began_ms > WATCH_MS, 2 * WATCH_MS);
    ck_assert_int_le(mr_mill_refusals(&mill, "evalsha") - before, 2 * WATCH_MS / ONCE_A_MS);
    let("+evalsha");
    push(0, 20, 0);
    expect_ends(20);
}
END_TEST

/* Redis has no room for one more client: the waiter stays away, and jobs come all the same. */
START_TEST(a_worker_without_its_waiters_connection_asks_by_itself)
{
    struct mr_proxy proxy;

    mr_mill_start(&mill, four_at_once, NULL);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
    mr_mill_work(&mill, 0, proxy.url);
    mr_wait_for(mr_mill_is_waiting(&mill), PATIENCE_MS);
    mr_proxy_refuse(&proxy, true);
    mr_mill_kill_waiters(&mill);
    push(0, 1, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, PATIENCE_MS);
    for (unsigned n = 1; n < 5; n++) {
        mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
        push(n, 1, 0);
        mr_wait_for(mr_mill_noted(&mill, 'e', n) == 1, PATIENCE_MS);
    }
    mr_proxy_refuse(&proxy, false);
    mr_wait_for(mr_mill_is_waiting(&mill), PATIENCE_MS);
    expect_ends(5);
    mr_proxy_stop(&proxy);
}
END_TEST

/* A slow script of somebody else's: Redis says BUSY to all that is not a script's end. */
START_TEST(a_busy_redis_is_waited_for)
{
    static const char slow[] = "*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n";

    begin(four_at_once);
    freeReplyObject(mr_redis_ask(&mill.redis, "CONFIG SET busy-reply-threshold 20"));
    push(0, 4, 300);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_count(&mill, 's', 4).least == 1, PATIENCE_MS);
    redisContext *other = redisConnectUnix(mill.redis.socket);
    int done = 0;
    redisAppendFormattedCommand(other, slow, sizeof(slow) - 1);
    while (!done)
        ck_assert_int_eq(redisBufferWrite(other, &done), REDIS_OK);
    mr_wait_for(mr_mill_count(&mill, 'e', 4).least == 1, PATIENCE_MS);
    redisReply *killed = mr_redis_ask(&mill.redis, "SCRIPT KILL");
    ck_assert_str_eq(killed->str, "OK");
    freeReplyObject(killed);
    void *end; /* the script's own: only then Redis answers others again */
    ck_assert_int_eq(redisGetReply(other, &end), REDIS_OK);
    freeReplyObject(end);
    expect_ends(4);
    redisFree(other);
}
END_TEST

/*
 * A place that holds nothing means: settled. So a job without a single byte cannot be told from a settled one; it is logged and
 * dropped, and those around it run.
 */
START_TEST(an_empty_payload_is_dropped_and_its_neighbours_run)
{
    begin(four_at_once);
    if (_i == 0 || _i == 2)
        mr_mill_push_raw(&mill, "main", "", 0);
    push(0, 1, 0);
    if (_i == 1 || _i == 2) {
        mr_mill_push_raw(&mill, "main", "", 0);
        mr_mill_push_raw(&mill, "main", "", 0);
    }
    push(1, 6, 0);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_proc_said(&mill.workers[0], "fetch.empty_payload"), PATIENCE_MS);
    expect_ends(7);
}
END_TEST

START_TEST(an_empty_payload_that_wakes_a_worker_is_dropped)
{
    begin(four_at_once);
    mr_mill_resume(&mill, "main");
    mr_wait_for(mr_mill_is_waiting(&mill), PATIENCE_MS);
    mr_mill_push_raw(&mill, "main", "", 0);
    mr_wait_for(mr_proc_said(&mill.workers[0], "fetch.empty_payload"), PATIENCE_MS);
    push(0, 1, 0);
    expect_ends(1);
}
END_TEST

/* The lost fetches name the busy queue alone: its names are used up long before half of all are. */
START_TEST(one_queue_without_names_is_reason_enough_to_be_replaced)
{
    static const char two_queues[] =
        "lease: 2s\ngrace: 3s\n"
        "pools: { main: { queues: [main, other], processes: 0, concurrency: 1 } }\n";
    struct mr_proxy proxy;
    struct mr_proxy_state state;

    mr_mill_start(&mill, two_queues, NULL);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
    mr_mill_pause(&mill, "main");
    mr_mill_work(&mill, 0, proxy.url);
    mr_proxy_only(&proxy, "millrace-worker");
    mr_wait_for(mr_mill_is_waiting(&mill),
                PATIENCE_MS); /* for the other queue, which is not asked any more */
    mr_proxy_look(&proxy, &state);
    for (unsigned cuts = 0; cuts < 30 && mr_proc_alive(mill.workers[0].pid); cuts++) {
        unsigned before = state.accepted;

        mr_proxy_trap(&proxy, MR_TRAP_CUT_BEFORE, "queues:main:paused");
        do {
            mr_wait_a_moment();
            mr_proxy_look(&proxy, &state);
        } while (state.accepted == before && mr_proc_alive(mill.workers[0].pid));
    }
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 75);
    mr_mill_stop(&mill);
    mr_proxy_stop(&proxy);
}
END_TEST

/* Told to leave in the instant when it begins to wait: Redis does not know the waiter yet, and cannot call it off. */
START_TEST(a_waiter_called_off_before_it_waits_does_not_delay_the_leaving)
{
    struct mr_proxy proxy;
    enum { BLMOVE_S = 5 };

    mr_mill_start(&mill, four_at_once, NULL);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, "\r\nBLMOVE\r\n");
    mr_mill_work(&mill, 0, proxy.url);
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    mr_proc_signal(&mill.workers[0], SIGTERM);
    mr_wait_for(mr_proc_said(&mill.workers[0], "worker.leaves"), PATIENCE_MS);
    uint64_t told_ms = mr_wait_now_ms();
    mr_wait_for(mr_wait_now_ms() - told_ms > 200, 1000); /* it has been called off meanwhile */
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 0);
    ck_assert_uint_lt(mr_wait_now_ms() - told_ms, BLMOVE_S * 1000 / 2);
    mr_mill_stop(&mill);
    mr_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {leased_jobs_that_cannot_be_read_are_read_when_they_can,            0},
        {a_refused_settlement_is_said_again_but_not_in_a_hurry,             2},
        {a_batch_that_vanishes_takes_its_worker_not_along,                  2},
        {a_refused_closing_of_a_wake_name_is_said_again_but_not_in_a_hurry, 0},
        {a_worker_without_its_waiters_connection_asks_by_itself,            0},
        {a_busy_redis_is_waited_for,                                        0},
        {an_empty_payload_is_dropped_and_its_neighbours_run,                3},
        {an_empty_payload_that_wakes_a_worker_is_dropped,                   0},
        {one_queue_without_names_is_reason_enough_to_be_replaced,           0},
        {a_waiter_called_off_before_it_waits_does_not_delay_the_leaving,    0},
    };

    return mr_suite_run_slow("refusal", tests, 60);
}
