#include "dispatcher/audit.h"
#include "tests/support/house.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 12, LEASE_MS = 1000 };

#define Q "queues:mail"

/* A dispatcher's renewal, reaper and audit, with one child; strangers are written into Redis by hand. */
static struct {
    struct mr_house house;
    struct mr_config config;
    struct mr_queues queues;
    struct mr_list children;
    struct mr_child child;
    struct mr_renew *renew;
    struct mr_reaper *reaper;
    struct mr_audit *audit;
    unsigned refreshed;
} t;

static char *queue_names[] = {(char[]){"mail"}};

static void resume(void *arg)
{
    (void)arg;
    mr_reaper_resume(t.reaper);
}

static void make_child(void)
{
    const struct mr_page_shape shape = {
        .n_queues = 1, .n_names = NAMES, .n_places = 1, .n_threads = 1};

    t.child = (struct mr_child){
        .pool = queue_names[0], .queues = queue_names, .n_queues = 1, .registered = true};
    mr_worker_make(t.child.worker, NAMES);
    ck_assert_int_eq(mr_page_create_private(&shape, t.child.worker, "mail",
                                            (const char *const *)queue_names, &t.child.page,
                                            NULL),
                     MR_OK);
    mr_list_push_back(&t.children, &t.child.node);
    mr_redis_int(&t.house.redis, "ZADD " Q ":workers 1 %s", t.child.worker);
}

static void set_up(void)
{
    memset(&t, 0, sizeof(t));
    mr_house_open(&t.house, NULL);
    t.house.on_ready = resume;
    t.config.lease_ms = LEASE_MS;
    t.config.limits = (struct mr_limits){.payload_bytes = 1 << 20, .depth = 64};
    mr_queues_init(&t.queues, "");
    mr_queues_add(&t.queues, "mail", true);
    mr_list_init(&t.children);
    make_child();
    mr_renew_new(&t.house.loop, t.house.store, &t.queues, &t.children, LEASE_MS, &t.renew);
    mr_reaper_new(&t.house.loop, t.house.store, &t.queues, &t.config, &t.reaper);
    mr_audit_new(&t.house.loop, t.house.store, &t.queues, &t.children, t.renew, t.reaper,
                 &t.config, &t.audit);
    mr_renew_start(t.renew);
    mr_audit_start(t.audit);
}

static void tear_down(void)
{
    unsigned stopped = t.house.stopped;

    mr_audit_stop(t.audit, mr_house_on_stopped, &t.house);
    mr_reaper_stop(t.reaper, mr_house_on_stopped, &t.house);
    mr_renew_stop(t.renew, mr_house_on_stopped, &t.house);
    mr_house_until(&t.house, t.house.stopped == stopped + 3);
    mr_page_unmap(&t.child.page);
    mr_queues_fini(&t.queues);
    mr_house_close(&t.house);
}

static long long ask(const char *command)
{
    return mr_redis_int(&t.house.redis, command);
}

/* A worker of some other host with one job in lease 3. */
static void make_stranger(char worker[MR_WORKER_MAX], const char *set)
{
    mr_worker_make(worker, NAMES);
    mr_redis_int(&t.house.redis, "ZADD " Q ":%s 1 %s", set, worker);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:3 %s", worker,
                 "{\"uuid\":\"u\",\"job\":\"debug.noop\"}");
}

static long long is_registered(const char *worker)
{
    return mr_redis_int(&t.house.redis, "ZSCORE " Q ":workers %s", worker) >= 0;
}

/* ---- scores ---- */

START_TEST(a_worker_that_is_not_renewed_is_reaped)
{
    set_up();
    char stranger[MR_WORKER_MAX];
    uint64_t began_ms = mr_clock_ms();

    make_stranger(stranger, "workers");
    mr_house_until(&t.house, ask("ZCARD " Q ":delayed") == 1);
    ck_assert_uint_ge(mr_clock_ms() - began_ms, LEASE_MS);
    ck_assert(!is_registered(stranger));
    ck_assert_int_gt(mr_redis_int(&t.house.redis, "ZSCORE " Q ":reaped %s", stranger), 0);
    ck_assert(is_registered(t.child.worker));
    tear_down();
}
END_TEST

