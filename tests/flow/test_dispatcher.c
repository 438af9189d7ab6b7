/* Stories of starting, stopping, scaling and reloading, with a worker that runs no jobs (tests/support/fake_worker.c). */
#include "proto/base/clock.h"
#include "tests/support/lines.h"
#include "tests/support/proc.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DISPATCHER "dispatcher/millrace-dispatcher"
#define ONE_POOL "pools: { high: { queues: [critical, high], processes: 2, concurrency: 4 } }\n"

/* A Redis, a folder, a configuration, a dispatcher. */
struct host {
    struct mr_redis redis;
    struct mr_proc dispatcher;
    struct mr_lines lines;
    char config[96], log[96], run_dir[96], worker[PATH_MAX], line[MR_LINE_MAX];
};

#define await(host, ...)                                                                       \
    mr_lines_await(&(host)->lines, (const char *const[]){__VA_ARGS__, NULL}, (host)->line)

/* For what may come before or behind something else. */
static void await_count(const struct host *h, const char *text, unsigned n)
{
    mr_wait_for(mr_lines_count(&h->lines, text) >= n, MR_LINES_WAIT_MS);
}

static void write_config(struct host *h, const char *rest)
{
    FILE *file = fopen(h->config, "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "redis: { url: \"%s\" }\nruntime_dir: %s\ncontrol: { socket: %s/control.sock }\n"
            "worker_program: %s\nlease: 2s\ngrace: 1s\n%s",
            h->redis.url, h->run_dir, h->run_dir, h->worker, rest);
    fclose(file);
}

static void start_dispatcher(struct host *h)
{
    const char *const argv[] = {DISPATCHER, "--config", h->config, NULL};

    mr_proc_start(&h->dispatcher, argv, NULL, h->log);
}

static void set_up(struct host *h, const char *config, const char *behaviour)
{
    memset(h, 0, sizeof(*h));
    mr_redis_start(&h->redis, NULL);
    snprintf(h->config, sizeof(h->config), "%s/config.yaml", h->redis.dir);
    snprintf(h->log, sizeof(h->log), "%s/log", h->redis.dir);
    snprintf(h->run_dir, sizeof(h->run_dir), "%s/run", h->redis.dir);
    mr_lines_init(&h->lines, h->log);
    mr_proc_built("tests/fake-worker", h->worker, sizeof(h->worker));
    setenv("MILLRACE_FAKE", behaviour, 1);
    write_config(h, config);
    start_dispatcher(h);
}

static void tear_down(struct host *h)
{
    mr_proc_kill(&h->dispatcher);
    mr_redis_stop(&h->redis);
}

static unsigned count_pages(const struct host *h)
{
    DIR *files = opendir(h->run_dir);
    struct dirent *file;
    unsigned n = 0;

    ck_assert_ptr_nonnull(files);
    while ((file = readdir(files)))
        n += strstr(file->d_name, ".page") != NULL;
    closedir(files);
    return n;
}

static void stop_politely(struct host *h)
{
    mr_proc_signal(&h->dispatcher, SIGTERM);
    ck_assert_int_eq(mr_proc_exit_status(&h->dispatcher, MR_LINES_WAIT_MS), 0);
}

static pid_t await_serving(struct host *h)
{
    await(h, "slot.serving");
    return (pid_t)mr_lines_number(h->line, " pid=");
}

START_TEST(every_pool_gets_its_workers_and_all_leave_when_told)
{
    struct host h;

    set_up(&h,
           "pools:\n  high: { queues: [critical, high], processes: 3 }\n"
           "  low: { queues: [low], processes: 2 }\n",
           "");
    await(&h, "dispatcher.promise", "no persistence");
    for (int i = 0; i < 5; i++)
        await_serving(&h);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:critical:workers"), 3);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:low:workers"), 2);
    ck_assert_uint_eq(count_pages(&h), 5);

    stop_politely(&h);
    ck_assert_uint_eq(mr_lines_count(&h.lines, "cause=clean"), 5);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:critical:workers"), 0);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:high:reaped"), 3);
    ck_assert_uint_eq(count_pages(&h), 0);
    tear_down(&h);
}
END_TEST

