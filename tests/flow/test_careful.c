/* A job whose mere coming kills its worker, before it can be read. */
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A giant does not fit into a worker whose address space ends there; everything else does. */
enum { GIANT_BYTES = 64 << 20, WORKER_KIB = 160 << 10, INNOCENTS = 40, GIANT_AT = 3 };

static struct mr_mill mill;

/* A worker that cannot have more memory than that; its dispatcher can. */
static void write_bounded_worker(char path[PATH_MAX])
{
    char worker[PATH_MAX];

    mr_proc_built("worker/millrace-worker", worker, sizeof(worker));
    snprintf(path, PATH_MAX, "%s/bounded-worker", mill.redis.dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\nexport MALLOC_ARENA_MAX=1\nulimit -v %d\nexec %s \"$@\"\n",
            WORKER_KIB, worker);
    fclose(file);
    ck_assert_int_eq(chmod(path, 0700), 0);
}

static void start(const char *limits, unsigned processes)
{
    static char yaml[PATH_MAX + 512];
    char program[PATH_MAX];

    mr_mill_start(&mill, yaml, NULL);
    write_bounded_worker(program);
    snprintf(yaml, sizeof(yaml),
             "lease: 5s\nworker_program: %s\n%s"
             "pools: { main: { queues: [main], processes: %u, concurrency: 8, tries: 10,"
             " max_crashes: 3, backoff: 10ms..50ms } }\n",
             program, limits, processes);
}

static void push_giant(void)
{
    static const char begin[] =
        "{\"uuid\":\"giant\",\"job\":\"ledger.write\",\"data\":{\"x\":\"";
    static const char end[] = "\"}}";
    char *payload = malloc(GIANT_BYTES);

    ck_assert_ptr_nonnull(payload);
    memset(payload, 'x', GIANT_BYTES);
    memcpy(payload, begin, strlen(begin));
    memcpy(payload + GIANT_BYTES - strlen(end), end, strlen(end));
    mr_mill_push_raw(&mill, "main", payload, GIANT_BYTES);
    free(payload);
}

static void push_giant_among_innocents(void)
{
    for (unsigned n = 0; n < INNOCENTS; n++) {
        if (n == GIANT_AT)
            push_giant();
        mr_mill_push_ledger(&mill, "main", n, 0, 0);
    }
}

static void await_the_end(const char *class, const char *reason)
{
    mr_wait_for(mr_mill_dead(&mill, "main") == 1 && mr_mill_is_empty(&mill, "main"), 90000);
    mr_mill_await_letter(&mill, "main", class, reason);
    ck_assert_uint_ge(mr_mill_count(&mill, 'e', INNOCENTS).least, 1);
}

/* The care is over with the next delivery, and a worker that is started then is as any other. */
static void assert_back_to_normal(void)
{
    const struct mr_proc *dispatcher = &mill.dispatchers[0];
    pid_t workers[MR_PROC_LIST];
    char cmdline[PATH_MAX];

    ck_assert(mr_proc_said(dispatcher, "pool.careful "));
    mr_mill_push_ledger(&mill, "main", INNOCENTS, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', INNOCENTS) == 1, 20000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 20000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    kill(workers[0], SIGKILL);
    mr_mill_push_ledger(&mill, "main", INNOCENTS + 1, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', INNOCENTS + 1) == 1, 20000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    mr_proc_cmdline(workers[0], cmdline, sizeof(cmdline));
    ck_assert(mr_proc_said(dispatcher, "pool.careful_over"));
    ck_assert_msg(!strstr(cmdline, "--one-by-one"), "%s", cmdline);
}

START_TEST(a_job_that_kills_whoever_reads_it_dies_alone)
{
    start("limits: { payload: 512MiB }\n", 1);
    push_giant_among_innocents();
    mr_mill_dispatch(&mill, 0, 1);
    await_the_end("crashed", "its worker died before it could be read");
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "uuid")), "giant");
    ck_assert_int_eq(json_integer_value(json_object_get(letter, "crashes")), 3);
    json_decref(letter);
    assert_back_to_normal();
    mr_mill_stop(&mill);
}
END_TEST

/* Its bytes are over what the dispatcher reads, so that it is refused as soon as it is found. */
START_TEST(one_over_the_limit_of_payloads_is_refused_for_its_worker)
{
    start("", 1);
    push_giant_among_innocents();
    mr_mill_dispatch(&mill, 0, 1);
    await_the_end("refused", "limits.payload");
    assert_back_to_normal();
    mr_mill_stop(&mill);
}
END_TEST

/* It is handed from waiter to waiter, and stands in no lease when it kills. */
START_TEST(waiting_workers_are_not_killed_one_after_another_for_ever)
{
    enum { WORKERS = 3 };

    start("limits: { payload: 512MiB }\n", WORKERS);
    mr_mill_dispatch(&mill, 0, WORKERS);
    push_giant_among_innocents();
    await_the_end("crashed", "its worker died before it could be read");
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_job_that_kills_whoever_reads_it_dies_alone,              0},
        {one_over_the_limit_of_payloads_is_refused_for_its_worker,  0},
        {waiting_workers_are_not_killed_one_after_another_for_ever, 0},
    };

    return mr_suite_run_slow("careful", tests, 120);
}
