#include "dispatcher/spawn.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER "0123456789abcdef0123456789abcdef-12"

/* A loop, a page on disk, and what the process said and how it ended. */
struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline;
    char dir[32], page_path[64], report[64];
    struct mr_page page;
    int page_fd, status, nice;
    char words[8];
    bool ended, stop_when_ready, one_by_one;
    struct mr_spawn *spawn;
    struct mr_err err;
};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    ck_abort_msg("the worker neither spoke nor ended in time");
}

static void on_word(void *arg, char word)
{
    struct fixture *f = arg;

    f->words[strlen(f->words)] = word;
    if (f->stop_when_ready)
        mr_spawn_ask_to_stop(f->spawn);
}

static void on_exit_seen(void *arg, int status)
{
    struct fixture *f = arg;

    f->status = status;
    f->ended = true;
    uv_stop(&f->loop);
}

static void set_up(struct fixture *f)
{
    static const struct mr_page_shape shape = {1, 12, 4, 0};
    static const char *const queues[] = {"high"};

    memset(f, 0, sizeof(*f));
    signal(SIGPIPE, SIG_IGN);
    strcpy(f->dir, "/tmp/mr-spawn-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    snprintf(f->page_path, sizeof(f->page_path), "%s/page", f->dir);
    snprintf(f->report, sizeof(f->report), "%s/report", f->dir);
    ck_assert_int_eq(mr_page_create(f->page_path, &shape, WORKER, "high", queues, &f->page,
                                    &f->page_fd, &f->err),
                     MR_OK);
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->deadline);
    uv_timer_start(&f->deadline, on_deadline, 10000, 0);
    unsetenv("MILLRACE_FAKE");
}

static void tear_down(struct fixture *f)
{
    mr_spawn_free(f->spawn);
    uv_close((uv_handle_t *)&f->deadline, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&f->loop), 0); /* nothing is left behind */
    mr_page_unmap(&f->page);
    close(f->page_fd);
    unlink(f->page_path);
    unlink(f->report);
    rmdir(f->dir);
}

static enum mr_code start(struct fixture *f, const char *program)
{
    struct mr_spawn_events events = {on_word, on_exit_seen, f};
    struct mr_spawn_plan plan = {
        .program = program,
        .pool = "high",
        .worker = WORKER,
        .config = {"lease: 10s\n", 11},
        .page_fd = f->page_fd,
        .nice = f->nice,
        .one_by_one = f->one_by_one,
    };

    return mr_spawn_start(&f->loop, &plan, &events, &f->spawn, &f->err);
}