START_TEST(a_worker_whose_score_moves_is_left_alone)
{
    set_up();
    char stranger[MR_WORKER_MAX];
    uint64_t rounds = 0;

    make_stranger(stranger, "workers");
    for (int i = 0; i < 4; i++) {
        rounds = mr_audit_stats(t.audit).rounds;
        mr_redis_int(&t.house.redis, "ZINCRBY " Q ":workers 1 %s", stranger);
        mr_house_until(&t.house, mr_audit_stats(t.audit).rounds > rounds);
    }
    ck_assert(is_registered(stranger));
    ck_assert_uint_eq(mr_audit_stats(t.audit).stale_found, 0);
    tear_down();
}
END_TEST

/*
 * Everybody's score is long past after an outage longer than the lease. Nobody is reaped for it: the outage
 * does not count, and the others renew again within the lease that is counted anew.
 */
START_TEST(outage_longer_than_the_lease_costs_nobody_his_lease)
{
    set_up();
    char stranger[MR_WORKER_MAX];
    uint64_t rounds;

    make_stranger(stranger, "workers");
    rounds = mr_audit_stats(t.audit).rounds;
    mr_house_until(&t.house, mr_audit_stats(t.audit).rounds > rounds);
    kill(t.house.redis.pid, SIGSTOP);
    mr_house_let_pass(&t.house, 3 * LEASE_MS);
    kill(t.house.redis.pid, SIGCONT);
    for (int i = 0; i < 5; i++) {
        rounds = mr_audit_stats(t.audit).rounds;
        mr_redis_int(&t.house.redis, "ZINCRBY " Q ":workers 1 %s", stranger);
        mr_house_until(&t.house, mr_audit_stats(t.audit).rounds > rounds);
    }
    ck_assert(is_registered(stranger));
    ck_assert(is_registered(t.child.worker));
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).reaps, 0);
    tear_down();
}
END_TEST

/* Writes are refused, reads are not: scores stand still although everybody lives. */
START_TEST(a_redis_that_takes_no_writes_costs_nobody_his_lease)
{
    set_up();
    char stranger[MR_WORKER_MAX];

    make_stranger(stranger, "workers");
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    mr_redis_int(&t.house.redis, "CONFIG SET min-replicas-to-write 1");
    mr_house_let_pass(&t.house, 4 * LEASE_MS);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).reaps, 0);
    ck_assert_uint_eq(mr_audit_stats(t.audit).stale_found, 0);
    mr_redis_int(&t.house.redis, "CONFIG SET min-replicas-to-write 0");
    tear_down();
}
END_TEST

START_TEST(when_most_of_the_fleet_looks_dead_it_waits_one_more_lease)
{
    set_up();
    char strangers[4][MR_WORKER_MAX];
    uint64_t began_ms = mr_clock_ms();

    for (int i = 0; i < 4; i++)
        make_stranger(strangers[i], "workers");
    mr_house_until(&t.house, ask("ZCARD " Q ":delayed") == 4);
    ck_assert_uint_ge(mr_clock_ms() - began_ms, 2 * LEASE_MS);
    tear_down();
}
END_TEST

/* Nobody renews a process in state T, so its jobs come back although it is our own. */
START_TEST(an_own_child_that_is_stopped_loses_its_lease)
{
    set_up();
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        for (;;)
            pause();
    t.child.pid = pid;
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 %s", t.child.worker,
                 "{\"uuid\":\"u\",\"job\":\"debug.noop\"}");
    kill(pid, SIGSTOP);
    mr_house_until(&t.house, ask("ZCARD " Q ":delayed") == 1);
    ck_assert(!is_registered(t.child.worker));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tear_down();
}
END_TEST

/* ---- reaped names ---- */

START_TEST(audit_finds_a_list_under_a_reaped_name)
{
    set_up();
    char stranger[MR_WORKER_MAX];

    make_stranger(stranger, "reaped");
    mr_audit_look(t.audit);
    mr_house_until(&t.house, ask("ZCARD " Q ":delayed") == 1);
    ck_assert_uint_eq(mr_audit_stats(t.audit).lists_found, 1);
    ck_assert_int_gt(mr_redis_int(&t.house.redis, "ZSCORE " Q ":reaped %s", stranger), 1);
    tear_down();
}
END_TEST

