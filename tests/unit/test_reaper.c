#include "dispatcher/process.h"
#include "tests/support/grave.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_grave t;

START_TEST(a_clean_exit_gives_everything_back_untouched)
{
    mr_grave_open(&t);
    t.child.status = 0;
    mr_grave_lease(&t, 0, 1, 3, 0);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 3, (const int[]){1, 2, 3});
    mr_grave_assert_no_lease(&t);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "EXISTS " Q ":workers"), 0);
    ck_assert_int_gt(mr_redis_int(&t.house.redis, "ZSCORE " Q ":reaped %s", t.child.worker), 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).jobs_back, 3);
    mr_grave_close(&t);
}
END_TEST

START_TEST(leases_go_back_in_front_of_what_waits_each_in_order)
{
    mr_grave_open(&t);
    t.child.status = 0;
    mr_grave_ask(&t, "RPUSH " Q " waiting");
    mr_grave_lease(&t, 3, 1, 3, 0);
    mr_grave_reap(&t);
    ck_assert_int_eq(mr_grave_ask(&t, "LLEN " Q), 4);
    mr_grave_assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " 3"), "waiting");
    mr_grave_assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " 0"),
                         "{\"uuid\":\"u1\",\"job\":\"debug.noop\"}");
    mr_grave_close(&t);
}
END_TEST

START_TEST(finished_jobs_are_settled_from_the_page)
{
    mr_grave_open(&t);
    t.child.status = 0;
    mr_grave_lease(&t, 0, 1, 4, 0);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 0)->done[0], 1u << 0 | 1u << 2);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 2, (const int[]){2, 4});
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).jobs_settled, 2);
    mr_grave_close(&t);
}
END_TEST

START_TEST(a_crash_costs_the_culprit_an_attempt)
{
    mr_grave_open(&t);
    t.child.status = EXIT_CRASH;
    mr_grave_lease(&t, 0, 1, 3, 0);
    atomic_store(&t.child.page.header->crash_signal, SIGSEGV);
    atomic_store(&t.child.page.header->crash_place, 1);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 2, (const int[]){1, 3});
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 1);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).crashes, 1);
    mr_grave_close(&t);
}
END_TEST

/* One poison job among nine innocent ones dies alone; no neighbour's byte changes. */
START_TEST(poison_rule_spares_the_neighbours)
{
    mr_grave_open(&t);
    t.child.status = EXIT_CRASH;
    mr_grave_lease(&t, 0, 1, 9, 0);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:1 " POISON, t.child.worker,
                 ",\"attempts\":2,\"crashes\":2,\"maxTries\":9");
    t.child.page.places[9].k = 1;
    atomic_store(&t.child.page.places[9].state, MR_PLACE_PARSING);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 1)->n, 1);
    atomic_store(&t.child.page.header->crash_place, 9);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 9, (const int[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 0);
    mr_grave_assert_dead(&t, "crashed", "crashed: SIGSEGV");
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

START_TEST(an_unexplained_death_makes_suspects_of_all_that_ran)
{
    mr_grave_open(&t);
    mr_grave_lease(&t, 0, 1, 3, 0);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 0, NULL);
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 3);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "suspect"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 0);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).suspects, 3);
    mr_grave_close(&t);
}
END_TEST

/* Its mark outlived the worker. */
START_TEST(the_next_delivery_learns_that_it_is_in_doubt)
{
    mr_grave_open(&t);
    mr_grave_lease(&t, 0, 1, 1, 0);
    atomic_store(&t.child.page.places[0].marks, _i ? MR_PAGE_HANDED : 0);
    mr_grave_reap(&t);
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "inDoubt"), _i);
    mr_grave_close(&t);
}
END_TEST

START_TEST(our_own_kill_times_out_only_the_late_one)
{
    mr_grave_open(&t);
    t.child.killed_by_us = true;
    mr_grave_lease(&t, 0, 1, 3, 0);
    t.child.page.places[1].timed_out = 1;
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 2, (const int[]){1, 3});
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).timeouts, 1);
    mr_grave_close(&t);
}
END_TEST

/* A retry or dead that was not answered counts as an attempt, if its job is still in its place. */
START_TEST(a_verdict_that_never_arrived_costs_an_attempt)
{
    mr_grave_open(&t);
    t.child.status = 0;
    mr_grave_lease(&t, 0, 1, 2, 0);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:5 %s", t.child.worker, "");
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 5)->n, 1);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 5)->settling[0], 1);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 0)->settling[0], 1u << 1);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 1, (const int[]){1});
    ck_assert_int_eq(mr_grave_ask(&t, "ZCARD " Q ":delayed"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 0);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

START_TEST(bytes_nobody_can_read_become_a_letter_when_they_crashed)
{
    mr_grave_open(&t);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 %b", t.child.worker, "\xff\0{", 3);
    atomic_store(&t.child.page.places[0].state, MR_PLACE_PARSING);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 0)->n, 1);
    mr_grave_reap(&t);
    mr_grave_assert_dead(&t, "refused", "");
    mr_grave_assert_no_lease(&t);
    ck_assert_int_eq(mr_grave_ask(&t, "LLEN " Q), 0);
    mr_grave_close(&t);
}
END_TEST

