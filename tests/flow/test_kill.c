/* Processes die at any instruction, and no job is lost. */
#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char four_workers[] =
    "lease: 2s\ngrace: 5s\n"
    "pools: { main: { queues: [main], processes: 4, concurrency: 10, tries: 50,"
    " max_crashes: 50, backoff: 10ms..50ms } }\n";

static struct mr_mill mill;
static struct mr_random dice = {.state = 7};

static void kill_a_worker(void)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&mill, 0, workers);

    if (n > 0)
        kill(workers[mr_random_below(&dice, (uint64_t)n)], SIGKILL);
}

START_TEST(workers_killed_midjob_lose_nothing)
{
    enum { JOBS = 3000, KILLS = 40 };
    unsigned kills = 0;

    mr_mill_start(&mill, four_workers, NULL);
    mr_mill_dispatch(&mill, 0, 4);
    for (unsigned n = 0; n < JOBS; n++) {
        mr_mill_push_ledger(&mill, "main", n, n % 20, 0);
        if (n % (JOBS / KILLS) == 0) {
            kill_a_worker();
            kills++;
        }
    }
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 60000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    ck_assert_uint_ge(ends.least, 1);
    printf("# %u kills, %u jobs, %u repeated\n", kills, JOBS, ends.total - JOBS);
    /* A kill repeats at most what was in the middle of its handler or just behind it. */
    ck_assert_uint_le(ends.total - JOBS, kills * 2);
    mr_mill_stop(&mill);
}
END_TEST

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The process that started job-<n> last, as the ledger says. */
static pid_t runner_of(unsigned n)
{
    char line[160], wanted[32];
    pid_t pid = 0;
    FILE *ledger = fopen(mill.ledger, "re");

    snprintf(wanted, sizeof(wanted), "s job-%u ", n);
    while (fgets(line, sizeof(line), ledger))
        if (strncmp(line, wanted, strlen(wanted)) == 0)
            pid = atoi(line + strlen(wanted));
    fclose(ledger);
    return pid;
}

static bool is_back(void)
{
    return mr_mill_ready(&mill, "main") + mr_mill_delayed(&mill, "main") > 0;
}

