#include "proto/base/clock.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mr_rig rig;
static char dir[] = "/tmp/mr-exec-XXXXXX";

/* A job "x" that runs script by sh; more is further settings, JSON. */
static void start(const char *script, const char *more)
{
    json_t *sections = json_pack("{s:{s:{s:s,s:[s,s,s]}}}", "jobs", "x", "handler", "exec",
                                 "command", "/bin/sh", "-c", script);
    json_t *settings = json_loads(more ? more : "{}", 0, NULL);

    ck_assert_ptr_nonnull(sections);
    ck_assert_ptr_nonnull(settings);
    json_object_update(json_object_get(json_object_get(sections, "jobs"), "x"), settings);
    char *text = json_dumps(sections, 0);
    mr_rig_init(&rig, text);
    free(text);
    json_decref(sections);
    json_decref(settings);
    mr_rig_start(&rig);
}

static const struct mr_rig_result *run(const char *payload)
{
    mr_rig_push(&rig, "%s", payload);
    mr_rig_wait(&rig, 1);
    return &rig.results[0];
}

/* A file that a program wrote, as text. */
static const char *written(const char *name)
{
    static char text[4096];
    char path[128];
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    if (file) {
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[n] = '\0';
    return text;
}

static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    setenv("TMPDIR", dir, 1);
}

