/*
 * A worker behind a bad network: replies that never come, commands that arrive when nobody expects them any more,
 * connections cut at every point. The worker stands alone here, so that nobody but itself can put things right.
 */
#include "proto/scripts.h"
#include "tests/support/mill.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Q MR_MILL_PREFIX "queues:main"
#define SHA(script) mr_script_row(script)->sha1

enum { PATIENCE_MS = 10000 };

/* A dispatcher of this configuration starts no worker: it only moves what is due. */
static const char four_at_once[] = "lease: 2s\ngrace: 3s\n"
                                   "pools: { main: { queues: [main], processes: 0, "
                                   "concurrency: 4, backoff: 50ms..100ms } }\n";
static const char one_at_once[] = "lease: 2s\ngrace: 3s\n"
                                  "pools: { main: { queues: [main], processes: 0, "
                                  "concurrency: 1, backoff: 50ms..100ms } }\n";
/* Nothing runs beside a job that has crashed before, so it stays in its lease, unstarted. */
static const char waits_alone[] =
    "{\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"crashes\":1,\"data\":{\"ms\":0}}";

static struct mr_mill mill;
static struct mr_proxy proxy;

static void begin(const char *yaml)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_proxy_start(&proxy, mill.redis.dir, mill.redis.socket);
}

/* The worker joins, and faults from now on concern its main connection alone. */
static void work(void)
{
    mr_mill_work(&mill, 0, proxy.url);
    mr_proxy_only(&proxy, "millrace-worker");
}

static void end(void)
{
    mr_mill_stop(&mill);
    mr_proxy_stop(&proxy);
}

static void push(unsigned from, unsigned n, unsigned ms, unsigned fail)
{
    for (unsigned i = from; i < from + n; i++)
        mr_mill_push_ledger(&mill, "main", i, ms, fail);
}

/* All of them in one command, so that one fetch gets all. */
static void push_together(unsigned ms0, unsigned fail0, unsigned ms1, unsigned fail1)
{
    freeReplyObject(mr_redis_ask(
        &mill.redis,
        "RPUSH " Q
        " {\"uuid\":\"job-0\",\"job\":\"ledger.write\",\"data\":{\"ms\":%u,\"fail\":%"
        "u}} {\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"data\":{\"ms\":%u,\"fail\":%u}}",
        ms0, fail0, ms1, fail1));
}

static bool is_waiting(void)
{
    redisReply *clients = mr_redis_ask(&mill.redis, "CLIENT LIST");
    bool blocked = strstr(clients->str, "cmd=blmove") != NULL;

    freeReplyObject(clients);
    return blocked;
}

/* A worker that waits is fetching nothing: what is pushed now comes by its waiter. */
static void wait_until_idle(void)
{
    mr_wait_for(is_waiting(), PATIENCE_MS);
}

/* With this a worker does not wait at once for what is pushed, but fetches it. */
static void pause_queue(void)
{
    freeReplyObject(mr_redis_ask(&mill.redis, "SET " Q ":paused 1"));
}

static void resume_queue(void)
{
    freeReplyObject(mr_redis_ask(&mill.redis, "DEL " Q ":paused"));
}

static unsigned connections_so_far(void)
{
    struct mr_proxy_state state;

    mr_proxy_look(&proxy, &state);
    return state.accepted;
}

static void expect_ends(unsigned n, unsigned least, unsigned most)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', n);

    ck_assert_uint_ge(ends.least, least);
    ck_assert_uint_le(ends.most, most);
}

/* ---- one command of the worker is lost, or its reply is ---- */

enum part { FETCH, READ, CLEAR, END, RETRY, LETTER, BACK, RENEW, PARTS };

