/*
 * Redis goes back in time: it is killed and comes back with what it knew a while ago, as after a failover to a replica that lags.
 * What it still holds is never lost; what it has forgotten to be settled is settled again, or runs again.
 */
#include "proto/base/random.h"
#include "tests/support/mill.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define Q MR_MILL_PREFIX "queues:main"

enum { PATIENCE_MS = 15000 };

static const char four_at_once[] = "lease: 2s\ngrace: 3s\n"
                                   "pools: { main: { queues: [main], processes: 0, "
                                   "concurrency: 4, backoff: 10ms..20ms } }\n";
static const char one_at_once[] = "lease: 2s\ngrace: 3s\n"
                                  "pools: { main: { queues: [main], processes: 0, "
                                  "concurrency: 1, backoff: 10ms..20ms } }\n";

static struct mr_mill mill;

static void copy(const char *from, const char *to)
{
    char command[256];

    snprintf(command, sizeof(command), "cp %s/%s %s/%s", mill.redis.dir, from, mill.redis.dir,
             to);
    ck_assert_int_eq(system(command), 0);
}

/* Redis will come back with what it knows now. */
static void remember(void)
{
    redisReply *saved = mr_redis_ask(&mill.redis, "SAVE");

    ck_assert_str_eq(saved->str, "OK");
    freeReplyObject(saved);
    copy("dump.rdb", "then.rdb");
}

static void go_back(void)
{
    mr_redis_kill(&mill.redis);
    copy("then.rdb", "dump.rdb");
    mr_redis_again(&mill.redis, NULL);
}

static void begin(const char *yaml)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_mill_pause(&mill, "main");
}

/* The worker finds all that was pushed before, and takes it in one batch as far as it can. */
static void work(void)
{
    mr_mill_resume(&mill, "main");
    mr_mill_work(&mill, 0, mill.redis.url);
}

static void push(unsigned n, unsigned ms, unsigned fail)
{
    mr_mill_push_ledger(&mill, "main", n, ms, fail);
}

static void await_start(unsigned n)
{
    mr_wait_for(mr_mill_noted(&mill, 's', n) >= 1, PATIENCE_MS);
}

static void await_end(unsigned n, unsigned times)
{
    mr_wait_for(mr_mill_noted(&mill, 'e', n) >= times, PATIENCE_MS);
}

/* One lease list, and what stands in its place i; the caller's. */
static redisReply *place(unsigned i)
{
    redisReply *keys = mr_redis_ask(&mill.redis, "KEYS " Q ":lease:*-*:?");

    ck_assert_uint_eq(keys->elements, 1);
    redisReply *held = mr_redis_ask(&mill.redis, "LINDEX %s %u", keys->element[0]->str, i);
    freeReplyObject(keys);
    return held;
}

static bool is_settled(unsigned i)
{
    redisReply *held = place(i);
    bool settled = held->type == REDIS_REPLY_STRING && held->len == 0;

    freeReplyObject(held);
    return settled;
}

static void end(void)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    mr_mill_stop(&mill);
}

START_TEST(a_settled_job_that_reappears_is_settled_again_and_not_run)
{
    begin(four_at_once);
    push(0, 200, 0);
    push(1, 3000, 0);
    work();
    await_start(1);
    remember();
    await_end(0, 1);
    mr_wait_for(is_settled(0), PATIENCE_MS);
    go_back();
    mr_wait_for(is_settled(0), PATIENCE_MS);
    await_end(1, 1);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', 2).most, 1);
    end();
}
END_TEST

/* The comparison knows that the place was settled; it must also know how, or a failed job would count as done. */
START_TEST(a_retry_that_redis_forgot_is_said_again)
{
    begin(four_at_once);
    push(0, 200, 1);
    push(1, 3000, 0);
    work();
    await_start(1);
    remember();
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1, PATIENCE_MS);
    go_back();
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1, PATIENCE_MS);
    ck_assert(is_settled(0));
    mr_mill_dispatch(&mill, 0, 0);
    await_end(0, 2);
    await_end(1, 1);
    end();
}
END_TEST

START_TEST(a_dead_letter_that_redis_forgot_is_written_again)
{
    static const char failing[] = "{\"uuid\":\"job-0\",\"job\":\"ledger.write\",\"maxTries\":1,"
                                  "\"data\":{\"ms\":200,\"fail\":9}}";

    begin(four_at_once);
    mr_mill_push_raw(&mill, "main", failing, strlen(failing));
    push(1, 3000, 0);
    work();
    await_start(1);
    remember();
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, PATIENCE_MS);
    go_back();
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, PATIENCE_MS);
    await_end(1, 1);
    end();
}
END_TEST

