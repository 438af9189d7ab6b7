#include "dispatcher/blame.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>

enum { PLACES = 6, KILLED = SIGKILL, SEGV = SIGSEGV };

#define EXITED(status) ((status) << 8)

static struct mr_page page;
static struct mr_blames blames;

static void open_page(void)
{
    const struct mr_page_shape shape = {
        .n_queues = 2, .n_names = 4, .n_places = PLACES, .n_threads = 2};
    const char *const queues[] = {"high", "low"};
    char worker[MR_WORKER_MAX];

    mr_worker_make(worker, shape.n_names);
    ck_assert_int_eq(mr_page_create_private(&shape, worker, "pool", queues, &page, NULL),
                     MR_OK);
    atomic_store(&page.header->state, MR_WORKER_SERVING);
}

static void close_page(void)
{
    mr_blames_fini(&blames);
    mr_page_unmap(&page);
}

/* Place i runs the job at index i of lease 1 of queue 0. */
static void run_places(unsigned n)
{
    atomic_store(&mr_page_lease_of(&page, 0, 1)->n, n);
    for (unsigned i = 0; i < n; i++) {
        page.places[i].k = 1;
        page.places[i].index = i;
        atomic_store(&page.places[i].state, MR_PLACE_RUNNING);
    }
}

static void decide(int status, bool killed_by_us)
{
    const struct mr_death death = {.status = status, .killed_by_us = killed_by_us};

    mr_blames_fini(&blames);
    mr_blame_decide(&page, &death, &blames);
}

static void assert_only(uint32_t index, enum mr_outcome_kind outcome)
{
    ck_assert_uint_eq(blames.n_items, 1);
    ck_assert_uint_eq(blames.items[0].queue, 0);
    ck_assert_uint_eq(blames.items[0].k, 1);
    ck_assert_uint_eq(blames.items[0].index, index);
    ck_assert_int_eq(blames.items[0].outcome, outcome);
}

static const struct {
    int status;
    enum mr_worker_state state;
} clean[] = {
    {EXITED(0),  MR_WORKER_LEFT    },
    {EXITED(75), MR_WORKER_DRAINING},
    {EXITED(76), MR_WORKER_SERVING },
    {-1,         MR_WORKER_LEFT    }, /* an orphan: its page says that it left */
};

START_TEST(nobody_is_blamed_for_an_exit_in_order)
{
    open_page();
    run_places(3);
    atomic_store(&page.current[0], 1);
    atomic_store(&page.header->state, clean[_i].state);
    decide(clean[_i].status, false);
    ck_assert_uint_eq(blames.n_items, 0);
    close_page();
}
END_TEST

START_TEST(the_thread_that_crashed_names_the_culprit)
{
    open_page();
    run_places(5);
    atomic_store(&page.current[0], 0);
    atomic_store(&page.header->crash_signal, SIGSEGV);
    atomic_store(&page.header->crash_place, 3);
    decide(SEGV, false);
    assert_only(3, MR_OUTCOME_CRASHED);
    struct mr_outcome outcome = mr_blame_outcome(&blames, &blames.items[0]);
    ck_assert_str_eq(outcome.reason, "crashed: SIGSEGV");
    mr_outcome_fini(&outcome);
    close_page();
}
END_TEST

START_TEST(an_orphans_crash_is_read_from_its_page)
{
    open_page();
    run_places(5);
    atomic_store(&page.header->crash_signal, SIGSEGV);
    atomic_store(&page.header->crash_place, 2);
    decide(-1, false);
    assert_only(2, MR_OUTCOME_CRASHED);
    ck_assert_str_eq(blames.cause, "SIGSEGV");
    close_page();
}
END_TEST

static const int unexplained[] = {KILLED, EXITED(1), EXITED(70), SIGTERM, -1};

START_TEST(the_only_one_that_ran_did_it)
{
    open_page();
    run_places(1);
    decide(unexplained[_i], false);
    assert_only(0, MR_OUTCOME_CRASHED);
    close_page();
}
END_TEST

START_TEST(parsing_counts_as_running)
{
    open_page();
    run_places(1);
    atomic_store(&page.places[0].state, MR_PLACE_PARSING);
    decide(KILLED, false);
    assert_only(0, MR_OUTCOME_CRASHED);
    close_page();
}
END_TEST

START_TEST(of_several_whose_code_the_loop_was_in_did_it)
{
    open_page();
    run_places(4);
    atomic_store(&page.current[0], 2);
    decide(unexplained[_i], false);
    assert_only(2, MR_OUTCOME_CRASHED);
    close_page();
}
END_TEST

START_TEST(otherwise_all_that_ran_are_suspects)
{
    open_page();
    run_places(4);
    atomic_store(&page.current[1], 2); /* threads are always inside of something */
    decide(unexplained[_i], false);
    ck_assert_uint_eq(blames.n_items, 4);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(blames.items[i].outcome, MR_OUTCOME_SUSPECT);
    close_page();
}
END_TEST

