/*
 * A worker behind a bad network: replies that never come, commands that arrive when nobody expects them any more,
 * connections cut at every point. The worker stands alone here, so that nobody but itself can put things right.
 */
#include "proto/scripts.h"
#include "tests/support/lone.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Q MR_MILL_PREFIX "queues:main"
#define SHA(script) mr_script_row(script)->sha1

static struct mr_lone lone;

/* All of them in one command, so that one fetch gets all. */
static void push_together(unsigned ms0, unsigned fail0, unsigned ms1, unsigned fail1)
{
    freeReplyObject(mr_redis_ask(
        &lone.mill.redis,
        "RPUSH " Q
        " {\"uuid\":\"job-0\",\"job\":\"ledger.write\",\"data\":{\"ms\":%u,\"fail\":%"
        "u}} {\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"data\":{\"ms\":%u,\"fail\":%u}}",
        ms0, fail0, ms1, fail1));
}

/* A worker that waits is fetching nothing: what is pushed now comes by its waiter. */
static void wait_until_idle(void)
{
    mr_wait_for(mr_mill_is_waiting(&lone.mill), MR_LONE_PATIENCE_MS);
}

/* ---- one command of the worker is lost, or its reply is ---- */

enum part { FETCH, READ, CLEAR, END, RETRY, LETTER, BACK, RENEW };

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
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    push_together(0, 0, 300, 0);
    mr_proxy_trap(&lone.proxy, trap, words_of(part));
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 1) == 1, MR_LONE_PATIENCE_MS);
    mr_lone_expect_ends(&lone, 2, 1, 1);
    mr_lone_end(&lone);
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
    mr_lone_begin(&lone, mr_lone_four);
    mr_lone_work(&lone);
    mr_proxy_trap(&lone.proxy, losses[_i], words_of(RETRY));
    mr_lone_push(&lone, 0, 1, 0, 1);
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    mr_wait_for(mr_mill_delayed(&lone.mill, "main") == 1 &&
                    mr_mill_leases(&lone.mill, "main") == 0,
                MR_LONE_PATIENCE_MS);
    ck_assert_uint_eq(mr_mill_noted(&lone.mill, 'e', 0), 1);
    mr_mill_dispatch(&lone.mill, 0, 0);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 0) == 2, MR_LONE_PATIENCE_MS);
    mr_lone_expect_ends(&lone, 1, 2, 2);
    mr_lone_end(&lone);
}
END_TEST

START_TEST(a_dead_letter_whose_reply_is_lost_is_one_letter)
{
    static const char failing[] = "{\"uuid\":\"job-0\",\"job\":\"ledger.write\",\"maxTries\":1,"
                                  "\"data\":{\"fail\":9}}";

    mr_lone_begin(&lone, mr_lone_four);
    mr_lone_work(&lone);
    mr_proxy_trap(&lone.proxy, losses[_i], words_of(LETTER));
    mr_mill_push_raw(&lone.mill, "main", failing, strlen(failing));
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    mr_wait_for(mr_mill_is_empty(&lone.mill, "main"), MR_LONE_PATIENCE_MS);
    ck_assert_int_eq(mr_mill_dead(&lone.mill, "main"), 1);
    mr_lone_expect_ends(&lone, 1, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/* A give-back is told by the index it begins at: said twice it must not take what still runs along. */
START_TEST(a_give_back_whose_reply_is_lost_takes_no_running_job_along)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    mr_mill_push_ledger(&lone.mill, "main", 0, 1500, 0);
    mr_mill_push_raw(&lone.mill, "main", mr_lone_waits_alone, strlen(mr_lone_waits_alone));
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_mill_noted(&lone.mill, 's', 0) == 1, MR_LONE_PATIENCE_MS);
    ck_assert_int_eq(mr_mill_ready(&lone.mill, "main"), 0); /* both are leased */
    mr_proxy_trap(&lone.proxy, losses[_i], words_of(BACK));
    mr_proc_signal(&lone.mill.workers[0], SIGTERM);
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    ck_assert_int_eq(mr_proc_exit_status(&lone.mill.workers[0], MR_LONE_PATIENCE_MS), 0);
    ck_assert_uint_eq(mr_mill_noted(&lone.mill, 'e', 0), 1);
    ck_assert_int_eq(mr_mill_ready(&lone.mill, "main"), 1);
    ck_assert_int_eq(mr_mill_leases(&lone.mill, "main"), 0);
    mr_lone_work(&lone);
    mr_lone_expect_ends(&lone, 2, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/* ---- scripts that Redis has forgotten ---- */

/*
 * Redis answers NOSCRIPT to the retry and would run a DEL behind it all the same: the failed job would be in no list
 * any more. So the batch ends only when the retry has been answered.
 */
START_TEST(a_batch_is_not_ended_before_its_retry_was_answered)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    push_together(200, 1, 200, 0);
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_mill_count(&lone.mill, 's', 2).least == 1, MR_LONE_PATIENCE_MS);
    freeReplyObject(mr_redis_ask(&lone.mill.redis, "SCRIPT FLUSH"));
    mr_wait_for(mr_mill_delayed(&lone.mill, "main") == 1 &&
                    mr_mill_leases(&lone.mill, "main") == 0,
                MR_LONE_PATIENCE_MS);
    mr_mill_dispatch(&lone.mill, 0, 0);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 0) == 2, MR_LONE_PATIENCE_MS);
    mr_lone_expect_ends(&lone, 2, 1, 2);
    mr_lone_end(&lone);
}
END_TEST