/* What stands in the command and nowhere else: not in a script that is being loaded either. */
static const char *words_of(enum part part)
{
    switch (part) {
    case FETCH:
        return SHA(MR_SCRIPT_FETCH);
    case READ:
        return "\r\nLRANGE\r\n";
    case CLEAR:
        return "\r\nLSET\r\n";
    case END:
        return "\r\nDEL\r\n";
    case RETRY:
        return SHA(MR_SCRIPT_RETRY);
    case LETTER:
        return SHA(MR_SCRIPT_DEAD);
    case BACK:
        return SHA(MR_SCRIPT_BACK);
    default:
        return SHA(MR_SCRIPT_RENEW);
    }
}

static const enum mr_proxy_trap losses[] = {MR_TRAP_LOSE_REPLY, MR_TRAP_CUT_BEFORE};

/* Two jobs in one batch, one of them longer: their batch is fetched, read, cleared place by place, and ended. */
static void lose_one_of_a_batch(enum part part, enum mr_proxy_trap trap)
{
    begin(four_at_once);
    pause_queue();
    work();
    push_together(0, 0, 300, 0);
    mr_proxy_trap(&proxy, trap, words_of(part));
    resume_queue();
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, PATIENCE_MS);
    expect_ends(2, 1, 1);
    end();
}

START_TEST(a_fetch_whose_reply_is_lost_is_found_again)
{
    lose_one_of_a_batch(FETCH, losses[_i]);
}
END_TEST

START_TEST(a_read_whose_reply_is_lost_is_read_again)
{
    lose_one_of_a_batch(READ, losses[_i]);
}
END_TEST

START_TEST(a_settled_place_whose_reply_is_lost_is_settled_once)
{
    lose_one_of_a_batch(CLEAR, losses[_i]);
}
END_TEST

START_TEST(the_end_of_a_batch_whose_reply_is_lost_ends_it_once)
{
    lose_one_of_a_batch(END, losses[_i]);
}
END_TEST

START_TEST(a_renewal_whose_reply_is_lost_costs_nobody_his_lease)
{
    lose_one_of_a_batch(RENEW, losses[_i]);
}
END_TEST

START_TEST(a_retry_whose_reply_is_lost_is_one_retry)
{
    begin(four_at_once);
    work();
    mr_proxy_trap(&proxy, losses[_i], words_of(RETRY));
    push(0, 1, 0, 1);
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1 && mr_mill_leases(&mill, "main") == 0,
                PATIENCE_MS);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1);
    mr_mill_dispatch(&mill, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 2, PATIENCE_MS);
    expect_ends(1, 2, 2);
    end();
}
END_TEST

START_TEST(a_dead_letter_whose_reply_is_lost_is_one_letter)
{
    static const char failing[] = "{\"uuid\":\"job-0\",\"job\":\"ledger.write\",\"maxTries\":1,"
                                  "\"data\":{\"fail\":9}}";

    begin(four_at_once);
    work();
    mr_proxy_trap(&proxy, losses[_i], words_of(LETTER));
    mr_mill_push_raw(&mill, "main", failing, strlen(failing));
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 1);
    expect_ends(1, 1, 1);
    end();
}
END_TEST

/* A give-back is told by the index it begins at: said twice it must not take what still runs along. */
START_TEST(a_give_back_whose_reply_is_lost_takes_no_running_job_along)
{
    begin(four_at_once);
    pause_queue();
    work();
    mr_mill_push_ledger(&mill, "main", 0, 1500, 0);
    mr_mill_push_raw(&mill, "main", waits_alone, strlen(waits_alone));
    resume_queue();
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, PATIENCE_MS);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 0); /* both are leased */
    mr_proxy_trap(&proxy, losses[_i], words_of(BACK));
    mr_proc_signal(&mill.workers[0], SIGTERM);
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 0);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 1);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 0);
    work();
    expect_ends(2, 1, 1);
    end();
}
END_TEST

/* ---- scripts that Redis has forgotten ---- */

/*
 * Redis answers NOSCRIPT to the retry and would run a DEL behind it all the same: the failed job would be in no list
 * any more. So the batch ends only when the retry has been answered.
 */