START_TEST(many_leases_come_back_in_full)
{
    mr_grave_open(&t);
    t.child.status = 0;
    for (int i = 0; i < MR_GRAVE_NAMES * 100; i++)
        mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:%d %d", t.child.worker,
                     i % MR_GRAVE_NAMES, i);
    mr_grave_reap(&t);
    ck_assert_int_eq(mr_grave_ask(&t, "LLEN " Q), MR_GRAVE_NAMES * 100);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

/* A BLMOVE that was stopped overnight meets the closing string, and the job stays where it is. */
START_TEST(late_blmove_of_a_reaped_worker_leaves_the_job)
{
    mr_grave_open(&t);
    t.child.status = 0;
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:w3 woken", t.child.worker);
    mr_grave_reap(&t);
    mr_grave_assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " 0"), "woken");
    for (int j = 0; j < MR_WAKES; j++) {
        redisReply *late = mr_redis_ask(
            &t.house.redis, "BLMOVE " Q " " Q ":lease:%s:w%d LEFT RIGHT 1", t.child.worker, j);

        ck_assert_int_eq(late->type, REDIS_REPLY_ERROR);
        freeReplyObject(late);
    }
    ck_assert_int_eq(mr_grave_ask(&t, "LLEN " Q), 1);
    mr_grave_close(&t);
}
END_TEST

START_TEST(a_second_look_finds_what_came_late)
{
    mr_grave_open(&t);
    t.child.status = 0;
    mr_grave_reap(&t);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 late", t.child.worker);
    mr_redis_int(&t.house.redis, "DEL " Q ":lease:%s:w0", t.child.worker);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:w0 later", t.child.worker);
    mr_house_until(&t.house, mr_grave_ask(&t, "LLEN " Q) == 2);
    mr_grave_assert_no_lease(&t);
    mr_grave_close(&t);
}
END_TEST

/* What a worker started must not go on while its job runs again. */
START_TEST(what_is_left_of_its_session_dies_first)
{
    mr_grave_open(&t);
    int ends[2];
    char byte;

    mr_process_inherit_descendants();
    ck_assert_int_eq(pipe(ends), 0);
    pid_t leader = fork();
    ck_assert_int_ge(leader, 0);
    if (leader == 0) {
        setsid(); /* as every worker has its own */
        if (fork() == 0) {
            setpgid(0, 0);
            alarm(60); /* whatever becomes of the test */
            close(ends[0]);
            while (write(ends[1], "x", 1) == 1)
                pause();
        }
        _exit(1);
    }
    close(ends[1]);
    waitpid(leader, NULL, 0);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1); /* the grandchild lives */
    t.child.pid = leader;
    mr_grave_lease(&t, 0, 1, 1, 0);
    mr_grave_reap(&t);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* and is gone: nobody holds the other end */
    close(ends[0]);
    mr_grave_close(&t);
}
END_TEST

/* n noisy jobs in lease 0, none of them begun. */
static void lease_unread(int n)
{
    mr_grave_lease(&t, 0, 1, n, 0);
    for (int i = 0; i < n; i++)
        atomic_store(&t.child.page.places[i].state, MR_PLACE_FREE);
}

START_TEST(a_death_that_nothing_explains_is_reported)
{
    mr_grave_open(&t);
    lease_unread(2);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 2, (const int[]){1, 2});
    ck_assert(t.child.unexplained);
    mr_grave_close(&t);
}
END_TEST

START_TEST(a_death_with_nothing_in_hand_is_nobodys)
{
    mr_grave_open(&t);
    mr_grave_reap(&t);
    ck_assert(!t.child.unexplained);
    mr_grave_close(&t);
}
END_TEST

/* PROTOCOL 19: with one job at a time, the job that killed its worker unread is known. */
START_TEST(the_unread_job_of_a_careful_worker_pays_for_its_death)
{
    mr_grave_open(&t);
    t.child.one_by_one = true;
    lease_unread(1);
    mr_grave_reap(&t);
    mr_grave_assert_ready(&t, 0, NULL);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "attempts"), 1);
    ck_assert_int_eq(mr_grave_delayed_number(&t, "crashes"), 1);
    ck_assert(!t.child.unexplained);
    mr_grave_close(&t);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_clean_exit_gives_everything_back_untouched,            0},
        {leases_go_back_in_front_of_what_waits_each_in_order,     0},
        {finished_jobs_are_settled_from_the_page,                 0},
        {a_crash_costs_the_culprit_an_attempt,                    0},
        {poison_rule_spares_the_neighbours,                       0},
        {an_unexplained_death_makes_suspects_of_all_that_ran,     0},
        {the_next_delivery_learns_that_it_is_in_doubt,            2},
        {our_own_kill_times_out_only_the_late_one,                0},
        {a_verdict_that_never_arrived_costs_an_attempt,           0},
        {bytes_nobody_can_read_become_a_letter_when_they_crashed, 0},
        {many_leases_come_back_in_full,                           0},
        {late_blmove_of_a_reaped_worker_leaves_the_job,           0},
        {a_second_look_finds_what_came_late,                      0},
        {what_is_left_of_its_session_dies_first,                  0},
        {a_death_that_nothing_explains_is_reported,               0},
        {a_death_with_nothing_in_hand_is_nobodys,                 0},
        {the_unread_job_of_a_careful_worker_pays_for_its_death,   0},
    };

    return mr_suite_run("reaper", tests);
}
