#include "proto/base/clock.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_rig rig;

static uint64_t counted(const char *job, enum mr_page_verdict verdict)
{
    uint32_t row = strcmp(job, "other") == 0 ? 0 : mr_page_job(&rig.page, job);

    return *mr_page_verdict_of(&rig.page, 0, row, verdict);
}

START_TEST(a_noop_is_done_before_start_returns)
{
    mr_rig_init(&rig, NULL);
    mr_rig_start(&rig);
    const struct mr_rig_result *result =
        mr_rig_run(&rig, "{\"uuid\":\"u-1\",\"job\":\"debug.noop\"}");
    ck_assert_int_eq(result->verdict.kind, MR_VERDICT_DONE);
    ck_assert_uint_eq(mr_runner_free_places(rig.runner), 10);
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_FREE), 10);
    ck_assert_uint_eq(rig.page.current[0], MR_PAGE_NOBODY);
    ck_assert_uint_eq(counted("debug.noop", MR_PAGE_DONE), 1);
    ck_assert_str_eq(rig.page.header->ring[0].uuid, "u-1");
    ck_assert_uint_eq(rig.page.header->ring[0].seq % 2, 0);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_running_job_stands_in_the_page)
{
    mr_rig_init(&rig, NULL);
    mr_rig_start(&rig);
    ck_assert_int_eq(mr_rig_push(&rig, "{\"uuid\":\"u-1\",\"job\":\"debug.sleep\","
                                       "\"attempts\":1,\"data\":{\"ms\":20}}"),
                     MR_OK);
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_RUNNING), 1);
    ck_assert_uint_eq(rig.page.places[0].k, 1);
    ck_assert_uint_eq(rig.page.places[0].attempt, 2);
    ck_assert_str_eq(rig.page.places[0].uuid, "u-1");
    ck_assert_uint_gt(rig.page.places[0].deadline_at_ms, rig.page.places[0].started_at_ms);
    ck_assert_uint_eq(rig.page.current[0], MR_PAGE_NOBODY);
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_FREE), 10);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_thousand_sleep_at_once)
{
    mr_rig_init(&rig, NULL);
    rig.pool.concurrency = 1000;
    mr_rig_start(&rig);
    uint64_t from_ms = mr_clock_ms();
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":100}}"),
                         MR_OK);
    ck_assert_int_eq(mr_rig_push(&rig, "{\"job\":\"debug.noop\"}"), MR_EBUSY);
    mr_rig_wait(&rig, 1000);
    ck_assert_uint_lt(mr_clock_ms() - from_ms, 10000); /* one after the other: 100 s */
    ck_assert_uint_eq(counted("debug.sleep", MR_PAGE_DONE), 1000);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(the_deadline_cancels_and_it_timed_out)
{
    mr_rig_init(&rig, NULL);
    rig.pool.policy.timeout_ms = 20;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":60000}}");
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_TIMED_OUT);
    ck_assert_str_eq(rig.results[0].reason, "ran longer than its 20ms; it said: woken");
    ck_assert_int_eq(rig.results[0].verdict.kind, MR_VERDICT_DELAY);
    ck_assert_int_eq(rig.results[0].verdict.attempts, 1);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(done_is_done_however_late)
{
    static const char *const jobs[] = {
        "{\"job\":\"debug.burn\",\"data\":{\"ms\":100,\"deaf\":true}}",
        "{\"job\":\"debug.block\",\"data\":{\"ms\":50}}",
    };

    mr_rig_init(&rig, NULL);
    rig.pool.policy.timeout_ms = 10;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "%s", jobs[_i]);
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_thread_that_heeds_the_deadline_timed_out)
{
    mr_rig_init(&rig, NULL);
    rig.pool.policy.timeout_ms = 20;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.burn\",\"data\":{\"ms\":60000}}");
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_TIMED_OUT);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(jobs_that_ignore_it_make_the_worker_stuck_once)
{
    mr_rig_init(&rig, NULL);
    rig.config.grace_ms = 30;
    rig.pool.policy.timeout_ms = 20;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.hang\"}");
    mr_rig_push(&rig, "{\"job\":\"debug.hang\"}");
    mr_rig_wait_for(&rig, &rig.n_stuck);
    ck_assert_uint_eq(rig.page.header->stuck, 1);
    ck_assert_uint_eq(rig.page.places[0].timed_out, 1);
    /* A neighbour goes on, and both stay where they are. */
    mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"timeout\":60,\"data\":{\"ms\":100}}");
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_DONE);
    ck_assert_uint_eq(rig.n_stuck, 1);
    ck_assert_uint_eq(mr_runner_running(rig.runner), 2);
}
END_TEST