START_TEST(a_batch_is_not_ended_before_its_retry_was_answered)
{
    begin(four_at_once);
    pause_queue();
    work();
    push_together(200, 1, 200, 0);
    resume_queue();
    mr_wait_for(mr_mill_count(&mill, 's', 2).least == 1, PATIENCE_MS);
    freeReplyObject(mr_redis_ask(&mill.redis, "SCRIPT FLUSH"));
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1 && mr_mill_leases(&mill, "main") == 0,
                PATIENCE_MS);
    mr_mill_dispatch(&mill, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 2, PATIENCE_MS);
    expect_ends(2, 1, 2);
    end();
}
END_TEST

/* The same for jobs that go back to the head. */
START_TEST(a_batch_is_not_ended_before_its_give_back_was_answered)
{
    begin(four_at_once);
    pause_queue();
    work();
    mr_mill_push_ledger(&mill, "main", 0, 300, 0);
    mr_mill_push_raw(&mill, "main", waits_alone, strlen(waits_alone));
    resume_queue();
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, PATIENCE_MS);
    mr_proxy_hold(&proxy, MR_TO_SERVER);
    mr_proc_signal(&mill.workers[0], SIGTERM);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, PATIENCE_MS);
    freeReplyObject(mr_redis_ask(&mill.redis, "SCRIPT FLUSH"));
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 1);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 0);
    end();
}
END_TEST

/* ---- commands that arrive late ---- */

/* Holds the worker's next such command, cuts its connection, and lets it come back on a new one. */
static void make_late(enum part part)
{
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    unsigned before = connections_so_far();

    mr_proxy_cut(&proxy);
    mr_wait_for(connections_so_far() > before, PATIENCE_MS);
    (void)part;
}

/*
 * The old connection's DEL arrives when the name has long been free. Were the name used for the next batch, that one
 * would vanish with its running job; and DEL's answer would say that all is well.
 */
START_TEST(a_late_end_of_a_batch_hits_no_newer_one)
{
    begin(one_at_once);
    work();
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, words_of(END));
    push(0, 1, 0, 0);
    make_late(END);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), PATIENCE_MS);
    push(1, 1, 800, 0);
    mr_wait_for(mr_mill_noted(&mill, 's', 1) == 1, PATIENCE_MS);
    mr_proxy_deliver(&proxy, 2);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 1);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, PATIENCE_MS);
    expect_ends(2, 1, 1);
    ck_assert(!mr_proc_said(&mill.workers[0], "lease.lost"));
    end();
}
END_TEST

/* A fetch given up for lost leases jobs after all, under a name that its living worker looks at no more by itself. */
START_TEST(a_late_fetch_under_a_living_worker_is_given_back)
{
    begin(one_at_once);
    pause_queue();
    work();
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, words_of(FETCH));
    resume_queue();
    make_late(FETCH);
    wait_until_idle();
    pause_queue();
    mr_wait_for(!is_waiting(), PATIENCE_MS); /* its waiter has timed out and learned of it */
    push(0, 5, 0, 0);
    resume_queue();
    mr_proxy_deliver(&proxy, 1);
    expect_ends(5, 1, 1);
    end();
}
END_TEST

START_TEST(a_late_retry_moves_nothing_twice)
{
    begin(four_at_once);
    work();
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, words_of(RETRY));
    push(0, 1, 0, 1);
    make_late(RETRY);
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1, PATIENCE_MS);
    mr_proxy_deliver(&proxy, 2);
    ck_assert_int_eq(mr_mill_delayed(&mill, "main"), 1);
    mr_mill_dispatch(&mill, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 2, PATIENCE_MS);
    expect_ends(1, 2, 2);
    end();
}
END_TEST

START_TEST(a_late_give_back_takes_nothing_of_a_newer_batch)
{
    begin(four_at_once);
    pause_queue();
    work();
    mr_mill_push_ledger(&mill, "main", 0, 1000, 0);
    mr_mill_push_raw(&mill, "main", waits_alone, strlen(waits_alone));
    resume_queue();
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, PATIENCE_MS);
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, words_of(BACK));
    mr_proc_signal(&mill.workers[0], SIGTERM);
    make_late(BACK);
    mr_wait_for(mr_mill_ready(&mill, "main") == 1, PATIENCE_MS); /* said again */
    mr_proxy_deliver(&proxy, 2);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 1);
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 0);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 0);
    end();
}
END_TEST