/* A Redis that went back in time: the closing string is gone, the job in the wake name is back. */
START_TEST(audit_finds_a_list_under_a_reaped_wake_name)
{
    set_up();
    char stranger[MR_WORKER_MAX];

    mr_worker_make(stranger, NAMES);
    mr_redis_int(&t.house.redis, "ZADD " Q ":reaped 1 %s", stranger);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:w5 woken", stranger);
    mr_audit_look(t.audit);
    mr_house_until(&t.house, ask("LLEN " Q) == 1);
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 0); /* it had not begun */
    tear_down();
}
END_TEST

START_TEST(closed_wake_names_are_nothing_to_find)
{
    set_up();
    char stranger[MR_WORKER_MAX];

    mr_worker_make(stranger, NAMES);
    mr_redis_int(&t.house.redis, "ZADD " Q ":reaped 1 %s", stranger);
    for (int j = 0; j < MR_WAKES; j++)
        mr_redis_do(&t.house.redis, "SET " Q ":lease:%s:w%d closed", stranger, j);
    mr_audit_look(t.audit);
    mr_house_let_pass(&t.house, 200);
    ck_assert_uint_eq(mr_audit_stats(t.audit).lists_found, 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).reaps, 0);
    tear_down();
}
END_TEST

START_TEST(every_reaped_name_has_its_turn)
{
    set_up();
    enum { REAPED = 150 };
    char worker[MR_WORKER_MAX], oldest[MR_WORKER_MAX];

    make_stranger(oldest, "reaped");
    for (int i = 0; i < REAPED; i++) {
        mr_worker_make(worker, NAMES);
        mr_redis_int(&t.house.redis, "ZADD " Q ":reaped %d %s", i + 2, worker);
    }
    for (int looks = 0; looks < 8 && ask("ZCARD " Q ":delayed") == 0; looks++) {
        mr_audit_look(t.audit);
        mr_house_let_pass(&t.house, 100);
    }
    mr_house_until(&t.house, ask("ZCARD " Q ":delayed") == 1);
    tear_down();
}
END_TEST

/* ---- our own children ---- */

static pid_t start_listener(int *out_end)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sigset_t told;
        int number;

        sigemptyset(&told);
        sigaddset(&told, SIGUSR1);
        sigprocmask(SIG_BLOCK, &told, NULL);
        if (write(ends[1], "r", 1) == 1 && sigwait(&told, &number) == 0)
            _exit(write(ends[1], "u", 1) == 1 ? 0 : 1);
        _exit(1);
    }
    close(ends[1]);
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    *out_end = ends[0];
    return pid;
}

/* A late fetch put a batch under a name that the living worker thinks free. Seen twice, it is told to look. */
START_TEST(a_stranger_under_a_living_worker_is_told_to_it)
{
    set_up();
    int end;

    t.child.pid = start_listener(&end);
    atomic_store(&t.child.page.header->state, MR_WORKER_SERVING);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 1)->n, 1);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:1 known", t.child.worker);
    mr_audit_look(t.audit);
    mr_house_let_pass(&t.house, 100);
    mr_audit_look(t.audit);
    mr_house_let_pass(&t.house, 100);
    ck_assert_uint_eq(mr_audit_stats(t.audit).strangers_found, 0);

    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:2 stranger", t.child.worker);
    mr_audit_look(t.audit);
    mr_house_let_pass(&t.house, 100);
    ck_assert_uint_eq(mr_audit_stats(t.audit).strangers_found,
                      0); /* once is a fetch under way */
    mr_audit_look(t.audit);
    mr_house_until(&t.house, mr_audit_stats(t.audit).strangers_found == 1);
    int status;
    waitpid(t.child.pid, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    t.child.pid = 0;
    close(end);
    tear_down();
}
END_TEST

/* ---- the great scan, old letters, sizes ---- */