static const struct {
    const char *payload;
    enum mr_outcome_kind outcome;
    enum mr_verdict_kind verdict;
    enum mr_dead_class dead;
    const char *reason; /* a part of it */
} unrun[] = {
    {"{\"job\":\"nobody.knows\"}",                        MR_OUTCOME_NO_HANDLER, MR_VERDICT_DELAY, 0,               "nobody.knows"},
    {"{\"job\":\"nobody.knows\",\"attempts\":2}",         MR_OUTCOME_NO_HANDLER, MR_VERDICT_DEAD,
     MR_DEAD_NO_HANDLER,                                                                                            "nobody.knows"},
    {"{\"job\":\"debug.nonsense\"}",                      MR_OUTCOME_NO_HANDLER, MR_VERDICT_DELAY, 0,
     "debug.nonsense"                                                                                                             },
    {"{\"job\":",                                         MR_OUTCOME_REFUSED,    MR_VERDICT_DEAD,  MR_DEAD_REFUSED, ""            },
    {"",                                                  MR_OUTCOME_REFUSED,    MR_VERDICT_DEAD,  MR_DEAD_REFUSED, ""            },
    {"{\"job\":\"debug.noop\",\"expiresAt\":1000000000}", MR_OUTCOME_FAIL,       MR_VERDICT_DEAD,
     MR_DEAD_EXPIRED,                                                                                               "expired"     },
    {"{\"job\":\"debug.noop\",\"attempts\":3}",           MR_OUTCOME_FAIL,       MR_VERDICT_DEAD,
     MR_DEAD_EXHAUSTED,                                                                                             "exhausted"   },
};

START_TEST(what_cannot_run_says_why_at_once)
{
    mr_rig_init(&rig, NULL);
    mr_rig_start(&rig);
    const struct mr_rig_result *result = mr_rig_run(&rig, unrun[_i].payload);
    ck_assert_int_eq(result->outcome, unrun[_i].outcome);
    ck_assert_int_eq(result->verdict.kind, unrun[_i].verdict);
    if (result->verdict.kind == MR_VERDICT_DEAD)
        ck_assert_int_eq(result->verdict.dead, unrun[_i].dead);
    ck_assert_msg(strstr(result->reason, unrun[_i].reason), "%s", result->reason);
    ck_assert_str_ne(result->reason, "");
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_FREE), 10);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(debug_jobs_are_off_unless_asked_for)
{
    mr_rig_init(&rig, NULL);
    rig.config.debug_jobs = false;
    mr_rig_start(&rig);
    const struct mr_rig_result *result = mr_rig_run(&rig, "{\"job\":\"debug.noop\"}");
    ck_assert_int_eq(result->outcome, MR_OUTCOME_NO_HANDLER);
    ck_assert_ptr_nonnull(strstr(result->reason, "debug_jobs"));
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_job_of_the_configuration_has_its_own_policy)
{
    mr_rig_init(&rig, "{\"jobs\":{\"debug.sleep\":{\"tries\":1,\"timeout_ms\":20}}}");
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":60000}}");
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(rig.results[0].outcome, MR_OUTCOME_TIMED_OUT);
    ck_assert_int_eq(rig.results[0].verdict.kind, MR_VERDICT_DEAD);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_handler_says_retry_or_fail)
{
    mr_rig_init(&rig, NULL);
    mr_rig_start(&rig);
    const struct mr_rig_result *result =
        mr_rig_run(&rig, "{\"job\":\"debug.fail\",\"data\":{\"reason\":\"no\",\"times\":1}}");
    ck_assert_int_eq(result->outcome, MR_OUTCOME_RETRY);
    ck_assert_str_eq(result->reason, "no");
    result = mr_rig_run(
        &rig,
        "{\"job\":\"debug.fail\",\"attempts\":1,\"data\":{\"reason\":\"no\",\"times\":1}}");
    ck_assert_int_eq(result->outcome, MR_OUTCOME_DONE);
    result = mr_rig_run(&rig, "{\"job\":\"debug.fail\",\"data\":{\"for_good\":true}}");
    ck_assert_int_eq(result->verdict.dead, MR_DEAD_FAILED);
    ck_assert_uint_eq(counted("debug.fail", MR_PAGE_DEAD), 1);
    mr_rig_stop(&rig);
}
END_TEST