/* ---- the waiter ---- */

static void only_waiters(void)
{
    mr_proxy_only(&proxy, "millrace-wait");
}

/* Redis hangs up on the waiters; the network has no part in it. */
static void kill_waiters(void)
{
    redisReply *clients = mr_redis_ask(&mill.redis, "CLIENT LIST");

    for (char *line = strtok(clients->str, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, "cmd=blmove"))
            freeReplyObject(
                mr_redis_ask(&mill.redis, "CLIENT KILL ID %lld", atoll(line + strlen("id="))));
    freeReplyObject(clients);
}

static bool is_closed(unsigned j)
{
    redisReply *keys = mr_redis_ask(&mill.redis, "KEYS " Q ":lease:*:w%u", j);
    bool closed = false;

    if (keys->elements == 1) {
        redisReply *type = mr_redis_ask(&mill.redis, "TYPE %s", keys->element[0]->str);

        closed = strcmp(type->str, "string") == 0;
        freeReplyObject(type);
    }
    freeReplyObject(keys);
    return closed;
}

/* The job was moved for a waiter that never hears of it. */
START_TEST(a_waiter_whose_reply_is_lost_loses_no_job)
{
    begin(four_at_once);
    mr_proxy_trap(&proxy, MR_TRAP_LOSE_REPLY, "\r\nBLMOVE\r\n");
    mr_mill_work(&mill, 0, proxy.url);
    wait_until_idle();
    push(0, 1, 0, 0);
    expect_ends(1, 1, 1);
    ck_assert(is_closed(0));
    push(1, 20, 0, 0);
    expect_ends(21, 1, 1);
    end();
}
END_TEST

START_TEST(the_script_behind_a_waiter_whose_reply_is_lost_loses_no_job)
{
    begin(four_at_once);
    mr_mill_work(&mill, 0, proxy.url);
    only_waiters();
    wait_until_idle();
    mr_proxy_cut_after(&proxy, MR_TO_CLIENT, 40); /* in the middle of what BLMOVE brings */
    push(0, 1, 0, 0);
    expect_ends(1, 1, 1);
    end();
}
END_TEST

/*
 * BLMOVE does not ask whether its list exists: were the name armed again, the late one would push a second job into a list of one
 * place. A string under the name makes it fail, and the job stays where it is.
 */
START_TEST(a_late_waiter_finds_its_name_closed_and_the_job_stays)
{
    begin(four_at_once);
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, "\r\nBLMOVE\r\n");
    mr_mill_work(&mill, 0, proxy.url);
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    only_waiters();
    mr_proxy_cut(&proxy);
    mr_wait_for(is_closed(0), PATIENCE_MS);
    wait_until_idle(); /* on the next name */
    pause_queue();
    mr_wait_for(!is_waiting(), PATIENCE_MS);
    push(0, 3, 0, 0);
    mr_proxy_deliver(&proxy, 1);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 3);
    ck_assert(is_closed(0));
    resume_queue();
    expect_ends(3, 1, 1);
    end();
}
END_TEST

/* As long as nobody has heard that the name is closed it may not be: a job under it would stay for ever. */
START_TEST(closing_a_wake_name_is_said_until_it_is_answered)
{
    begin(four_at_once);
    mr_mill_work(&mill, 0, proxy.url);
    wait_until_idle();
    mr_proxy_trap(&proxy, losses[_i], SHA(MR_SCRIPT_CLOSE));
    kill_waiters();
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    mr_wait_for(is_closed(0), PATIENCE_MS);
    push(0, 20, 0, 0);
    expect_ends(20, 1, 1);
    end();
}
END_TEST