/* The same for jobs that go back to the head. */
START_TEST(a_batch_is_not_ended_before_its_give_back_was_answered)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    mr_mill_push_ledger(&lone.mill, "main", 0, 300, 0);
    mr_mill_push_raw(&lone.mill, "main", mr_lone_waits_alone, strlen(mr_lone_waits_alone));
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_mill_noted(&lone.mill, 's', 0) == 1, MR_LONE_PATIENCE_MS);
    mr_proxy_hold(&lone.proxy, MR_TO_SERVER);
    mr_proc_signal(&lone.mill.workers[0], SIGTERM);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 0) == 1, MR_LONE_PATIENCE_MS);
    freeReplyObject(mr_redis_ask(&lone.mill.redis, "SCRIPT FLUSH"));
    mr_proxy_pass(&lone.proxy, MR_TO_SERVER);
    ck_assert_int_eq(mr_proc_exit_status(&lone.mill.workers[0], MR_LONE_PATIENCE_MS), 0);
    ck_assert_int_eq(mr_mill_ready(&lone.mill, "main"), 1);
    ck_assert_int_eq(mr_mill_leases(&lone.mill, "main"), 0);
    mr_lone_end(&lone);
}
END_TEST

/* ---- commands that arrive late ---- */

/* The trap has caught a command: cuts the worker off from it, and lets it come back on a new connection. */
static void make_late(void)
{
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    unsigned before = mr_lone_connections(&lone);

    mr_proxy_cut(&lone.proxy);
    mr_wait_for(mr_lone_connections(&lone) > before, MR_LONE_PATIENCE_MS);
}

/*
 * The old connection's DEL arrives when the name has long been free. Were the name used for the next batch, that one
 * would vanish with its running job; and DEL's answer would say that all is well.
 */
START_TEST(a_late_end_of_a_batch_hits_no_newer_one)
{
    mr_lone_begin(&lone, mr_lone_one);
    mr_lone_work(&lone);
    mr_proxy_trap(&lone.proxy, MR_TRAP_HOLD, words_of(END));
    mr_lone_push(&lone, 0, 1, 0, 0);
    make_late();
    mr_wait_for(mr_mill_is_empty(&lone.mill, "main"), MR_LONE_PATIENCE_MS);
    mr_lone_push(&lone, 1, 1, 800, 0);
    mr_wait_for(mr_mill_noted(&lone.mill, 's', 1) == 1, MR_LONE_PATIENCE_MS);
    mr_proxy_deliver(&lone.proxy, 2);
    ck_assert_int_eq(mr_mill_leases(&lone.mill, "main"), 1);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 1) == 1, MR_LONE_PATIENCE_MS);
    mr_lone_expect_ends(&lone, 2, 1, 1);
    ck_assert(!mr_proc_said(&lone.mill.workers[0], "lease.lost"));
    mr_lone_end(&lone);
}
END_TEST