START_TEST(our_own_kill_blames_who_passed_his_deadline)
{
    open_page();
    run_places(4);
    page.places[3].timed_out = 1;
    atomic_store(&page.current[0], 1);
    decide(KILLED, true);
    assert_only(3, MR_OUTCOME_TIMED_OUT);
    close_page();
}
END_TEST

START_TEST(our_own_kill_of_a_loop_that_stood_still_blames_who_held_it)
{
    open_page();
    run_places(4);
    atomic_store(&page.current[0], 1);
    decide(KILLED, true);
    assert_only(1, MR_OUTCOME_TIMED_OUT);
    close_page();
}
END_TEST

START_TEST(our_own_kill_at_the_end_of_a_drain_blames_nobody)
{
    open_page();
    run_places(4);
    atomic_store(&page.current[0], 1);
    atomic_store(&page.header->state, MR_WORKER_DRAINING);
    decide(KILLED, true);
    ck_assert_uint_eq(blames.n_items, 0);
    close_page();
}
END_TEST

START_TEST(a_finished_job_is_not_running_any_more)
{
    open_page();
    run_places(2);
    atomic_store(&mr_page_lease_of(&page, 0, 1)->done[0], 1u << 0);
    decide(KILLED, false);
    assert_only(1, MR_OUTCOME_CRASHED);
    close_page();
}
END_TEST

START_TEST(a_verdict_that_may_not_have_arrived_is_lost_without_a_crash)
{
    open_page();
    run_places(2);
    atomic_store(&page.places[0].state, MR_PLACE_FREE);
    atomic_store(&page.places[1].state, MR_PLACE_FREE);
    atomic_store(&mr_page_lease_of(&page, 0, 1)->settling[0], 1u << 1);
    decide(KILLED, false);
    assert_only(1, MR_OUTCOME_LOST);
    ck_assert(blames.items[0].in_doubt);
    close_page();
}
END_TEST

START_TEST(an_address_out_of_bounds_is_not_believed)
{
    open_page();
    run_places(4);
    page.places[0].queue = 2;
    page.places[1].k = 4;
    page.places[2].index = MR_PAGE_BATCH;
    atomic_store(&page.header->crash_place, 4000000);
    atomic_store(&page.current[0], MR_PAGE_NOBODY - 1);
    decide(SEGV, false);
    assert_only(3, MR_OUTCOME_CRASHED);
    close_page();
}
END_TEST

/* Each of these leases holds n places; done: of the last one. */
static void hold(unsigned n_leases, unsigned n, bool done)
{
    for (unsigned i = 0; i < n_leases; i++)
        atomic_store(&mr_page_lease_of(&page, 0, 1 + i)->n, n);
    atomic_store(&mr_page_lease_of(&page, 0, n_leases)->done[0], done);
}

static void decide_one_by_one(int status)
{
    const struct mr_death death = {.status = status, .one_by_one = true};

    mr_blames_fini(&blames);
    mr_blame_decide(&page, &death, &blames);
}

START_TEST(nothing_begun_and_a_batch_leased_explains_no_death)
{
    open_page();
    hold(1, 1, false);
    atomic_store(&page.header->crash_place, MR_PAGE_NOBODY);
    decide(SIGABRT, false);
    ck_assert_uint_eq(blames.n_items, 0);
    ck_assert(blames.unexplained);
    decide(KILLED, true);
    ck_assert(!blames.unexplained);
    decide(EXITED(75), false);
    ck_assert(!blames.unexplained);
    decide(-1, false); /* how an orphan ended, nobody saw */
    ck_assert(!blames.unexplained);
    run_places(1);
    decide(KILLED, false);
    ck_assert(!blames.unexplained);
    close_page();
}
END_TEST

START_TEST(the_only_job_of_a_careful_worker_killed_it_unread)
{
    open_page();
    hold(1, 1, false);
    atomic_store(&page.header->crash_place, MR_PAGE_NOBODY);
    decide_one_by_one(SIGABRT);
    assert_only(0, MR_OUTCOME_CRASHED);
    ck_assert(!blames.unexplained);
    struct mr_outcome outcome = mr_blame_outcome(&blames, &blames.items[0]);
    ck_assert_str_eq(outcome.reason,
                     "crashed: SIGABRT, its worker died before it could be read");
    mr_outcome_fini(&outcome);
    close_page();
}
END_TEST

static const struct {
    unsigned n_leases, n;
    bool done;
    uint64_t finished;
} not_the_only[] = {
    {2, 1, false, 0}, /* either may have done it */
    {1, 2, false, 0},
    {1, 1, true,  0}, /* its verdict stood */
    {1, 1, false, 1}, /* it took as many as it liked by then */
};

START_TEST(a_careful_worker_with_more_or_less_than_one_blames_nobody)
{
    open_page();
    hold(not_the_only[_i].n_leases, not_the_only[_i].n, not_the_only[_i].done);
    atomic_store(&page.header->finished, not_the_only[_i].finished);
    decide_one_by_one(KILLED);
    ck_assert_uint_eq(blames.n_items, 0);
    ck_assert(blames.unexplained);
    close_page();
}
END_TEST