START_TEST(the_scan_finds_leases_of_workers_nobody_knows)
{
    set_up();
    char forgotten[MR_WORKER_MAX];

    mr_worker_make(forgotten, NAMES);
    mr_redis_int(&t.house.redis, "RPUSH queues:elsewhere:lease:%s:7 %s", forgotten,
                 "{\"uuid\":\"u\",\"job\":\"debug.noop\"}");
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 known", t.child.worker);
    mr_redis_int(&t.house.redis, "RPUSH foreign:lease:list x");
    mr_redis_int(&t.house.redis, "RPUSH queues:odd:lease:nobody:3 x");
    mr_audit_scan(t.audit);
    mr_house_until(&t.house, mr_redis_int(&t.house.redis, "ZSCORE queues:elsewhere:reaped %s",
                                          forgotten) > 0);
    mr_house_until(&t.house, mr_audit_stats(t.audit).strangers_found == 1);
    mr_audit_look(t.audit);
    mr_house_until(&t.house, ask("ZCARD queues:elsewhere:delayed") == 1);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "LLEN " Q ":lease:%s:0", t.child.worker), 1);
    ck_assert_int_eq(ask("ZCARD queues:odd:reaped"), 0);
    tear_down();
}
END_TEST

static void on_refreshed(void *arg)
{
    (void)arg;
    t.refreshed++;
}

START_TEST(sizes_are_asked_for_when_somebody_wants_them)
{
    set_up();
    const struct mr_queue *queue = t.queues.items[0];

    ask("RPUSH " Q " a b c");
    ask("ZADD " Q ":delayed 9999999999 d");
    mr_redis_do(&t.house.redis, "SET " Q ":paused 1");
    ck_assert_int_eq(queue->ready, -1);
    mr_audit_refresh_sizes(t.audit, on_refreshed, NULL);
    ck_assert_uint_eq(t.refreshed, 0);
    mr_house_until(&t.house, t.refreshed == 1);
    ck_assert_int_eq(queue->ready, 3);
    ck_assert_int_eq(queue->delayed, 1);
    ck_assert_int_eq(queue->workers, 1);
    ck_assert(queue->paused);
    tear_down();
}
END_TEST

START_TEST(sizes_are_answered_without_redis_too)
{
    set_up();
    mr_redis_kill(&t.house.redis);
    mr_house_until(&t.house, !mr_store_is_ready(t.house.store));
    mr_audit_refresh_sizes(t.audit, on_refreshed, NULL);
    mr_house_until(&t.house, t.refreshed == 1);
    ck_assert_int_eq(t.queues.items[0]->ready, -1);
    tear_down();
}
END_TEST

START_TEST(old_letters_are_dropped_a_hundred_a_call)
{
    set_up();
    t.config.dead.keep_ms = 1000;
    for (int i = 0; i < 250; i++) {
        mr_redis_int(&t.house.redis, "ZADD " Q ":dead %d id%d", i + 1, i);
        mr_redis_int(&t.house.redis, "HSET " Q ":dead:jobs id%d raw id%d:meta {}", i, i);
    }
    mr_redis_int(&t.house.redis, "ZADD " Q ":dead %s young", "99999999999999");
    mr_redis_int(&t.house.redis, "HSET " Q ":dead:jobs young raw young:meta {}");
    mr_audit_tidy(t.audit);
    mr_house_until(&t.house, mr_audit_stats(t.audit).dead_expired == 250);
    ck_assert_int_eq(ask("ZCARD " Q ":dead"), 1);
    ck_assert_int_eq(ask("HLEN " Q ":dead:jobs"), 2);
    tear_down();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_worker_that_is_not_renewed_is_reaped,                    0},
        {a_worker_whose_score_moves_is_left_alone,                  0},
        {outage_longer_than_the_lease_costs_nobody_his_lease,       0},
        {a_redis_that_takes_no_writes_costs_nobody_his_lease,       0},
        {when_most_of_the_fleet_looks_dead_it_waits_one_more_lease, 0},
        {an_own_child_that_is_stopped_loses_its_lease,              0},
        {audit_finds_a_list_under_a_reaped_name,                    0},
        {audit_finds_a_list_under_a_reaped_wake_name,               0},
        {closed_wake_names_are_nothing_to_find,                     0},
        {every_reaped_name_has_its_turn,                            0},
        {a_stranger_under_a_living_worker_is_told_to_it,            0},
        {the_scan_finds_leases_of_workers_nobody_knows,             0},
        {sizes_are_asked_for_when_somebody_wants_them,              0},
        {sizes_are_answered_without_redis_too,                      0},
        {old_letters_are_dropped_a_hundred_a_call,                  0},
    };

    return mr_suite_run("audit", tests);
}