START_TEST(closing_a_wake_name_survives_an_emptied_script_cache)
{
    begin(four_at_once);
    mr_mill_work(&mill, 0, proxy.url);
    wait_until_idle();
    only_waiters();
    freeReplyObject(mr_redis_ask(&mill.redis, "SCRIPT FLUSH"));
    mr_proxy_cut(&proxy);
    mr_wait_for(is_closed(0), PATIENCE_MS);
    push(0, 20, 0, 0);
    expect_ends(20, 1, 1);
    end();
}
END_TEST

START_TEST(when_all_wake_names_are_used_up_the_worker_is_replaced)
{
    begin(four_at_once);
    mr_mill_work(&mill, 0, proxy.url);
    only_waiters();
    for (unsigned j = 0; j < 8; j++) {
        mr_wait_for(is_waiting() || mill.workers[0].pid == 0, PATIENCE_MS);
        mr_proxy_cut(&proxy);
        mr_wait_for(is_closed(j), PATIENCE_MS);
    }
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 75);
    push(0, 1, 0, 0);
    work();
    expect_ends(1, 1, 1);
    end();
}
END_TEST

/* Each cut may cost the name of the fetch under way; a new incarnation has all of them again. */
START_TEST(when_lease_names_run_out_the_worker_is_replaced)
{
    begin(one_at_once);
    pause_queue(); /* it asks again and again */
    work();
    for (unsigned cuts = 0; cuts < 30 && mr_proc_alive(mill.workers[0].pid); cuts++) {
        unsigned before = connections_so_far();

        mr_proxy_trap(&proxy, MR_TRAP_CUT_BEFORE, words_of(FETCH));
        mr_wait_for(connections_so_far() > before || !mr_proc_alive(mill.workers[0].pid),
                    PATIENCE_MS);
    }
    ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 75);
    resume_queue();
    push(0, 1, 0, 0);
    work();
    expect_ends(1, 1, 1);
    end();
}
END_TEST

/* ---- the comparison after a new connection ---- */

static const char *const questions[] = {"\r\nZSCORE\r\n", "\r\nLRANGE\r\n", "\r\nEXISTS\r\n"};

/* The new connection is cut too, before or after Redis has answered each of its first questions. */
START_TEST(a_comparison_that_is_cut_begins_anew)
{
    begin(four_at_once);
    pause_queue();
    work();
    push_together(0, 0, 400, 1);
    resume_queue();
    mr_wait_for(mr_mill_noted(&mill, 's', 1) == 1, PATIENCE_MS);
    mr_proxy_trap(&proxy, losses[_i / 3], questions[_i % 3]);
    mr_proxy_cut(&proxy);
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1 && mr_mill_leases(&mill, "main") == 0,
                PATIENCE_MS);
    mr_mill_dispatch(&mill, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 2, PATIENCE_MS);
    expect_ends(1, 1, 1);
    end();
}
END_TEST

/* Calls of a command since the last CONFIG RESETSTAT, those from inside of scripts included. */
static long long calls(const char *command)
{
    redisReply *info = mr_redis_ask(&mill.redis, "INFO commandstats");
    char wanted[64];
    long long n = 0;

    snprintf(wanted, sizeof(wanted), "cmdstat_%s:calls=", command);
    char *row = strstr(info->str, wanted);
    if (row)
        n = atoll(row + strlen(wanted));
    freeReplyObject(info);
    return n;
}

/* A settlement that ran before the comparison could hit an older batch under the same name. */
START_TEST(nothing_is_settled_or_fetched_before_the_comparison_is_answered)
{
    begin(four_at_once);
    pause_queue();
    work();
    push_together(100, 0, 300, 0);
    resume_queue();
    mr_wait_for(mr_mill_noted(&mill, 's', 1) == 1, PATIENCE_MS);
    mr_proxy_trap(&proxy, MR_TRAP_HOLD, questions[0]);
    mr_proxy_cut(&proxy);
    mr_wait_for(mr_proxy_sprung(&proxy), PATIENCE_MS);
    freeReplyObject(mr_redis_ask(&mill.redis, "CONFIG RESETSTAT"));
    mr_wait_for(mr_mill_count(&mill, 'e', 2).least == 1, PATIENCE_MS);
    ck_assert_int_eq(calls("lset") + calls("del") + calls("sort"), 0);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 1);
    mr_proxy_pass(&proxy, MR_TO_SERVER);
    expect_ends(2, 1, 1);
    end();
}
END_TEST