/* A fetch given up for lost leases jobs after all, under a name that its living worker looks at no more by itself. */
START_TEST(a_late_fetch_under_a_living_worker_is_given_back)
{
    mr_lone_begin(&lone, mr_lone_one);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    mr_proxy_trap(&lone.proxy, MR_TRAP_HOLD, words_of(FETCH));
    mr_mill_resume(&lone.mill, "main");
    make_late();
    wait_until_idle();
    mr_mill_pause(&lone.mill, "main");
    mr_wait_for(!mr_mill_is_waiting(&lone.mill),
                MR_LONE_PATIENCE_MS); /* its waiter has timed out and learned of it */
    mr_lone_push(&lone, 0, 5, 0, 0);
    mr_mill_resume(&lone.mill, "main");
    mr_proxy_deliver(&lone.proxy, 1);
    mr_lone_expect_ends(&lone, 5, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

START_TEST(a_late_retry_moves_nothing_twice)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_lone_work(&lone);
    mr_proxy_trap(&lone.proxy, MR_TRAP_HOLD, words_of(RETRY));
    mr_lone_push(&lone, 0, 1, 0, 1);
    make_late();
    mr_wait_for(mr_mill_delayed(&lone.mill, "main") == 1, MR_LONE_PATIENCE_MS);
    mr_proxy_deliver(&lone.proxy, 2);
    ck_assert_int_eq(mr_mill_delayed(&lone.mill, "main"), 1);
    mr_mill_dispatch(&lone.mill, 0, 0);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 0) == 2, MR_LONE_PATIENCE_MS);
    mr_lone_expect_ends(&lone, 1, 2, 2);
    mr_lone_end(&lone);
}
END_TEST

START_TEST(a_late_give_back_takes_nothing_of_a_newer_batch)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    mr_mill_push_ledger(&lone.mill, "main", 0, 1000, 0);
    mr_mill_push_raw(&lone.mill, "main", mr_lone_waits_alone, strlen(mr_lone_waits_alone));
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_mill_noted(&lone.mill, 's', 0) == 1, MR_LONE_PATIENCE_MS);
    mr_proxy_trap(&lone.proxy, MR_TRAP_HOLD, words_of(BACK));
    mr_proc_signal(&lone.mill.workers[0], SIGTERM);
    make_late();
    mr_wait_for(mr_mill_ready(&lone.mill, "main") == 1, MR_LONE_PATIENCE_MS); /* said again */
    mr_proxy_deliver(&lone.proxy, 2);
    ck_assert_int_eq(mr_mill_ready(&lone.mill, "main"), 1);
    ck_assert_int_eq(mr_proc_exit_status(&lone.mill.workers[0], MR_LONE_PATIENCE_MS), 0);
    ck_assert_uint_eq(mr_mill_noted(&lone.mill, 'e', 0), 1);
    ck_assert_int_eq(mr_mill_leases(&lone.mill, "main"), 0);
    mr_lone_end(&lone);
}
END_TEST