/* What goes back does not count as settled: only when Redis has said so is the batch without it. */
START_TEST(a_give_back_that_redis_forgot_is_said_again)
{
    static const char waits_alone[] =
        "{\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"crashes\":1,\"data\":{\"ms\":0}}";

    begin(four_at_once);
    push(0, 2500, 0);
    mr_mill_push_raw(&mill, "main", waits_alone, strlen(waits_alone));
    work();
    await_start(0);
    remember();
    mr_proc_signal(&mill.workers[0], SIGTERM);
    mr_wait_for(mr_mill_ready(&mill, "main") == 1, PATIENCE_MS);
    go_back();
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 0);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 1);
    work();
    await_end(1, 1);
    end();
}
END_TEST

/*
 * x failed, its retry was recorded, and y was leased under the name that x had. Redis has forgotten all that: x stands there again and
 * its retry is gone. Ending "its" batch when y is done would remove x from the only list that holds it. (One job runs in between:
 * it is fetched while the end of x's batch is not answered, so under another name.)
 */
START_TEST(an_older_batch_under_a_name_in_use_goes_back_whole)
{
    enum { X, BETWEEN, Y };

    begin(one_at_once);
    push(X, 300, 1);
    push(BETWEEN, 100, 0);
    push(Y, 2000, 0);
    work();
    await_start(X);
    remember();
    redisReply *name = mr_redis_ask(&mill.redis, "KEYS " Q ":lease:*-*:?");
    await_start(Y);
    ck_assert_int_eq(mr_redis_int(&mill.redis, "LLEN %s", name->element[0]->str), 1);
    freeReplyObject(name);
    go_back();
    mr_mill_dispatch(&mill, 0, 0);
    await_end(X, 3); /* before, again, and the retry */
    await_end(Y, 2);
    end();
}
END_TEST

/* The same when nothing of the newer batch runs any more. */
START_TEST(a_batch_that_reappears_under_a_free_name_is_given_back)
{
    begin(four_at_once);
    push(0, 200, 0);
    push(1, 300, 0);
    work();
    await_start(1);
    remember();
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    go_back();
    await_end(0, 2);
    await_end(1, 2);
    end();
}
END_TEST

START_TEST(a_worker_that_redis_has_never_heard_of_starts_nothing_more)
{
    begin(one_at_once);
    push(0, 1500, 0);
    push(1, 0, 0);
    remember();
    work();
    await_start(0);
    go_back();
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 76);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1); /* it finished what it ran */
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 1), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 2);
    work();
    await_end(0, 2);
    await_end(1, 1);
    end();
}
END_TEST

/*
 * A dead worker's page says what it had finished, by name and place. Redis has forgotten that batch, and holds an older one
 * under the name: what the page calls finished there has another job in its place.
 */
START_TEST(a_dead_workers_page_is_not_believed_about_an_older_batch)
{
    enum { X, BETWEEN, Y };
    static const char one_worker[] = "lease: 4s\ngrace: 3s\n"
                                     "pools: { main: { queues: [main], processes: 1, "
                                     "concurrency: 1, backoff: 10ms..20ms } }\n";
    struct mr_proxy proxy;
    pid_t worker[MR_PROC_LIST];

    mr_mill_start(&mill, one_worker, NULL);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
    mr_mill_pause(&mill, "main");
    push(X, 500, 1);
    push(BETWEEN, 100, 0);
    push(Y, 300, 0);
    mr_mill_dispatch_at(&mill, 0, 1, proxy.url);
    mr_proxy_only(&proxy, "millrace-worker");
    mr_mill_resume(&mill, "main");
    await_start(X);
    remember();
    await_start(Y);
    mr_proxy_hold(&proxy, MR_TO_SERVER); /* y's end never arrives */
    await_end(Y, 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, worker), 1);
    kill(worker[0], SIGSTOP);
    mr_redis_kill(&mill.redis);
    kill(worker[0], SIGKILL);
    copy("then.rdb", "dump.rdb");
    mr_redis_again(&mill.redis, NULL);
    mr_proxy_only(&proxy, NULL);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    await_end(X, 2); /* x is not lost */
    await_end(Y, 2);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
    mr_proxy_stop(&proxy);
}
END_TEST

/* As many as have numbers like the worker's connections have at the other server. */
enum { STRANGERS = 60 };

static void block_strangers(struct mr_redis *redis, redisContext *strangers[STRANGERS])
{
    for (int i = 0; i < STRANGERS; i++) {
        int done = 0;

        strangers[i] = redisConnectUnix(redis->socket);
        redisAppendCommand(strangers[i], "BLPOP strange 0");
        while (!done)
            ck_assert_int_eq(redisBufferWrite(strangers[i], &done), REDIS_OK);
    }
}