START_TEST(a_killed_worker_is_reaped_and_replaced)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    pid_t first = await_serving(&h);
    await_serving(&h);
    kill(first, SIGKILL);
    await(&h, "slot.exited", "cause=crashed");
    ck_assert_int_eq(mr_lines_number(h.line, " signal="), SIGKILL);
    await(&h, "reaper.reaped");
    await_serving(&h);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:high:workers"), 2);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(redis_away_at_start_is_waited_for)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    mr_proc_kill(&h.dispatcher);
    mr_redis_kill(&h.redis);
    start_dispatcher(&h);
    await(&h, "redis.away");
    await(&h, "redis.away"); /* again, after twice the time */
    mr_redis_again(&h.redis, NULL);
    await(&h, "redis.up");
    await_serving(&h);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(workers_outlive_an_outage_of_redis)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    pid_t worker = await_serving(&h);
    mr_redis_kill(&h.redis);
    await(&h, "redis.lost");
    await(&h, "redis.away");
    ck_assert_int_eq(kill(worker, 0), 0);
    stop_politely(&h);                     /* and a drain does not wait for Redis for ever */
    ck_assert_uint_eq(count_pages(&h), 2); /* what could not be reaped waits for the next */

    mr_redis_again(&h.redis, NULL);
    start_dispatcher(&h);
    await(&h, "orphan.found", "alive=no");
    await(&h, "reaper.reaped");
    await(&h, "reaper.reaped");
    stop_politely(&h);
    ck_assert_uint_eq(count_pages(&h), 0);
    tear_down(&h);
}
END_TEST