static const char *const suspicious[] = {"\"crashes\":1", "\"suspect\":1"};

START_TEST(a_suspect_runs_alone)
{
    mr_rig_init(&rig, NULL);
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":30}}");
    ck_assert_int_eq(
        mr_rig_push(&rig, "{\"job\":\"debug.sleep\",%s,\"data\":{\"ms\":30}}", suspicious[_i]),
        MR_EBUSY);
    ck_assert_uint_eq(mr_runner_free_places(rig.runner), 9);
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_FREE), 9);
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(
        mr_rig_push(&rig, "{\"job\":\"debug.sleep\",%s,\"data\":{\"ms\":30}}", suspicious[_i]),
        MR_OK);
    ck_assert_uint_eq(mr_runner_free_places(rig.runner), 0);
    ck_assert_int_eq(mr_rig_push(&rig, "{\"job\":\"debug.noop\"}"), MR_EBUSY);
    mr_rig_wait(&rig, 2);
    ck_assert_int_eq(mr_rig_push(&rig, "{\"job\":\"debug.noop\"}"), MR_OK);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_crash_prone_handler_runs_alone)
{
    static char path[] = MR_TEST_MODULES "/contrary_7.so";
    static char *modules[] = {path};

    mr_rig_init(&rig, NULL);
    rig.config.modules = modules;
    rig.config.n_modules = 1;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":30}}");
    ck_assert_int_eq(mr_rig_push(&rig, "{\"job\":\"contrary.job\"}"), MR_EBUSY);
    mr_rig_wait(&rig, 1);
    ck_assert_int_eq(mr_rig_run(&rig, "{\"job\":\"contrary.job\"}")->outcome, MR_OUTCOME_DONE);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(what_waits_for_a_thread_is_not_yet_running)
{
    mr_rig_init(&rig, NULL);
    rig.pool.threads = 2;
    rig.pool.policy.timeout_ms = 400; /* three rounds one after the other take longer */
    mr_rig_start(&rig);
    for (int i = 0; i < 6; i++)
        mr_rig_push(&rig, "{\"job\":\"debug.burn\",\"data\":{\"ms\":150}}");
    ck_assert_uint_eq(mr_runner_running(rig.runner), 6);
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_RUNNING), 2);
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_WAITING), 4);
    mr_rig_wait(&rig, 6);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(rig.results[i].outcome, MR_OUTCOME_DONE);
    ck_assert_uint_eq(rig.page.current[1], MR_PAGE_NOBODY);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(a_leaving_worker_releases_what_stops)
{
    mr_rig_init(&rig, NULL);
    rig.pool.threads = 1;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":60000}}");
    mr_rig_push(&rig, "{\"job\":\"debug.burn\",\"data\":{\"ms\":60000}}");
    mr_rig_push(&rig, "{\"job\":\"debug.burn\",\"data\":{\"ms\":60000}}"); /* waits */
    mr_rig_push(&rig, "{\"job\":\"debug.hang\"}");
    mr_runner_release_all(rig.runner);
    mr_rig_wait(&rig, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(rig.results[i].outcome, MR_OUTCOME_RELEASE);
        ck_assert_int_eq(rig.results[i].verdict.kind, MR_VERDICT_READY);
        ck_assert_int_eq(rig.results[i].verdict.attempts, 0);
    }
    /* What does not stop goes back without blame, should the process end now. */
    ck_assert_uint_eq(mr_rig_places(&rig, MR_PLACE_CANCELLED), 1);
}
END_TEST

START_TEST(an_operator_cancels_by_uuid)
{
    mr_rig_init(&rig, NULL);
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"uuid\":\"one\",\"job\":\"debug.sleep\",\"data\":{\"ms\":60000}}");
    mr_rig_push(&rig, "{\"uuid\":\"two\",\"job\":\"debug.sleep\",\"data\":{\"ms\":20}}");
    ck_assert(!mr_runner_cancel(rig.runner, "three"));
    ck_assert(mr_runner_cancel(rig.runner, "one"));
    ck_assert_int_eq(mr_rig_result(&rig, 0)->verdict.dead, MR_DEAD_FAILED);
    ck_assert_str_eq(mr_rig_result(&rig, 0)->reason, "cancelled by an operator");
    mr_rig_wait(&rig, 2);
    ck_assert_int_eq(mr_rig_result(&rig, 1)->outcome, MR_OUTCOME_DONE);
    mr_rig_stop(&rig);
}
END_TEST