static void remove_dir(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r -- %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static const struct {
    const char *script, *more;
    enum mr_outcome_kind outcome;
    const char *reason;
} ends[] = {
    {"exit 0",                      NULL,                                  MR_OUTCOME_DONE,  ""                     },
    {"echo much; exec >&-; exit 0", NULL,                                  MR_OUTCOME_DONE,  ""                     },
    {"echo broken >&2; exit 3",     NULL,                                  MR_OUTCOME_RETRY, "exit status 3: broken"},
    {"exit 3",                      "{\"ok\":[0,3]}",                      MR_OUTCOME_DONE,  ""                     },
    {"exit 0",                      "{\"ok\":[3]}",                        MR_OUTCOME_RETRY, "exit status 0"        },
    {"exit 75",                     "{\"retry\":[75]}",                    MR_OUTCOME_RETRY, "exit status 75"       },
    {"echo no >&2; exit 1",         "{\"retry\":[75]}",                    MR_OUTCOME_FAIL,  "exit status 1: no"    },
    {"kill -TERM $$",               NULL,                                  MR_OUTCOME_RETRY, "killed by Terminated" },
    {"exit 0",                      "{\"command\":[\"/nowhere/at/all\"]}", MR_OUTCOME_RETRY,
     "cannot run /nowhere/at/all: no such file or directory"                                                        },
    {"exit 0",                      "{\"dir\":\"/nowhere\"}",              MR_OUTCOME_RETRY,
     "cannot run /bin/sh in /nowhere: no such file or directory"                                                    },
};

START_TEST(its_end_says_what_came_of_it)
{
    start(ends[_i].script, ends[_i].more);
    const struct mr_rig_result *result = run("{\"job\":\"x\"}");
    ck_assert_int_eq(result->outcome, ends[_i].outcome);
    ck_assert_str_eq(result->reason, ends[_i].reason);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(data_is_its_input_byte_for_byte)
{
    make_dir();
    start("cat > $TMPDIR/in", NULL);
    run("{\"job\":\"x\",\"data\":{\"b\": 0.1,\"a\":[ 9007199254740993 ]}}");
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    ck_assert_str_eq(written("in"), "{\"b\": 0.1,\"a\":[ 9007199254740993 ]}");
    mr_rig_stop(&rig);
    remove_dir();
}
END_TEST

START_TEST(its_environment_is_clean_and_names_the_job)
{
    make_dir();
    setenv("REDIS_PASSWORD", "canary", 1);
    start("env > $TMPDIR/env", "{\"env\":{\"MODE\":\"fast\",\"HOME\":\"/home/x\"}}");
    run("{\"job\":\"x\",\"uuid\":\"u-1\",\"attempts\":1}");
    const char *env = written("env");
    ck_assert_ptr_nonnull(strstr(env, "MILLRACE_JOB=x\n"));
    ck_assert_ptr_nonnull(strstr(env, "MILLRACE_UUID=u-1\n"));
    ck_assert_ptr_nonnull(strstr(env, "MILLRACE_QUEUE=default\n"));
    ck_assert_ptr_nonnull(strstr(env, "MILLRACE_ATTEMPT=2\n"));
    ck_assert_ptr_nonnull(strstr(env, "MODE=fast\n"));
    ck_assert_ptr_nonnull(strstr(env, "HOME=/home/x\n"));
    ck_assert_ptr_nonnull(strstr(env, "PATH="));
    ck_assert_ptr_null(strstr(env, "canary"));
    mr_rig_stop(&rig);
    remove_dir();
}
END_TEST

START_TEST(it_inherits_no_file_of_ours)
{
    start("test -e /proc/self/fd/2 || exit 2; test -e /proc/self/fd/77 && exit 1; exit 0",
          NULL);
    ck_assert_int_eq(dup2(STDERR_FILENO, 77), 77);
    run("{\"job\":\"x\"}");
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    close(77);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(only_the_end_of_what_it_complains_is_kept)
{
    start("i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1", NULL);
    run("{\"job\":\"x\"}");
    ck_assert_uint_le(strlen(rig.results[0].reason), 1000);
    ck_assert_uint_ge(strlen(rig.results[0].reason), 800);
    ck_assert_ptr_nonnull(strstr(rig.results[0].reason, "line 1999"));
    ck_assert_ptr_null(strstr(rig.results[0].reason, "line 1000\n"));
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_program_that_reads_nothing_and_talks_much_ends)
{
    char *payload = mr_zalloc(400000);
    size_t n = (size_t)sprintf(payload, "{\"job\":\"x\",\"data\":\"");

    memset(payload + n, 'a', 300000);
    strcpy(payload + n + 300000, "\"}");
    start("head -c 1000000 /dev/zero", NULL);
    run(payload);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    mr_rig_stop(&rig);
    free(payload);
}
END_TEST

/* True once the process whose number a program wrote to name is gone, or a zombie that waits for init. */
static bool is_gone(const char *name)
{
    char path[64], state = 'X';
    int pid = atoi(written(name));

    ck_assert_int_gt(pid, 0);
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 'X';
        fclose(file);
    }
    return state == 'X' || state == 'Z';
}

static const char *const deaf[] = {
    "(trap '' TERM; echo $$ > /dev/null; sleep 60) & echo $! > $TMPDIR/child; sleep 60",
    "trap '' TERM; sleep 60 & echo $! > $TMPDIR/child; while :; do sleep 1; done",
};

START_TEST(the_deadline_kills_the_whole_group)
{
    make_dir();
    start(deaf[_i], "{\"timeout_ms\":300}");
    rig.config.grace_ms = 1000;
    uint64_t from_ms = mr_clock_ms();
    run("{\"job\":\"x\"}");
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_TIMED_OUT);
    ck_assert_uint_lt(mr_clock_ms() - from_ms, 20000);
    ck_assert_uint_eq(rig.n_stuck, 0);
    while (!is_gone("child"))
        uv_sleep(1); /* the kernel may take a moment; the test's time limit bounds it */
    mr_rig_stop(&rig);
    remove_dir();
}
END_TEST

START_TEST(what_it_leaves_running_is_killed)
{
    make_dir();
    start("sleep 60 & echo $! > $TMPDIR/child; exit 0", NULL);
    run("{\"job\":\"x\"}");
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    while (!is_gone("child"))
        uv_sleep(1);
    mr_rig_stop(&rig);
    remove_dir();
}
END_TEST

START_TEST(a_worker_that_leaves_stops_it_and_spends_nothing)
{
    start("sleep 60", NULL);
    mr_rig_push(&rig, "{\"job\":\"x\"}");
    mr_runner_release_all(rig.runner);
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].verdict.kind, MR_VERDICT_READY);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_wrong_command_is_a_retry_that_says_so)
{
    start("exit 0", "{\"command\":[\"sh\",1]}");
    const struct mr_rig_result *result = mr_rig_run(&rig, "{\"job\":\"x\"}");
    ck_assert_int_eq(result->outcome, MR_OUTCOME_RETRY);
    ck_assert_ptr_nonnull(strstr(result->reason, "jobs.x.command must be a list"));
    mr_rig_stop(&rig);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {its_end_says_what_came_of_it,                     MR_COUNT(ends)},
        {data_is_its_input_byte_for_byte,                  0             },
        {its_environment_is_clean_and_names_the_job,       0             },
        {it_inherits_no_file_of_ours,                      0             },
        {only_the_end_of_what_it_complains_is_kept,        0             },
        {a_program_that_reads_nothing_and_talks_much_ends, 0             },
        {the_deadline_kills_the_whole_group,               MR_COUNT(deaf)},
        {what_it_leaves_running_is_killed,                 0             },
        {a_worker_that_leaves_stops_it_and_spends_nothing, 0             },
        {a_wrong_command_is_a_retry_that_says_so,          0             },
    };

    return mr_suite_run("exec", tests);
}