START_TEST(a_second_dispatcher_of_the_directory_is_refused)
{
    struct host h;
    struct mr_proc second;
    const char *const argv[] = {DISPATCHER, "--config", h.config, NULL};

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    mr_proc_start(&second, argv, NULL, h.log);
    ck_assert_int_eq(mr_proc_exit_status(&second, MR_LINES_WAIT_MS), 75);
    await(&h, "dispatcher.not_started", "another dispatcher");
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(a_new_dispatcher_takes_over_from_a_killed_one)
{
    struct host h;

    set_up(&h, ONE_POOL, "linger");
    pid_t first = await_serving(&h), second = await_serving(&h);
    mr_proc_kill(&h.dispatcher);
    kill(second, SIGKILL);
    mr_wait_for(!mr_proc_alive(second), MR_LINES_WAIT_MS);

    start_dispatcher(&h);
    await(&h, "orphan.found");
    await(&h, "orphan.found");
    ck_assert_uint_eq(mr_lines_count(&h.lines, "alive=yes"), 1);
    await_serving(&h);
    await_serving(&h);
    await_count(&h, "reaper.reaped", 1); /* the dead one: no need to wait for its lease */
    kill(first, SIGKILL);
    await(&h, "orphan.ended");
    mr_wait_for(count_pages(&h) == 2, MR_LINES_WAIT_MS); /* those of the new workers */
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(a_worker_that_dies_at_start_is_tried_ever_less_often)
{
    struct host h;

    set_up(&h, "pools: { high: { queues: [high], processes: 1 } }\n", "die");
    uint64_t began_ms = mr_clock_ms();
    await(&h, "pool.failing");
    ck_assert_uint_ge(mr_clock_ms() - began_ms,
                      700); /* 100 + 200 + 400 + 800, less the jitter */
    ck_assert_uint_eq(mr_lines_count(&h.lines, "slot.started"), 5);
    ck_assert_uint_eq(mr_lines_count(&h.lines, "cause=failed"), 5);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(a_worker_program_that_cannot_run_is_named)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    mr_proc_kill(&h.dispatcher);
    snprintf(h.worker, sizeof(h.worker), "%s", h.log); /* executable, and no program */
    ck_assert_int_eq(chmod(h.log, 0700), 0);
    write_config(&h, ONE_POOL);
    start_dispatcher(&h);
    await(&h, "slot.spawn_failed", h.log);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(exit_78_says_that_a_person_must_act)
{
    struct host h;

    set_up(&h, "pools: { high: { queues: [high], processes: 1 } }\n", "config");
    await(&h, "error", "slot.exited", "cause=config");
    stop_politely(&h);
    ck_assert_uint_eq(mr_lines_count(&h.lines, "slot.started"), 1);
    tear_down(&h);
}
END_TEST

START_TEST(a_recycled_worker_is_replaced_at_once)
{
    struct host h;

    set_up(&h, "pools: { high: { queues: [high], processes: 1 } }\n", "recycle");
    for (int i = 0; i < 4; i++)
        await(&h, "slot.exited", "cause=recycled");
    ck_assert_uint_eq(mr_lines_count(&h.lines, "to=backing_off"), 0);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(a_worker_whose_loop_stands_still_is_killed)
{
    struct host h;

    set_up(&h, "pools: { high: { queues: [high], processes: 1 } }\n", "still");
    pid_t worker = await_serving(&h);
    await(&h, "slot.killed", "stands still");
    mr_wait_for(!mr_proc_alive(worker), MR_LINES_WAIT_MS);
    await(&h, "slot.exited", "cause=killed");
    mr_proc_kill(&h.dispatcher);
    tear_down(&h);
}
END_TEST

START_TEST(a_stuck_job_takes_its_process_along_after_its_neighbours)
{
    struct host h;
    static const char one_pool[] =
        "pools: { high: { queues: [high], processes: 1, concurrency: 4 } }\n";

    set_up(&h, one_pool, "stuck busy");
    pid_t worker = await_serving(&h);
    uint64_t began_ms = mr_clock_ms();
    await(&h, "slot.stuck");
    await(&h, "slot.started"); /* the replacement, while the neighbour runs on */
    ck_assert_int_eq(kill(worker, 0), 0);
    await(&h, "slot.killed", "ignores its deadline");
    ck_assert_uint_ge(mr_clock_ms() - began_ms, 300);
    mr_wait_for(!mr_proc_alive(worker), MR_LINES_WAIT_MS);
    mr_proc_kill(&h.dispatcher);
    tear_down(&h);
}
END_TEST

START_TEST(a_second_sigterm_kills_what_does_not_stop)
{
    struct host h;

    set_up(&h, ONE_POOL, "deaf");
    await_serving(&h);
    await_serving(&h);
    mr_proc_signal(&h.dispatcher, SIGTERM);
    await(&h, "dispatcher.draining");
    mr_proc_signal(&h.dispatcher, SIGTERM);
    await(&h, "dispatcher.hurry");
    uint64_t began_ms = mr_clock_ms();
    ck_assert_int_eq(mr_proc_exit_status(&h.dispatcher, MR_LINES_WAIT_MS), 0);
    ck_assert_uint_lt(mr_clock_ms() - began_ms, 5000); /* grace + 5 s would be 6 */
    ck_assert_uint_eq(mr_lines_count(&h.lines, "cause=killed"), 2);
    tear_down(&h);
}
END_TEST

START_TEST(a_reload_scales_adds_and_removes_pools)
{
    struct host h;

    set_up(&h,
           "pools:\n  high: { queues: [high], processes: 1 }\n"
           "  old: { queues: [old], processes: 1 }\n",
           "");
    await_serving(&h);
    await_serving(&h);
    write_config(&h, "pools:\n  high: { queues: [high], processes: 3 }\n"
                     "  new: { queues: [new], processes: 1 }\n");
    mr_proc_signal(&h.dispatcher, SIGHUP);
    await(&h, "config.reloaded");
    for (int i = 0; i < 3; i++)
        await_serving(&h);
    await_count(&h, "reaper.reaped", 1);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:high:workers"), 3);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:new:workers"), 1);
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:old:workers"), 0);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(a_bad_file_keeps_the_old_configuration)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    pid_t worker = await_serving(&h);
    write_config(&h, "pools: { high: { queues: [high], procesess: 3 } }\nlesae: 3s\n");
    mr_proc_signal(&h.dispatcher, SIGHUP);
    await(&h, "config.refused", "procesess");
    await(&h, "config.refused", "lesae"); /* every error */
    ck_assert_int_eq(kill(worker, 0), 0);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

START_TEST(a_change_that_needs_a_restart_is_named_and_waits)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    await_serving(&h);
    snprintf(h.redis.url, sizeof(h.redis.url), "redis://127.0.0.1:1"); /* nobody is there */
    write_config(
        &h, "pools: { high: { queues: [critical, high], processes: 3, concurrency: 4 } }\n");
    mr_proc_signal(&h.dispatcher, SIGHUP);
    await(&h, "config.restart_needed", "options=redis.url");
    await_serving(&h); /* the new worker meets us in the old Redis */
    ck_assert_int_eq(mr_redis_int(&h.redis, "ZCARD queues:high:workers"), 3);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

/* The least that served at once after all served, as the log tells it. */
static int fewest_serving(const struct host *h, int all)
{
    char line[MR_LINE_MAX];
    int serving = 0, fewest = all;
    bool begun = false;
    FILE *log = fopen(h->log, "r");

    ck_assert_ptr_nonnull(log);
    while (fgets(line, sizeof(line), log)) {
        serving += strstr(line, "slot.serving") != NULL;
        serving -= strstr(line, "slot.exited") != NULL;
        begun = begun || serving == all;
        if (begun && serving < fewest)
            fewest = serving;
    }
    fclose(log);
    return fewest;
}

START_TEST(a_change_of_workers_rolls_without_a_gap)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    await_serving(&h);
    write_config(
        &h, "pools: { high: { queues: [critical, high], processes: 2, concurrency: 6 } }\n");
    mr_proc_signal(&h.dispatcher, SIGHUP);
    await(&h, "pool.rolling");
    await_count(&h, "slot.exited", 2);
    ck_assert_uint_eq(mr_lines_count(&h.lines, "slot.serving pool=high slot=2"), 1);
    ck_assert_int_eq(fewest_serving(&h, 2), 2);
    stop_politely(&h);
    ck_assert_uint_eq(mr_lines_count(&h.lines, "generation=1"),
                      4 + 1); /* starts, serves, rolling */
    tear_down(&h);
}
END_TEST

START_TEST(data_of_another_version_is_not_touched)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    stop_politely(&h);
    unsigned n_started = mr_lines_count(&h.lines, "slot.started");
    mr_redis_int(&h.redis, "SET millrace:schema 99");
    start_dispatcher(&h);
    ck_assert_int_eq(mr_proc_exit_status(&h.dispatcher, MR_LINES_WAIT_MS), 78);
    await(&h, "dispatcher.schema", "schema 99");
    ck_assert_uint_eq(mr_lines_count(&h.lines, "slot.started"), n_started);
    tear_down(&h);
}
END_TEST

START_TEST(a_worker_that_never_says_ready_is_killed)
{
    struct host h;

    set_up(&h, "pools: { high: { queues: [high], processes: 1 } }\n", "mute");
    await(&h, "slot.killed", "not ready in time");
    await(&h, "slot.exited", "cause=failed");
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

static int listen_as_service_manager(const struct host *h)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = MR_LINES_WAIT_MS / 1000};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", h->redis.dir);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    return fd;
}

