/* exec: programs in any language, from the job's data on their standard input to the last of their children. */
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_mill mill;
static char yaml[1024];

static void path_of(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", mill.redis.dir, name);
}

/* A mill whose job "run" is this script of the shell, with $DIR its own folder; more: further options of the job. */
static void start(const char *script, const char *more)
{
    char path[128];

    mr_mill_start(&mill, yaml, NULL);
    path_of("script", path);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(script, file);
    fclose(file);
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], concurrency: 4, backoff: 50ms..100ms } }\n"
             "grace: 2s\n"
             "jobs: { run: { handler: exec, command: [/bin/sh, \"%s\"], env: { DIR: \"%s\" } "
             "%s } }\n",
             path, mill.redis.dir, more);
    mr_mill_dispatch(&mill, 0, 1);
}

static void push(const char *payload)
{
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

/* What a script left in a file, as text; "" when there is none. */
static const char *written(const char *name)
{
    static char text[8192];
    char path[128];
    size_t n = 0;

    path_of(name, path);
    FILE *file = fopen(path, "re");
    if (file) {
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[n] = '\0';
    return text;
}

static unsigned n_lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

START_TEST(a_program_gets_the_data_and_the_jobs_name_and_nothing_else)
{
    start("cat > $DIR/in; env > $DIR/env; ls /proc/self/fd > $DIR/fds\n", "");
    push("{\"uuid\":\"u-1\",\"job\":\"run\",\"data\":{\"b\": 0.10,\"n\":[ 9007199254740993 ],"
         "\"s\":\"\\u0000\xc3\xbc\"}}");
    mr_wait_for(mr_mill_is_empty(&mill, "main") && *written("fds"), 10000);
    ck_assert_str_eq(written("in"),
                     "{\"b\": 0.10,\"n\":[ 9007199254740993 ],\"s\":\"\\u0000\xc3\xbc\"}");
    ck_assert_ptr_nonnull(strstr(written("env"), "MILLRACE_UUID=u-1\n"));
    ck_assert_ptr_nonnull(strstr(written("env"), "MILLRACE_JOB=run\n"));
    ck_assert_ptr_nonnull(strstr(written("env"), "MILLRACE_QUEUE=main\n"));
    ck_assert_ptr_nonnull(strstr(written("env"), "MILLRACE_ATTEMPT=1\n"));
    ck_assert_ptr_null(strstr(written("env"), "MILLRACE_LEDGER")); /* the worker's own */
    ck_assert_str_eq(written("fds"), "0\n1\n2\n3\n");              /* 3: of ls itself */
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
}
END_TEST

static const struct {
    const char *script, *options, *class, *reason;
    unsigned runs;
} ends[] = {
    {"echo broken >&2; exit 3", "",                    "exhausted", "exit status 3: broken", 3},
    {"echo broken >&2; exit 3", ", retry: 75",         "failed",    "exit status 3: broken", 1},
    {"echo later >&2; exit 75", ", retry: [4, 75]",    "exhausted", "exit status 75: later", 3},
    {"exit 0",                  ", ok: [3], retry: 4", "failed",    "exit status 0",         1},
    {"kill -KILL $$",           ", tries: 2",          "exhausted", "killed by Killed",      2},
    {"exec /nowhere/at/all",    ", tries: 1",          "exhausted", "exit status 127",       1},
};

START_TEST(its_exit_status_says_what_came_of_it)
{
    char script[128];

    snprintf(script, sizeof(script), "echo x >> $DIR/runs\n%s\n", ends[_i].script);
    start(script, ends[_i].options);
    push("{\"job\":\"run\"}");
    mr_mill_await_letter(&mill, "main", ends[_i].class, ends[_i].reason);
    ck_assert_uint_eq(n_lines(written("runs")), ends[_i].runs);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_program_may_fail_first_and_succeed_later)
{
    start("echo x >> $DIR/runs; test $MILLRACE_ATTEMPT -eq 3 || exit 75\n", "");
    push("{\"job\":\"run\"}");
    mr_wait_for(n_lines(written("runs")) == 3 && mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- nothing of it is left ---- */

/*
 * Notes who of an earlier attempt still lives, then starts a child, and another in a group of its own, all deaf to polite signals.
 * The first attempt stays, a later one is done.
 */
static const char family[] =
    "trap '' TERM HUP INT\n"
    "for pid in $(cat $DIR/pids); do\n"
    "    case $(cat /proc/$pid/stat) in '' | *') Z '*) ;; *) echo $pid >> $DIR/alive ;; esac\n"
    "done 2>> $DIR/trouble\n"
    "test $MILLRACE_ATTEMPT -eq 1 || { echo x > $DIR/done; exit 0; }\n"
    "sleep 600 &\n"
    "echo $! >> $DIR/pids\n"
    "set -m\n"
    "sleep 600 &\n"
    "echo $! >> $DIR/pids\n"
    "set +m\n"
    "echo $$ >> $DIR/pids\n"
    "wait\n";

static unsigned n_alive(void)
{
    char pids[256], *rest = pids;
    unsigned n = 0;

    snprintf(pids, sizeof(pids), "%s", written("pids"));
    for (char *pid; (pid = strtok_r(rest, "\n", &rest));)
        n += mr_proc_alive(atoi(pid));
    return n;
}

static void await_second_attempt(void)
{
    mr_wait_for(*written("done") && mr_mill_is_empty(&mill, "main"), 20000);
    ck_assert_str_eq(written("alive"), "");
    ck_assert_uint_eq(n_alive(), 0);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
}

START_TEST(the_deadline_ends_it_and_its_children)
{
    start("sleep 600 & echo $! > $DIR/pids; sleep 600 & echo $! >> $DIR/pids\n"
          "trap '' TERM; while :; do sleep 1; done\n",
          ", timeout: 300ms, tries: 1");
    push("{\"job\":\"run\"}");
    mr_mill_await_letter(&mill, "main", "timed_out", "ran longer than its 300ms");
    mr_wait_for(n_alive() == 0, 5000);
    ck_assert(!mr_proc_said(&mill.dispatchers[0], "job.stuck"));
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_killed_workers_program_is_dead_before_the_job_runs_again)
{
    pid_t workers[MR_PROC_LIST];

    start(family, "");
    push("{\"uuid\":\"u-1\",\"job\":\"run\"}");
    mr_wait_for(n_lines(written("pids")) == 3, 10000);
    ck_assert_uint_eq(n_alive(), 3);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    kill(workers[0], SIGKILL);
    await_second_attempt();
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(the_next_dispatcher_kills_what_the_last_one_could_not)
{
    pid_t workers[MR_PROC_LIST];

    start(family, "");
    push("{\"uuid\":\"u-1\",\"job\":\"run\"}");
    mr_wait_for(n_lines(written("pids")) == 3, 10000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    mr_proc_kill(&mill.dispatchers[0]);
    kill(workers[0], SIGKILL);
    mr_wait_for(!mr_proc_alive(workers[0]), 5000);
    ck_assert_uint_eq(n_alive(), 3);
    mr_mill_dispatch(&mill, 0, 1);
    await_second_attempt();
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_drained_worker_leaves_no_program_and_spends_no_attempt)
{
    start("echo $MILLRACE_ATTEMPT >> $DIR/runs; echo $$ > $DIR/pids; exec sleep 600\n", "");
    push("{\"uuid\":\"u-1\",\"job\":\"run\"}");
    mr_wait_for(n_lines(written("runs")) == 1, 10000);
    mr_mill_drain(&mill, 0, 20000);
    ck_assert_uint_eq(n_alive(), 0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 1);
    mr_mill_dispatch(&mill, 0, 1);
    mr_wait_for(n_lines(written("runs")) == 2, 10000);
    ck_assert_str_eq(written("runs"), "1\n1\n");
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_program_gets_the_data_and_the_jobs_name_and_nothing_else, 0             },
        {its_exit_status_says_what_came_of_it,                       MR_COUNT(ends)},
        {a_program_may_fail_first_and_succeed_later,                 0             },
        {the_deadline_ends_it_and_its_children,                      0             },
        {a_killed_workers_program_is_dead_before_the_job_runs_again, 0             },
        {the_next_dispatcher_kills_what_the_last_one_could_not,      0             },
        {a_drained_worker_leaves_no_program_and_spends_no_attempt,   0             },
    };

    return mr_suite_run_slow("exec", tests, 60);
}