/* How many clients Redis lists with this text. */
static int clients(struct mr_redis *redis, const char *text)
{
    redisReply *list = mr_redis_ask(redis, "CLIENT LIST");
    int n = 0;

    for (const char *at = list->str; (at = strstr(at, text)) != NULL; at++)
        n++;
    freeReplyObject(list);
    return n;
}

static void lead_to(const char *link, const char *server)
{
    unlink(link);
    ck_assert_int_eq(symlink(server, link), 0);
}

/*
 * The main connection has followed a failover, the waiter's has not. The waiter is known by a number of the old server; at the new one that
 * is somebody else's connection.
 */
START_TEST(a_waiter_is_not_called_off_at_another_server)
{
    struct mr_redis promoted;
    struct mr_proxy network;
    redisContext *strangers[STRANGERS];
    char server[128], command[256];

    mr_mill_start(&mill, four_at_once, NULL);
    snprintf(server, sizeof(server), "%s/server.sock", mill.redis.dir);
    lead_to(server, mill.redis.socket);
    mr_proxy_start(&network, mill.redis.dir, server);
    mr_mill_work(&mill, 0, network.url);
    mr_wait_for(clients(&mill.redis, "cmd=blmove") == 1, PATIENCE_MS);
    remember();

    mr_redis_start(&promoted, NULL);
    mr_redis_kill(&promoted);
    snprintf(command, sizeof(command), "cp %s/then.rdb %s/dump.rdb", mill.redis.dir,
             promoted.dir);
    ck_assert_int_eq(system(command), 0);
    mr_redis_again(&promoted, NULL);
    block_strangers(&promoted, strangers);
    mr_wait_for(clients(&promoted, "flags=bU") == STRANGERS, PATIENCE_MS);

    lead_to(server, promoted.socket);
    mr_proxy_only(&network, "millrace-worker");
    mr_proxy_cut(&network);
    mr_wait_for(clients(&promoted, "name=millrace-worker") == 1, PATIENCE_MS);
    mr_proc_signal(&mill.workers[0], SIGTERM);
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 0);
    ck_assert_int_eq(clients(&promoted, "flags=bU"), STRANGERS);
    for (int i = 0; i < STRANGERS; i++)
        redisFree(strangers[i]);
    mr_redis_stop(&promoted);
    mr_mill_stop(&mill);
    mr_proxy_stop(&network);
}
END_TEST

static void kill_a_worker(struct mr_random *dice)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&mill, 0, workers);

    if (n > 0)
        kill(workers[mr_random_below(dice, (uint64_t)n)], SIGKILL);
}

/* Everything was pushed before Redis first remembered, so all of it must end, whenever Redis goes back and whoever dies of it. */
START_TEST(going_back_at_any_moment_loses_nothing)
{
    enum { JOBS = 300, TIMES = 4 };
    struct mr_random dice = {.state = 1000u + (uint64_t)_i};
    static const char two_workers[] =
        "lease: 2s\ngrace: 3s\n"
        "pools: { main: { queues: [main], processes: 2, concurrency: 4, tries: 50,"
        " max_crashes: 50, backoff: 10ms..20ms } }\n";

    mr_mill_start(&mill, two_workers, NULL);
    for (unsigned n = 0; n < JOBS; n++)
        push(n, 10 + (unsigned)mr_random_below(&dice, 60), n % 4 == 0);
    mr_mill_dispatch(&mill, 0, 2);
    unsigned ended = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        remember();
        ended += 10 + (unsigned)mr_random_below(&dice, 30);
        mr_wait_for(mr_mill_count(&mill, 'e', JOBS).total > ended, PATIENCE_MS);
        if (mr_random_below(&dice, 2))
            kill_a_worker(&dice);
        go_back();
    }
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 2 * PATIENCE_MS);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_ge(ends.least, 1);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    printf("# back in time %d times, %d jobs, %u ends\n", TIMES, JOBS, ends.total);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_settled_job_that_reappears_is_settled_again_and_not_run,  0},
        {a_retry_that_redis_forgot_is_said_again,                    0},
        {a_dead_letter_that_redis_forgot_is_written_again,           0},
        {a_give_back_that_redis_forgot_is_said_again,                0},
        {an_older_batch_under_a_name_in_use_goes_back_whole,         0},
        {a_batch_that_reappears_under_a_free_name_is_given_back,     0},
        {a_worker_that_redis_has_never_heard_of_starts_nothing_more, 0},
        {a_dead_workers_page_is_not_believed_about_an_older_batch,   0},
        {a_waiter_is_not_called_off_at_another_server,               0},
        {going_back_at_any_moment_loses_nothing,                     5},
    };

    return mr_suite_run_slow("rollback", tests, 60);
}