START_TEST(what_a_careful_worker_runs_is_blamed_before_what_it_holds)
{
    open_page();
    run_places(1);
    atomic_store(&mr_page_lease_of(&page, 0, 2)->n, 1);
    decide_one_by_one(KILLED);
    assert_only(0, MR_OUTCOME_CRASHED);
    ck_assert(!blames.items[0].unread);
    close_page();
}
END_TEST

/* ---- what a remote side may have done ---- */

/* How it ended: status, by whom, the state of the job that is in doubt; what is said of that job. */
static const struct {
    int status;
    bool killed_by_us;
    enum mr_place_state state;
    enum mr_outcome_kind outcome;
} doubts[] = {
    {SEGV,       false, MR_PLACE_RUNNING,   MR_OUTCOME_LOST}, /* its neighbour's doing */
    {SEGV,       false, MR_PLACE_CANCELLED, MR_OUTCOME_LOST},
    {KILLED,     true,  MR_PLACE_CANCELLED, MR_OUTCOME_LOST}, /* at the end of a drain */
    {EXITED(76), false, MR_PLACE_RUNNING,   MR_OUTCOME_LOST}, /* a fenced worker leaves at once */
};

START_TEST(who_is_in_doubt_is_named_however_the_worker_ended)
{
    open_page();
    run_places(4);
    atomic_store(&page.header->state, MR_WORKER_DRAINING);
    atomic_store(&page.header->crash_signal, SIGSEGV);
    atomic_store(&page.header->crash_place, 0);
    atomic_store(&page.places[2].state, doubts[_i].state);
    atomic_store(&page.places[2].marks, MR_PAGE_HANDED);
    decide(doubts[_i].status, doubts[_i].killed_by_us);
    const struct mr_blame *last = &blames.items[blames.n_items - 1];
    ck_assert_uint_eq(blames.n_items, doubts[_i].status == SEGV ? 2 : 1);
    ck_assert_uint_eq(last->index, 2);
    ck_assert_int_eq(last->outcome, doubts[_i].outcome);
    ck_assert(last->in_doubt);
    ck_assert_int_eq(blames.items[0].in_doubt, blames.n_items == 1);
    close_page();
}
END_TEST

START_TEST(of_suspects_the_marked_alone_is_in_doubt)
{
    open_page();
    run_places(4);
    atomic_store(&page.places[1].marks, MR_PAGE_HANDED);
    atomic_store(&page.places[2].marks, ~MR_PAGE_HANDED);
    decide(KILLED, false);
    ck_assert_uint_eq(blames.n_items, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(blames.items[i].outcome, MR_OUTCOME_SUSPECT);
        ck_assert_int_eq(blames.items[i].in_doubt, i == 1);
    }
    close_page();
}
END_TEST

START_TEST(what_is_settled_is_in_no_doubt)
{
    open_page();
    run_places(1);
    atomic_store(&page.places[0].marks, MR_PAGE_HANDED);
    atomic_store(&mr_page_lease_of(&page, 0, 1)->done[0], 1u << 0);
    decide(KILLED, false);
    ck_assert_uint_eq(blames.n_items, 0);
    close_page();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {nobody_is_blamed_for_an_exit_in_order,                       MR_COUNT(clean)       },
        {the_thread_that_crashed_names_the_culprit,                   0                     },
        {an_orphans_crash_is_read_from_its_page,                      0                     },
        {the_only_one_that_ran_did_it,                                MR_COUNT(unexplained) },
        {parsing_counts_as_running,                                   0                     },
        {of_several_whose_code_the_loop_was_in_did_it,                MR_COUNT(unexplained) },
        {otherwise_all_that_ran_are_suspects,                         MR_COUNT(unexplained) },
        {our_own_kill_blames_who_passed_his_deadline,                 0                     },
        {our_own_kill_of_a_loop_that_stood_still_blames_who_held_it,  0                     },
        {our_own_kill_at_the_end_of_a_drain_blames_nobody,            0                     },
        {a_finished_job_is_not_running_any_more,                      0                     },
        {who_is_in_doubt_is_named_however_the_worker_ended,           MR_COUNT(doubts)      },
        {of_suspects_the_marked_alone_is_in_doubt,                    0                     },
        {what_is_settled_is_in_no_doubt,                              0                     },
        {a_verdict_that_may_not_have_arrived_is_lost_without_a_crash, 0                     },
        {an_address_out_of_bounds_is_not_believed,                    0                     },
        {nothing_begun_and_a_batch_leased_explains_no_death,          0                     },
        {the_only_job_of_a_careful_worker_killed_it_unread,           0                     },
        {a_careful_worker_with_more_or_less_than_one_blames_nobody,   MR_COUNT(not_the_only)},
        {what_a_careful_worker_runs_is_blamed_before_what_it_holds,   0                     },
    };

    return mr_suite_run("blame", tests);
}