/* Each cut may cost the name of the fetch under way; a new incarnation has all of them again. */
START_TEST(when_lease_names_run_out_the_worker_is_replaced)
{
    mr_lone_begin(&lone, mr_lone_one);
    mr_mill_pause(&lone.mill, "main"); /* it asks again and again */
    mr_lone_work(&lone);
    for (unsigned cuts = 0; cuts < 30 && mr_proc_alive(lone.mill.workers[0].pid); cuts++) {
        unsigned before = mr_lone_connections(&lone);

        mr_proxy_trap(&lone.proxy, MR_TRAP_CUT_BEFORE, words_of(FETCH));
        mr_wait_for(mr_lone_connections(&lone) > before ||
                        !mr_proc_alive(lone.mill.workers[0].pid),
                    MR_LONE_PATIENCE_MS);
    }
    ck_assert_int_eq(mr_proc_exit_status(&lone.mill.workers[0], MR_LONE_PATIENCE_MS), 75);
    mr_mill_resume(&lone.mill, "main");
    mr_lone_push(&lone, 0, 1, 0, 0);
    mr_lone_work(&lone);
    mr_lone_expect_ends(&lone, 1, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/* ---- the comparison after a new connection ---- */

static const char *const questions[] = {"\r\nZSCORE\r\n", "\r\nLRANGE\r\n", "\r\nEXISTS\r\n"};

/* The new connection is cut too, before or after Redis has answered each of its first questions. */
START_TEST(a_comparison_that_is_cut_begins_anew)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    push_together(0, 0, 400, 1);
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_mill_noted(&lone.mill, 's', 1) == 1, MR_LONE_PATIENCE_MS);
    mr_proxy_trap(&lone.proxy, losses[_i / 3], questions[_i % 3]);
    mr_proxy_cut(&lone.proxy);
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    mr_wait_for(mr_mill_delayed(&lone.mill, "main") == 1 &&
                    mr_mill_leases(&lone.mill, "main") == 0,
                MR_LONE_PATIENCE_MS);
    mr_mill_dispatch(&lone.mill, 0, 0);
    mr_wait_for(mr_mill_noted(&lone.mill, 'e', 1) == 2, MR_LONE_PATIENCE_MS);
    mr_lone_expect_ends(&lone, 1, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/* A settlement that ran before the comparison could hit an older batch under the same name. */
START_TEST(nothing_is_settled_or_fetched_before_the_comparison_is_answered)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_pause(&lone.mill, "main");
    mr_lone_work(&lone);
    push_together(100, 0, 300, 0);
    mr_mill_resume(&lone.mill, "main");
    mr_wait_for(mr_mill_noted(&lone.mill, 's', 1) == 1, MR_LONE_PATIENCE_MS);
    mr_proxy_trap(&lone.proxy, MR_TRAP_HOLD, questions[0]);
    mr_proxy_cut(&lone.proxy);
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    mr_proxy_hold(&lone.proxy, MR_TO_CLIENT); /* the questions arrive, the answers do not */
    freeReplyObject(mr_redis_ask(&lone.mill.redis, "CONFIG RESETSTAT"));
    mr_proxy_pass(&lone.proxy, MR_TO_SERVER);
    mr_wait_for(mr_mill_count(&lone.mill, 'e', 2).least == 1, MR_LONE_PATIENCE_MS);
    uint64_t ended_ms = mr_wait_now_ms();
    mr_wait_for(mr_wait_now_ms() - ended_ms > 300,
                MR_LONE_PATIENCE_MS); /* it has turned since */
    ck_assert_int_eq(mr_mill_calls(&lone.mill, "lset") + mr_mill_calls(&lone.mill, "del") +
                         mr_mill_calls(&lone.mill, "sort"),
                     0);
    ck_assert_int_eq(mr_mill_leases(&lone.mill, "main"), 1);
    mr_proxy_pass(&lone.proxy, MR_TO_CLIENT);
    mr_lone_expect_ends(&lone, 2, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/* One whose names are used up has left to be replaced; nobody is here to do so but the test. */
static bool is_empty_or_replaced(void)
{
    if (!mr_proc_alive(lone.mill.workers[0].pid)) {
        ck_assert_int_eq(mr_proc_exit_status(&lone.mill.workers[0], MR_LONE_PATIENCE_MS), 75);
        mr_mill_work(&lone.mill, 0, lone.proxy.url);
    }
    return mr_mill_is_empty(&lone.mill, "main");
}

/* Wherever in a busy stream the cut falls, in a command or a reply: each job ends, none is settled twice. */
START_TEST(a_connection_cut_anywhere_loses_nothing)
{
    enum { JOBS = 40 };

    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    mr_mill_dispatch(&lone.mill, 0, 0);
    for (unsigned cut = 0; cut < 6; cut++) {
        enum mr_proxy_side side = (_i + (int)cut) % 2 ? MR_TO_SERVER : MR_TO_CLIENT;

        mr_proxy_cut_after(&lone.proxy, side, 1 + (size_t)(_i * 97) + cut * 311);
        for (unsigned n = 0; n < JOBS; n++)
            mr_mill_push_ledger(&lone.mill, "main", cut * JOBS + n, n % 4, n % 5 == 0);
        mr_wait_for(is_empty_or_replaced(), 2 * MR_LONE_PATIENCE_MS);
    }
    struct mr_mill_tally ends = mr_mill_count(&lone.mill, 'e', 6 * JOBS);
    ck_assert_uint_ge(ends.least, 1);
    ck_assert_int_eq(mr_mill_dead(&lone.mill, "main"), 0);
    mr_lone_end(&lone);
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
        {when_lease_names_run_out_the_worker_is_replaced,                 0 },
        {a_comparison_that_is_cut_begins_anew,                            6 },
        {nothing_is_settled_or_fetched_before_the_comparison_is_answered, 0 },
        {a_connection_cut_anywhere_loses_nothing,                         12},
    };

    return mr_suite_run_slow("network", tests, 60);
}
