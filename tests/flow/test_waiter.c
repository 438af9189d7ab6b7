/* The waiter of an idle worker: its connection is lost at every point, and no job with it. */
#include "proto/scripts.h"
#include "tests/support/lone.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <string.h>

#define Q MR_MILL_PREFIX "queues:main"
#define SHA(script) mr_script_row(script)->sha1

static struct mr_lone lone;

static const enum mr_proxy_trap losses[] = {MR_TRAP_LOSE_REPLY, MR_TRAP_CUT_BEFORE};

static void wait_until_idle(void)
{
    mr_wait_for(mr_mill_is_waiting(&lone.mill), MR_LONE_PATIENCE_MS);
}

static void only_waiters(void)
{
    mr_proxy_only(&lone.proxy, "millrace-wait");
}

static bool is_closed(unsigned j)
{
    redisReply *keys = mr_redis_ask(&lone.mill.redis, "KEYS " Q ":lease:*:w%u", j);
    bool closed = false;

    if (keys->elements == 1) {
        redisReply *type = mr_redis_ask(&lone.mill.redis, "TYPE %s", keys->element[0]->str);

        closed = strcmp(type->str, "string") == 0;
        freeReplyObject(type);
    }
    freeReplyObject(keys);
    return closed;
}

/* The job was moved for a waiter that never hears of it. */
START_TEST(a_waiter_whose_reply_is_lost_loses_no_job)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_proxy_trap(&lone.proxy, MR_TRAP_LOSE_REPLY, "\r\nBLMOVE\r\n");
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    wait_until_idle();
    mr_lone_push(&lone, 0, 1, 0, 0);
    mr_lone_expect_ends(&lone, 1, 1, 1);
    ck_assert(is_closed(0));
    mr_lone_push(&lone, 1, 20, 0, 0);
    mr_lone_expect_ends(&lone, 21, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

START_TEST(the_script_behind_a_waiter_whose_reply_is_lost_loses_no_job)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    only_waiters();
    wait_until_idle();
    mr_proxy_cut_after(&lone.proxy, MR_TO_CLIENT, 40); /* in the middle of what BLMOVE brings */
    mr_lone_push(&lone, 0, 1, 0, 0);
    mr_lone_expect_ends(&lone, 1, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/*
 * BLMOVE does not ask whether its list exists: were the name armed again, the late one would push a second job into a list of one
 * place. A string under the name makes it fail, and the job stays where it is.
 */
START_TEST(a_late_waiter_finds_its_name_closed_and_the_job_stays)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_proxy_trap(&lone.proxy, MR_TRAP_HOLD, "\r\nBLMOVE\r\n");
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    only_waiters();
    mr_proxy_cut(&lone.proxy);
    mr_wait_for(is_closed(0), MR_LONE_PATIENCE_MS);
    wait_until_idle(); /* on the next name */
    mr_mill_pause(&lone.mill, "main");
    mr_wait_for(!mr_mill_is_waiting(&lone.mill), MR_LONE_PATIENCE_MS);
    mr_lone_push(&lone, 0, 3, 0, 0);
    mr_proxy_deliver(&lone.proxy, 1);
    ck_assert_int_eq(mr_mill_ready(&lone.mill, "main"), 3);
    ck_assert(is_closed(0));
    mr_mill_resume(&lone.mill, "main");
    mr_lone_expect_ends(&lone, 3, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

/* As long as nobody has heard that the name is closed it may not be: a job under it would stay for ever. */
START_TEST(closing_a_wake_name_is_said_until_it_is_answered)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    wait_until_idle();
    mr_proxy_trap(&lone.proxy, losses[_i], SHA(MR_SCRIPT_CLOSE));
    mr_mill_kill_waiters(&lone.mill);
    mr_wait_for(mr_proxy_sprung(&lone.proxy), MR_LONE_PATIENCE_MS);
    mr_wait_for(is_closed(0), MR_LONE_PATIENCE_MS);
    mr_lone_push(&lone, 0, 20, 0, 0);
    mr_lone_expect_ends(&lone, 20, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

START_TEST(closing_a_wake_name_survives_an_emptied_script_cache)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    wait_until_idle();
    only_waiters();
    freeReplyObject(mr_redis_ask(&lone.mill.redis, "SCRIPT FLUSH"));
    mr_proxy_cut(&lone.proxy);
    mr_wait_for(is_closed(0), MR_LONE_PATIENCE_MS);
    mr_lone_push(&lone, 0, 20, 0, 0);
    mr_lone_expect_ends(&lone, 20, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

START_TEST(when_all_wake_names_are_used_up_the_worker_is_replaced)
{
    mr_lone_begin(&lone, mr_lone_four);
    mr_mill_work(&lone.mill, 0, lone.proxy.url);
    only_waiters();
    for (unsigned j = 0; j < 8; j++) {
        mr_wait_for(mr_mill_is_waiting(&lone.mill) || lone.mill.workers[0].pid == 0,
                    MR_LONE_PATIENCE_MS);
        mr_proxy_cut(&lone.proxy);
        mr_wait_for(is_closed(j), MR_LONE_PATIENCE_MS);
    }
    ck_assert_int_eq(mr_proc_exit_status(&lone.mill.workers[0], MR_LONE_PATIENCE_MS), 75);
    mr_lone_push(&lone, 0, 1, 0, 0);
    mr_lone_work(&lone);
    mr_lone_expect_ends(&lone, 1, 1, 1);
    mr_lone_end(&lone);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_waiter_whose_reply_is_lost_loses_no_job,                   0},
        {the_script_behind_a_waiter_whose_reply_is_lost_loses_no_job, 0},
        {a_late_waiter_finds_its_name_closed_and_the_job_stays,       0},
        {closing_a_wake_name_is_said_until_it_is_answered,            2},
        {closing_a_wake_name_survives_an_emptied_script_cache,        0},
        {when_all_wake_names_are_used_up_the_worker_is_replaced,      0},
    };

    return mr_suite_run_slow("waiter", tests, 60);
}