/* One whose names are used up has left to be replaced; nobody is here to do so but the test. */
static bool is_empty_or_replaced(void)
{
    if (!mr_proc_alive(mill.workers[0].pid)) {
        ck_assert_int_eq(mr_proc_exit_status(&mill.workers[0], PATIENCE_MS), 75);
        mr_mill_work(&mill, 0, proxy.url);
    }
    return mr_mill_is_empty(&mill, "main");
}

/* Wherever in a busy stream the cut falls, in a command or a reply: each job ends, none is settled twice. */
START_TEST(a_connection_cut_anywhere_loses_nothing)
{
    enum { JOBS = 40 };

    begin(four_at_once);
    mr_mill_work(&mill, 0, proxy.url);
    mr_mill_dispatch(&mill, 0, 0);
    for (unsigned cut = 0; cut < 6; cut++) {
        enum mr_proxy_side side = (_i + (int)cut) % 2 ? MR_TO_SERVER : MR_TO_CLIENT;

        mr_proxy_cut_after(&proxy, side, 1 + (size_t)(_i * 97) + cut * 311);
        for (unsigned n = 0; n < JOBS; n++)
            mr_mill_push_ledger(&mill, "main", cut * JOBS + n, n % 4, n % 5 == 0);
        mr_wait_for(is_empty_or_replaced(), 2 * PATIENCE_MS);
    }
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', 6 * JOBS);
    ck_assert_uint_ge(ends.least, 1);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    end();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_fetch_whose_reply_is_lost_is_found_again,                      2 },
        {a_read_whose_reply_is_lost_is_read_again,                        2 },
        {a_settled_place_whose_reply_is_lost_is_settled_once,             2 },
        {the_end_of_a_batch_whose_reply_is_lost_ends_it_once,             2 },
        {a_renewal_whose_reply_is_lost_costs_nobody_his_lease,            2 },
        {a_retry_whose_reply_is_lost_is_one_retry,                        2 },
        {a_dead_letter_whose_reply_is_lost_is_one_letter,                 2 },
        {a_give_back_whose_reply_is_lost_takes_no_running_job_along,      2 },
        {a_batch_is_not_ended_before_its_retry_was_answered,              0 },
        {a_batch_is_not_ended_before_its_give_back_was_answered,          0 },
        {a_late_end_of_a_batch_hits_no_newer_one,                         0 },
        {a_late_fetch_under_a_living_worker_is_given_back,                0 },
        {a_late_retry_moves_nothing_twice,                                0 },
        {a_late_give_back_takes_nothing_of_a_newer_batch,                 0 },
        {a_waiter_whose_reply_is_lost_loses_no_job,                       0 },
        {the_script_behind_a_waiter_whose_reply_is_lost_loses_no_job,     0 },
        {a_late_waiter_finds_its_name_closed_and_the_job_stays,           0 },
        {closing_a_wake_name_is_said_until_it_is_answered,                2 },
        {closing_a_wake_name_survives_an_emptied_script_cache,            0 },
        {when_all_wake_names_are_used_up_the_worker_is_replaced,          0 },
        {when_lease_names_run_out_the_worker_is_replaced,                 0 },
        {a_comparison_that_is_cut_begins_anew,                            6 },
        {nothing_is_settled_or_fetched_before_the_comparison_is_answered, 0 },
        {a_connection_cut_anywhere_loses_nothing,                         12},
    };

    return mr_suite_run_slow("network", tests, 60);
}