static void await_notice(int fd, const char *want)
{
    char text[2048] = "";

    while (!strstr(text, want)) {
        ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

        ck_assert_msg(len > 0, "the service manager never heard %s", want);
        text[len] = '\0';
    }
}

START_TEST(the_service_manager_hears_how_we_are)
{
    struct host h;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    mr_proc_kill(&h.dispatcher);
    int fd = listen_as_service_manager(&h);
    start_dispatcher(&h);
    await_notice(fd, "READY=1");
    await_notice(fd, "STATUS=serving");
    await_notice(fd, "WATCHDOG=1");
    mr_redis_kill(&h.redis);
    await_notice(fd, "STATUS=Redis is away");
    mr_proc_signal(&h.dispatcher, SIGTERM);
    await_notice(fd, "STOPPING=1");
    close(fd);
    tear_down(&h);
}
END_TEST

static const struct {
    const char *arguments[3];
    int status;
    const char *says;
} calls[] = {
    {{"--version"},                 0,  "millrace-dispatcher "},
    {{"--help"},                    0,  "usage:"              },
    {{"--nonsense"},                64, "usage:"              },
    {{"stray"},                     64, "what is 'stray'?"    },
    {{"--config", "/nowhere.yaml"}, 78, "/nowhere.yaml"       },
};