static char *read_report(const struct fixture *f)
{
    static char text[16384];
    FILE *file = fopen(f->report, "r");

    ck_assert_ptr_nonnull(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void run_and_report(struct fixture *f)
{
    setenv("MILLRACE_FAKE_REPORT", f->report, 1);
    f->stop_when_ready = true;
    ck_assert_msg(start(f, getenv("FAKE_WORKER")) == MR_OK, "%s", f->err.text);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    ck_assert(f->ended);
}

START_TEST(a_worker_says_ready_and_stops_when_told)
{
    struct fixture f;

    set_up(&f);
    run_and_report(&f);
    ck_assert_str_eq(f.words, "r");
    ck_assert_int_eq(f.status, 0);
    tear_down(&f);
}
END_TEST

START_TEST(it_gets_its_fds_and_no_others)
{
    struct fixture f;

    set_up(&f);
    int leak = open("/dev/null", O_RDONLY | O_CLOEXEC);
    run_and_report(&f);
    const char *report = read_report(&f);
    for (int fd = 0; fd <= 5; fd++) {
        char line[16];

        snprintf(line, sizeof(line), "fd %d\n", fd);
        ck_assert_msg(strstr(report, line) != NULL, "no %s in %s", line, report);
    }
    ck_assert_msg(!strstr(report, "fd 6") && !strstr(report, "fd 7"), "%s", report);
    close(leak);
    tear_down(&f);
}
END_TEST

START_TEST(its_configuration_is_sealed)
{
    struct fixture f;

    set_up(&f);
    run_and_report(&f);
    const char *report = read_report(&f);
    ck_assert_ptr_nonnull(strstr(report, "config lease: 10s\n"));
    ck_assert_ptr_nonnull(strstr(report, "seals 15")); /* seal, shrink, grow, write */
    tear_down(&f);
}
END_TEST

START_TEST(its_argv_names_pool_and_incarnation)
{
    struct fixture f;

    set_up(&f);
    run_and_report(&f);
    ck_assert_ptr_nonnull(strstr(read_report(&f), "arg millrace-worker\narg --pool\narg high\n"
                                                  "arg --worker\narg " WORKER "\n"));
    ck_assert_ptr_null(strstr(read_report(&f), "--one-by-one"));
    tear_down(&f);
}
END_TEST

START_TEST(it_is_told_to_be_careful)
{
    struct fixture f;

    set_up(&f);
    f.one_by_one = true;
    run_and_report(&f);
    ck_assert_ptr_nonnull(strstr(read_report(&f), "arg --one-by-one\n"));
    tear_down(&f);
}
END_TEST

START_TEST(secrets_in_the_environment_stay_behind)
{
    struct fixture f;

    set_up(&f);
    setenv("MILLRACE_REDIS_URL", "redis://:canary@h", 1);
    setenv("MILLRACE_REDIS_PASSWORD", "canary", 1);
    setenv("MILLRACE_CONTROL_TOKEN", "canary", 1);
    setenv("AWS_SECRET", "canary", 1);
    setenv("MILLRACE_GRACE", "5s", 1);
    setenv("TZ", "Europe/Berlin", 1);
    run_and_report(&f);
    const char *report = read_report(&f);
    ck_assert_msg(!strstr(report, "canary"), "%s", report);
    ck_assert_ptr_nonnull(strstr(report, "env MILLRACE_GRACE=5s\n"));
    ck_assert_ptr_nonnull(strstr(report, "env TZ=Europe/Berlin\n"));
    tear_down(&f);
}
END_TEST

START_TEST(it_leads_a_session_of_its_own)
{
    struct fixture f;

    set_up(&f);
    run_and_report(&f);
    ck_assert_ptr_nonnull(strstr(read_report(&f), "leader 1"));
    tear_down(&f);
}
END_TEST

START_TEST(it_is_as_modest_as_its_pool_says)
{
    struct fixture f;

    set_up(&f);
    f.nice = 7;
    ck_assert_int_eq(start(&f, getenv("FAKE_WORKER")), MR_OK);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)mr_spawn_pid(f.spawn)), 7);
    mr_spawn_ask_to_stop(f.spawn);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    tear_down(&f);
}
END_TEST

START_TEST(its_exit_is_reported_as_waitpid_does)
{
    struct fixture f;

    set_up(&f);
    setenv("MILLRACE_FAKE", _i ? "crash" : "config", 1);
    ck_assert_int_eq(start(&f, getenv("FAKE_WORKER")), MR_OK);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    if (_i) {
        ck_assert(WIFSIGNALED(f.status));
        ck_assert_int_eq(WTERMSIG(f.status), SIGABRT);
    } else {
        ck_assert(WIFEXITED(f.status));
        ck_assert_int_eq(WEXITSTATUS(f.status), 78);
    }
    tear_down(&f);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_named)
{
    struct fixture f;

    set_up(&f);
    ck_assert_int_eq(start(&f, "/nowhere/millrace-worker"), MR_EIO);
    ck_assert_str_eq(f.err.text,
                     "cannot start /nowhere/millrace-worker: no such file or directory");
    tear_down(&f);
}
END_TEST

START_TEST(a_configured_worker_program_must_exist)
{
    struct mr_err err;
    char *found = NULL;

    ck_assert_int_eq(mr_spawn_find_worker("/nowhere/worker", &found, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "worker_program /nowhere/worker: No such file or directory");
    ck_assert_int_eq(mr_spawn_find_worker("/bin/sh", &found, &err), MR_OK);
    ck_assert_str_eq(found, "/bin/sh");
    free(found);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_worker_says_ready_and_stops_when_told, 0},
        {it_gets_its_fds_and_no_others,           0},
        {its_configuration_is_sealed,             0},
        {its_argv_names_pool_and_incarnation,     0},
        {it_is_told_to_be_careful,                0},
        {secrets_in_the_environment_stay_behind,  0},
        {it_leads_a_session_of_its_own,           0},
        {it_is_as_modest_as_its_pool_says,        0},
        {its_exit_is_reported_as_waitpid_does,    2},
        {a_program_that_is_not_there_is_named,    0},
        {a_configured_worker_program_must_exist,  0},
    };

    return mr_suite_run("spawn", tests);
}