START_TEST(what_waits_for_a_thread_is_cancelled_and_never_starts)
{
    mr_rig_init(&rig, NULL);
    rig.pool.threads = 1;
    mr_rig_start(&rig);
    mr_rig_push(&rig, "{\"job\":\"debug.burn\",\"data\":{\"ms\":50}}");
    mr_rig_push(&rig, "{\"uuid\":\"two\",\"job\":\"debug.burn\",\"data\":{\"ms\":60000}}");
    ck_assert_str_eq(rig.page.places[1].uuid, "two"); /* so that the dispatcher finds it */
    ck_assert_uint_eq(rig.page.places[1].started_at_ms, 0);
    ck_assert(mr_runner_cancel(rig.runner, "two"));
    ck_assert_int_eq(mr_rig_result(&rig, 1)->verdict.dead, MR_DEAD_FAILED);
    ck_assert_str_eq(mr_rig_result(&rig, 1)->reason, "cancelled by an operator");
    ck_assert(!mr_runner_cancel(rig.runner, "two")); /* no second time */
    mr_rig_wait(&rig, 2);
    ck_assert_int_eq(mr_rig_result(&rig, 0)->outcome, MR_OUTCOME_DONE);
    mr_rig_stop(&rig);
}
END_TEST

/* A page that a child process and the test both see. */
static void share_page(void)
{
    static const char *const queues[] = {"default"};
    const struct mr_page_shape shape = {1, 4, 10, 4};
    char path[64];
    struct mr_err err = {0};
    int fd;

    snprintf(path, sizeof(path), "/tmp/mr-page-%d", (int)getpid());
    ck_assert_int_eq(mr_page_create(path, &shape, "w-4", "test", queues, &rig.page, &fd, &err),
                     MR_OK);
    unlink(path);
    close(fd);
}

static const struct {
    const char *payload;
    int signal;
    uint32_t place;
} crashes[] = {
    {"{\"job\":\"debug.crash\",\"uuid\":\"bad\"}",                         SIGSEGV, 1},
    {"{\"job\":\"debug.crash\",\"uuid\":\"bad\",\"data\":{\"signal\":6}}", SIGABRT, 1},
    {"{\"job\":\"debug.crash\",\"uuid\":\"bad\",\"data\":{\"signal\":8}}", SIGFPE,  1},
};

START_TEST(a_crash_names_its_place)
{
    int status;

    mr_rig_init(&rig, NULL);
    share_page();
    pid_t child = fork();
    if (child == 0) {
        mr_rig_start(&rig);
        mr_recorder_catch_crashes(&rig.recorder);
        mr_rig_push(&rig, "{\"job\":\"debug.sleep\",\"data\":{\"ms\":60000}}");
        mr_rig_push(&rig, "%s", crashes[_i].payload);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), crashes[_i].signal);
    ck_assert_uint_eq(rig.page.header->crash_signal, crashes[_i].signal);
    ck_assert_uint_eq(rig.page.header->crash_place, crashes[_i].place);
    ck_assert_str_eq(rig.page.places[1].uuid, "bad");
    ck_assert_uint_eq(rig.page.places[1].state, MR_PLACE_RUNNING);
    mr_page_unmap(&rig.page);
    json_decref(rig.config.sections);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_noop_is_done_before_start_returns,                   0                },
        {a_running_job_stands_in_the_page,                      0                },
        {a_thousand_sleep_at_once,                              0                },
        {the_deadline_cancels_and_it_timed_out,                 0                },
        {done_is_done_however_late,                             2                },
        {a_thread_that_heeds_the_deadline_timed_out,            0                },
        {jobs_that_ignore_it_make_the_worker_stuck_once,        0                },
        {what_cannot_run_says_why_at_once,                      MR_COUNT(unrun)  },
        {debug_jobs_are_off_unless_asked_for,                   0                },
        {a_job_of_the_configuration_has_its_own_policy,         0                },
        {a_handler_says_retry_or_fail,                          0                },
        {a_suspect_runs_alone,                                  2                },
        {a_crash_prone_handler_runs_alone,                      0                },
        {what_waits_for_a_thread_is_not_yet_running,            0                },
        {a_leaving_worker_releases_what_stops,                  0                },
        {an_operator_cancels_by_uuid,                           0                },
        {what_waits_for_a_thread_is_cancelled_and_never_starts, 0                },
        {a_crash_names_its_place,                               MR_COUNT(crashes)},
    };

    return mr_suite_run("run", tests);
}