START_TEST(the_command_line_answers_with_its_exit_status)
{
    char log[] = "/tmp/mr-log-XXXXXX";
    struct mr_proc proc;
    const char *const argv[] = {DISPATCHER, calls[_i].arguments[0], calls[_i].arguments[1],
                                NULL};

    close(mkstemp(log));
    mr_proc_start(&proc, argv, NULL, log);
    ck_assert_int_eq(mr_proc_exit_status(&proc, MR_LINES_WAIT_MS), calls[_i].status);
    ck_assert(mr_proc_said(&proc, calls[_i].says));
    unlink(log);
}
END_TEST

START_TEST(check_reads_the_configuration_and_starts_nothing)
{
    struct host h;
    struct mr_proc check;

    set_up(&h, ONE_POOL, "");
    await_serving(&h);
    const char *const argv[] = {DISPATCHER, "--config", h.config, "--check", NULL};
    mr_proc_start(&check, argv, NULL, h.log);
    ck_assert_int_eq(mr_proc_exit_status(&check, MR_LINES_WAIT_MS), 0);
    stop_politely(&h);
    tear_down(&h);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_pool_gets_its_workers_and_all_leave_when_told,      0              },
        {a_killed_worker_is_reaped_and_replaced,                   0              },
        {redis_away_at_start_is_waited_for,                        0              },
        {workers_outlive_an_outage_of_redis,                       0              },
        {a_second_dispatcher_of_the_directory_is_refused,          0              },
        {a_new_dispatcher_takes_over_from_a_killed_one,            0              },
        {a_worker_that_dies_at_start_is_tried_ever_less_often,     0              },
        {a_worker_program_that_cannot_run_is_named,                0              },
        {exit_78_says_that_a_person_must_act,                      0              },
        {a_recycled_worker_is_replaced_at_once,                    0              },
        {a_worker_whose_loop_stands_still_is_killed,               0              },
        {a_stuck_job_takes_its_process_along_after_its_neighbours, 0              },
        {a_second_sigterm_kills_what_does_not_stop,                0              },
        {a_reload_scales_adds_and_removes_pools,                   0              },
        {a_bad_file_keeps_the_old_configuration,                   0              },
        {a_change_that_needs_a_restart_is_named_and_waits,         0              },
        {a_change_of_workers_rolls_without_a_gap,                  0              },
        {data_of_another_version_is_not_touched,                   0              },
        {a_worker_that_never_says_ready_is_killed,                 0              },
        {the_service_manager_hears_how_we_are,                     0              },
        {the_command_line_answers_with_its_exit_status,            MR_COUNT(calls)},
        {check_reads_the_configuration_and_starts_nothing,         0              },
    };

    return mr_suite_run_slow("dispatcher", tests, 60);
}