START_TEST(a_killed_workers_job_is_given_back_at_once)
{
    enum { KILLS = 30 };
    uint64_t waits_us[KILLS];
    pid_t workers[MR_PROC_LIST];
    static const char one_at_a_time[] =
        "lease: 10s\ngrace: 5s\n"
        "pools: { main: { queues: [main], processes: 2, concurrency: 1, tries: 0,"
        " max_crashes: 100, backoff: 200ms..200ms } }\n";

    mr_mill_start(&mill, one_at_a_time, NULL);
    mr_mill_dispatch(&mill, 0, 2);
    for (unsigned n = 0; n < KILLS; n++) {
        mr_mill_push_ledger(&mill, "main", n, 200, 0);
        mr_wait_for(mr_mill_noted(&mill, 's', n) == 1, 10000);
        pid_t pid = runner_of(n);
        uint64_t killed_us = mr_clock_us();
        kill(pid, SIGKILL);
        mr_wait_for(is_back() || mr_mill_noted(&mill, 's', n) >= 2, 10000);
        waits_us[n] = mr_clock_us() - killed_us;
        mr_wait_for(mr_mill_noted(&mill, 'e', n) == 1, 10000);
        mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
        mr_wait_for(mr_mill_workers(&mill, 0, workers) == 2, 10000);
    }
    qsort(waits_us, KILLS, sizeof(waits_us[0]), by_size);
    /* The promise is a p99 below 100 ms; a shared machine gets a generous bound, and people get the figure. */
    printf("# reclaim, from the kill to the job's being back: p50 %.1f ms, p99 %.1f ms\n",
           (double)waits_us[KILLS / 2] / 1000, (double)waits_us[KILLS - 1] / 1000);
    ck_assert_uint_lt(waits_us[KILLS - 1], 2000 * 1000);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_killed_dispatcher_is_followed_by_another)
{
    enum { JOBS = 600 };
    pid_t before[MR_PROC_LIST];

    mr_mill_start(&mill, four_workers, NULL);
    mr_mill_dispatch(&mill, 0, 4);
    for (unsigned n = 0; n < JOBS; n++)
        mr_mill_push_ledger(&mill, "main", n, 20, 0);
    int n_before = mr_mill_workers(&mill, 0, before);
    mr_wait_for(mr_mill_count(&mill, 'e', JOBS).total > 20, 10000);
    mr_proc_kill(&mill.dispatchers[0]);
    /* Orphans finish what they run and leave by themselves; the new dispatcher takes what is left. */
    mr_mill_dispatch(&mill, 0, 4);
    for (int i = 0; i < n_before; i++)
        mr_wait_for(!mr_proc_alive(before[i]), 15000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 30000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1); /* nobody was interrupted */
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(dispatcher_and_workers_killed_together_lose_nothing)
{
    enum { JOBS = 600 };
    pid_t workers[MR_PROC_LIST];

    mr_mill_start(&mill, four_workers, NULL);
    mr_mill_dispatch(&mill, 0, 4);
    for (unsigned n = 0; n < JOBS; n++)
        mr_mill_push_ledger(&mill, "main", n, 20, 0);
    mr_wait_for(mr_mill_count(&mill, 'e', JOBS).total > 20, 10000);
    int n_workers = mr_mill_workers(&mill, 0, workers);
    mr_proc_kill(&mill.dispatchers[0]);
    for (int i = 0; i < n_workers; i++)
        kill(workers[i], SIGKILL);
    mr_mill_dispatch(&mill, 0, 4);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 30000);
    ck_assert_uint_ge(mr_mill_count(&mill, 'e', JOBS).least, 1);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(sigterm_under_load_costs_no_attempt)
{
    enum { JOBS = 800 };

    mr_mill_start(&mill, four_workers, NULL);
    for (unsigned n = 0; n < JOBS; n++)
        mr_mill_push_ledger(&mill, "main", n, 30, 0);
    for (int round = 0; round < 3; round++) {
        unsigned enough = (unsigned)(round + 1) * 100;

        mr_mill_dispatch(&mill, 0, 4);
        mr_wait_for(mr_mill_count(&mill, 'e', JOBS).total > enough, 20000);
        mr_mill_drain(&mill, 0, 20000);
        ck_assert_int_eq(mr_mill_leases(&mill, "main"), 0);
        ck_assert_int_eq(mr_mill_delayed(&mill, "main"), 0);
    }
    mr_mill_dispatch(&mill, 0, 4);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 30000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', JOBS);
    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1);
    FILE *ledger = fopen(mill.ledger, "re");
    char line[160];
    while (fgets(line, sizeof(line), ledger)) {
        int attempt = 0;

        ck_assert_int_eq(sscanf(line, "%*c %*s %*d %d", &attempt), 1);
        ck_assert_int_eq(attempt, 1);
    }
    fclose(ledger);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_poison_job_dies_and_its_nine_neighbours_do_not)
{
    enum { NEIGHBOURS = 9 };
    static const char one_worker[] =
        "lease: 2s\npools: { main: { queues: [main], processes: 1, concurrency: 10,"
        " tries: 10, max_crashes: 3, backoff: 10ms..50ms } }\n";
    static const char poison[] = "{\"uuid\":\"poison\",\"job\":\"debug.crash\",\"data\":{}}";

    mr_mill_start(&mill, one_worker, NULL);
    for (unsigned n = 0; n < NEIGHBOURS; n++)
        mr_mill_push_ledger(&mill, "main", n, 300, 0);
    mr_mill_push_raw(&mill, "main", poison, strlen(poison));
    mr_mill_dispatch(&mill, 0, 1);
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 30000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 30000);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "uuid")), "poison");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "class")), "crashed");
    ck_assert_int_eq(json_integer_value(json_object_get(letter, "crashes")), 3);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(letter, "reason")), "SIG"));
    json_decref(letter);
    ck_assert_uint_ge(mr_mill_count(&mill, 'e', NEIGHBOURS).least, 1);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {workers_killed_midjob_lose_nothing,                  0},
        {a_killed_workers_job_is_given_back_at_once,          0},
        {a_killed_dispatcher_is_followed_by_another,          0},
        {dispatcher_and_workers_killed_together_lose_nothing, 0},
        {sigterm_under_load_costs_no_attempt,                 0},
        {a_poison_job_dies_and_its_nine_neighbours_do_not,    0},
    };

    return mr_suite_run_slow("kill", tests, 120);
}
