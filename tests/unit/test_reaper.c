#include "dispatcher/process.h"
#include "dispatcher/reaper.h"
#include "tests/support/house.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 12, PLACES = 10, EXIT_CRASH = SIGSEGV, EXIT_KILLED = SIGKILL };

#define Q "queues:mail"
#define NOISE "{\"uuid\":\"u%d\",\"job\":\"debug.noop\"}"
#define POISON "{\"uuid\":\"poison\",\"job\":\"debug.crash\"%s}"

/* A worker that is dead already: its page, its registration, what it had leased. */
static struct {
    struct mr_house house;
    struct mr_config config;
    struct mr_queues queues;
    struct mr_reaper *reaper;
    struct mr_child child;
    unsigned done;
} t;

static void on_done(void *arg, struct mr_child *child)
{
    (void)arg;
    ck_assert_ptr_eq(child, &t.child);
    t.done++;
}

static void start_reaper(void)
{
    ck_assert_int_eq(
        mr_reaper_new(&t.house.loop, t.house.store, &t.queues, &t.config, &t.reaper), MR_OK);
}

static void stop_reaper(void)
{
    unsigned stopped = t.house.stopped;

    mr_reaper_stop(t.reaper, mr_house_on_stopped, &t.house);
    mr_house_until(&t.house, t.house.stopped > stopped);
}

static void resume(void *arg)
{
    (void)arg;
    mr_reaper_resume(t.reaper);
}

static char *queues[] = {(char[]){"mail"}};

static void make_child(void)
{
    const struct mr_page_shape shape = {
        .n_queues = 1, .n_names = NAMES, .n_places = PLACES, .n_threads = 1};

    t.child = (struct mr_child){.pool = queues[0],
                                .queues = queues,
                                .n_queues = 1,
                                .registered = true,
                                .dead = true,
                                .status = EXIT_KILLED};
    mr_list_init(&t.child.node);
    mr_worker_make(t.child.worker, NAMES);
    ck_assert_int_eq(mr_page_create_private(&shape, t.child.worker, "mail",
                                            (const char *const *)queues, &t.child.page, NULL),
                     MR_OK);
    atomic_store(&t.child.page.header->state, MR_WORKER_SERVING);
    memcpy(t.child.page.header->redis_run, mr_store_run(t.house.store), MR_PAGE_RUN);
    mr_redis_int(&t.house.redis, "ZADD " Q ":workers 1 %s", t.child.worker);
}

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

static void set_up(const char *const *redis_args)
{
    memset(&t, 0, sizeof(t));
    mr_house_open(&t.house, redis_args);
    t.house.on_ready = resume;
    t.config.lease_ms = 10000;
    t.config.limits = (struct mr_limits){.payload_bytes = 1 << 20, .depth = 64};
    t.config.dead.max = 1000;
    mr_queues_init(&t.queues, "");
    mr_queues_add(&t.queues, "mail", true);
    start_reaper();
    make_child();
}

static void tear_down(void)
{
    stop_reaper();
    mr_page_unmap(&t.child.page);
    mr_queues_fini(&t.queues);
    mr_house_close(&t.house);
}

static void reap(void)
{
    unsigned done = t.done;

    mr_reaper_child(t.reaper, &t.child, on_done, NULL);
    mr_house_until(&t.house, t.done > done);
}

static long long ask(const char *command)
{
    return mr_redis_int(&t.house.redis, command);
}

/* Puts n noisy jobs into lease k, numbered from `from`, as places of the page from `place` on. */
static void lease(unsigned k, int from, int n, unsigned place)
{
    for (int i = 0; i < n; i++) {
        char payload[128];

        snprintf(payload, sizeof(payload), NOISE, from + i);
        mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:%u %s", t.child.worker, k, payload);
        t.child.page.places[place + (unsigned)i].k = k;
        t.child.page.places[place + (unsigned)i].index = (uint32_t)i;
        atomic_store(&t.child.page.places[place + (unsigned)i].state, MR_PLACE_RUNNING);
    }
    atomic_store(&mr_page_lease_of(&t.child.page, 0, k)->n, (uint32_t)n);
}

static void assert_text(redisReply *reply, const char *want)
{
    ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
    ck_assert_str_eq(reply->str, want);
    freeReplyObject(reply);
}

/* ready holds the noisy jobs with these numbers, byte for byte, in this order. */
static void assert_ready(size_t n, const int *numbers)
{
    ck_assert_int_eq(ask("LLEN " Q), (long long)n);
    for (size_t i = 0; i < n; i++) {
        char want[128];

        snprintf(want, sizeof(want), NOISE, numbers[i]);
        assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " %d", (int)i), want);
    }
}

static void assert_no_lease(void)
{
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "EVAL %s 0",
                                  "local n = 0 for _, key in ipairs(redis.call('KEYS', "
                                  "'*:lease:*')) do if redis.call('TYPE', key).ok == 'list' "
                                  "then n = n + 1 end end return n"),
                     0);
}

/* The one delayed job says what a member's value is now. */
static json_int_t delayed_number(const char *member)
{
    redisReply *reply = mr_redis_ask(&t.house.redis, "ZRANGE " Q ":delayed 0 0");
    ck_assert_uint_eq(reply->elements, 1);
    json_t *job = json_loadb(reply->element[0]->str, (size_t)reply->element[0]->len, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(job, member));

    json_decref(job);
    freeReplyObject(reply);
    return number;
}

/* A member of the only dead letter's record. */
static json_t *dead_member(const char *member)
{
    redisReply *ids = mr_redis_ask(&t.house.redis, "ZRANGE " Q ":dead 0 -1");
    ck_assert_uint_eq(ids->elements, 1);
    redisReply *meta =
        mr_redis_ask(&t.house.redis, "HGET " Q ":dead:jobs %s:meta", ids->element[0]->str);
    json_t *record = json_loadb(meta->str, (size_t)meta->len, JSON_ALLOW_NUL, NULL);
    json_t *value = json_incref(json_object_get(record, member));

    json_decref(record);
    freeReplyObject(meta);
    freeReplyObject(ids);
    return value;
}

static void assert_dead(const char *class, const char *reason)
{
    json_t *its_class = dead_member("class"), *its_reason = dead_member("reason");

    ck_assert_str_eq(json_string_value(its_class), class);
    ck_assert_msg(strstr(json_string_value(its_reason), reason) != NULL, "%s",
                  json_string_value(its_reason));
    json_decref(its_class);
    json_decref(its_reason);
}

/* ---- with a page ---- */

START_TEST(a_clean_exit_gives_everything_back_untouched)
{
    set_up(durable);
    t.child.status = 0;
    lease(0, 1, 3, 0);
    reap();
    assert_ready(3, (const int[]){1, 2, 3});
    assert_no_lease();
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "EXISTS " Q ":workers"), 0);
    ck_assert_int_gt(mr_redis_int(&t.house.redis, "ZSCORE " Q ":reaped %s", t.child.worker), 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).jobs_back, 3);
    tear_down();
}
END_TEST

START_TEST(leases_go_back_in_front_of_what_waits_each_in_order)
{
    set_up(durable);
    t.child.status = 0;
    ask("RPUSH " Q " waiting");
    lease(3, 1, 3, 0);
    reap();
    ck_assert_int_eq(ask("LLEN " Q), 4);
    assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " 3"), "waiting");
    assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " 0"),
                "{\"uuid\":\"u1\",\"job\":\"debug.noop\"}");
    tear_down();
}
END_TEST

START_TEST(finished_jobs_are_settled_from_the_page)
{
    set_up(durable);
    t.child.status = 0;
    lease(0, 1, 4, 0);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 0)->done[0], 1u << 0 | 1u << 2);
    reap();
    assert_ready(2, (const int[]){2, 4});
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).jobs_settled, 2);
    tear_down();
}
END_TEST

START_TEST(a_crash_costs_the_culprit_an_attempt)
{
    set_up(durable);
    t.child.status = EXIT_CRASH;
    lease(0, 1, 3, 0);
    atomic_store(&t.child.page.header->crash_signal, SIGSEGV);
    atomic_store(&t.child.page.header->crash_place, 1);
    reap();
    assert_ready(2, (const int[]){1, 3});
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 1);
    ck_assert_int_eq(delayed_number("attempts"), 1);
    ck_assert_int_eq(delayed_number("crashes"), 1);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).crashes, 1);
    tear_down();
}
END_TEST

/* PROTOCOL 18: one poison job among nine innocent ones dies alone; no neighbour's byte changes. */
START_TEST(poison_rule_spares_the_neighbours)
{
    set_up(durable);
    t.child.status = EXIT_CRASH;
    lease(0, 1, 9, 0);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:1 " POISON, t.child.worker,
                 ",\"attempts\":2,\"crashes\":2,\"maxTries\":9");
    t.child.page.places[9].k = 1;
    atomic_store(&t.child.page.places[9].state, MR_PLACE_PARSING);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 1)->n, 1);
    atomic_store(&t.child.page.header->crash_place, 9);
    reap();
    assert_ready(9, (const int[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 0);
    assert_dead("crashed", "crashed: SIGSEGV");
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(an_unexplained_death_makes_suspects_of_all_that_ran)
{
    set_up(durable);
    lease(0, 1, 3, 0);
    reap();
    assert_ready(0, NULL);
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 3);
    ck_assert_int_eq(delayed_number("suspect"), 1);
    ck_assert_int_eq(delayed_number("attempts"), 0);
    ck_assert_int_eq(delayed_number("crashes"), 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).suspects, 3);
    tear_down();
}
END_TEST

START_TEST(our_own_kill_times_out_only_the_late_one)
{
    set_up(durable);
    t.child.killed_by_us = true;
    lease(0, 1, 3, 0);
    t.child.page.places[1].timed_out = 1;
    reap();
    assert_ready(2, (const int[]){1, 3});
    ck_assert_int_eq(delayed_number("attempts"), 1);
    ck_assert_int_eq(delayed_number("crashes"), 0);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).timeouts, 1);
    tear_down();
}
END_TEST

/* PROTOCOL 5.3: a retry or dead that was not answered counts as an attempt, if its job is still in its place. */
START_TEST(a_verdict_that_never_arrived_costs_an_attempt)
{
    set_up(durable);
    t.child.status = 0;
    lease(0, 1, 2, 0);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:5 %s", t.child.worker, "");
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 5)->n, 1);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 5)->settling[0], 1);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 0)->settling[0], 1u << 1);
    reap();
    assert_ready(1, (const int[]){1});
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 1);
    ck_assert_int_eq(delayed_number("attempts"), 1);
    ck_assert_int_eq(delayed_number("crashes"), 0);
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(bytes_nobody_can_read_become_a_letter_when_they_crashed)
{
    set_up(durable);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 %b", t.child.worker, "\xff\0{", 3);
    atomic_store(&t.child.page.places[0].state, MR_PLACE_PARSING);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 0)->n, 1);
    reap();
    assert_dead("refused", "");
    assert_no_lease();
    ck_assert_int_eq(ask("LLEN " Q), 0);
    tear_down();
}
END_TEST

START_TEST(many_leases_come_back_in_full)
{
    set_up(durable);
    t.child.status = 0;
    for (int i = 0; i < NAMES * 100; i++)
        mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:%d %d", t.child.worker, i % NAMES,
                     i);
    reap();
    ck_assert_int_eq(ask("LLEN " Q), NAMES * 100);
    assert_no_lease();
    tear_down();
}
END_TEST

/* PROTOCOL 13: a BLMOVE that was stopped overnight meets the closing string, and the job stays where it is. */
START_TEST(late_blmove_of_a_reaped_worker_leaves_the_job)
{
    set_up(durable);
    t.child.status = 0;
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:w3 woken", t.child.worker);
    reap();
    assert_text(mr_redis_ask(&t.house.redis, "LINDEX " Q " 0"), "woken");
    for (int j = 0; j < MR_WAKES; j++) {
        redisReply *late = mr_redis_ask(
            &t.house.redis, "BLMOVE " Q " " Q ":lease:%s:w%d LEFT RIGHT 1", t.child.worker, j);

        ck_assert_int_eq(late->type, REDIS_REPLY_ERROR);
        freeReplyObject(late);
    }
    ck_assert_int_eq(ask("LLEN " Q), 1);
    tear_down();
}
END_TEST

START_TEST(a_second_look_finds_what_came_late)
{
    set_up(durable);
    t.child.status = 0;
    reap();
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 late", t.child.worker);
    mr_redis_int(&t.house.redis, "DEL " Q ":lease:%s:w0", t.child.worker);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:w0 later", t.child.worker);
    mr_house_until(&t.house, ask("LLEN " Q) == 2);
    assert_no_lease();
    tear_down();
}
END_TEST

/* PROTOCOL 20: what a worker started must not go on while its job runs again. */
START_TEST(what_is_left_of_its_session_dies_first)
{
    set_up(durable);
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
    lease(0, 1, 1, 0);
    reap();
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* and is gone: nobody holds the other end */
    close(ends[0]);
    tear_down();
}
END_TEST

/* ---- interrupted, repeated, raced ---- */

/* Whatever step a reaper was stopped behind, the next one ends with the same: every job once, the finished one gone. */
START_TEST(crash_between_steps_is_repeated)
{
    set_up(durable);
    t.child.status = EXIT_CRASH;
    lease(0, 1, 4, 0);
    lease(1, 11, 2, 4);
    atomic_store(&t.child.page.header->crash_place, 1);
    atomic_store(&mr_page_lease_of(&t.child.page, 0, 1)->done[0], 1u << 0);
    mr_reaper_child(t.reaper, &t.child, on_done, NULL);
    for (int turn = 0; turn < _i; turn++)
        uv_run(&t.house.loop, UV_RUN_NOWAIT);
    stop_reaper();
    start_reaper();
    t.done = 0;
    reap();
    ck_assert_int_eq(ask("LLEN " Q), 4);
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 1);
    ck_assert_int_eq(delayed_number("attempts"), 1);
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(a_reap_goes_on_through_an_outage)
{
    set_up(durable);
    t.child.status = EXIT_CRASH;
    lease(0, 1, 4, 0);
    atomic_store(&t.child.page.header->crash_place, 1);
    mr_reaper_child(t.reaper, &t.child, on_done, NULL);
    for (int turn = 0; turn < _i; turn++)
        uv_run(&t.house.loop, UV_RUN_NOWAIT);
    mr_redis_kill(&t.house.redis);
    mr_house_until(&t.house, !mr_store_is_ready(t.house.store));
    mr_redis_again(&t.house.redis, durable);
    mr_house_until(&t.house, t.done == 1);
    assert_ready(3, (const int[]){1, 3, 4});
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 1);
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(two_reapers_leave_every_job_once)
{
    set_up(durable);
    struct mr_reaper *first = t.reaper;
    unsigned stopped = t.house.stopped;

    t.child.status = EXIT_CRASH;
    lease(0, 1, 4, 0);
    atomic_store(&t.child.page.header->crash_place, 1);
    start_reaper();
    mr_reaper_child(first, &t.child, on_done, NULL);
    mr_reaper_child(t.reaper, &t.child, on_done, NULL);
    mr_house_until(&t.house, t.done == 2);
    assert_ready(3, (const int[]){1, 3, 4});
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 1);
    assert_no_lease();
    mr_reaper_stop(first, mr_house_on_stopped, &t.house);
    mr_house_until(&t.house, t.house.stopped > stopped);
    tear_down();
}
END_TEST

START_TEST(a_broken_key_does_not_keep_jobs_from_coming_back)
{
    set_up(durable);
    t.child.status = 0;
    lease(0, 1, 2, 0);
    mr_redis_do(&t.house.redis, "DEL " Q ":workers");
    mr_redis_do(&t.house.redis, "SET " Q ":workers nonsense");
    reap();
    assert_ready(2, (const int[]){1, 2});
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(a_reap_ends_although_the_script_cache_is_emptied)
{
    set_up(durable);
    lease(0, 1, 1, 0);
    mr_redis_do(&t.house.redis, "SCRIPT FLUSH");
    reap();
    ck_assert_int_eq(delayed_number("crashes"), 1);
    assert_no_lease();
    tear_down();
}
END_TEST

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The goal is 100 ms; asserted generously, printed exactly. */
START_TEST(an_own_child_is_reclaimed_at_once)
{
    set_up(durable);
    enum { ROUNDS = 100 };
    int took_us[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        lease(0, 1, 10, 0);
        atomic_store(&t.child.page.current[0], 4);
        uint64_t began_us = mr_clock_us();
        reap();
        took_us[round] = (int)(mr_clock_us() - began_us);
        ck_assert_int_eq(ask("LLEN " Q), 9);
        mr_redis_do(&t.house.redis, "FLUSHALL");
        mr_page_unmap(&t.child.page);
        make_child();
    }
    qsort(took_us, ROUNDS, sizeof(*took_us), by_number);
    printf("# reclaim: p50 %d us, p99 %d us\n", took_us[ROUNDS / 2],
           took_us[ROUNDS * 99 / 100]);
    ck_assert_int_lt(took_us[ROUNDS * 99 / 100], 500000);
    tear_down();
}
END_TEST

/* ---- without a page ---- */

static struct mr_queue *mail(void)
{
    return mr_queues_find(&t.queues, "mail");
}

static void reap_stranger(const char *seen)
{
    uint64_t reaps = mr_reaper_stats(t.reaper).reaps;

    mr_reaper_stranger(t.reaper, mail(), t.child.worker, seen);
    mr_house_until(&t.house, mr_reaper_stats(t.reaper).reaps > reaps);
}

START_TEST(each_job_of_a_vanished_host_costs_an_attempt)
{
    set_up(durable);
    lease(2, 1, 2, 0);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:7 " POISON, t.child.worker,
                 ",\"attempts\":2,\"maxTries\":3");
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:7 %s", t.child.worker, "not json");
    reap_stranger("1");
    ck_assert_int_eq(ask("LLEN " Q), 0);
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 2);
    ck_assert_int_eq(delayed_number("attempts"), 1);
    ck_assert_int_eq(ask("ZCARD " Q ":dead"), 2); /* its tries are spent; nobody can read it */
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).lost, 4);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).strangers, 1);
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(a_lost_page_is_like_a_vanished_host)
{
    set_up(durable);
    struct mr_page page = t.child.page;

    lease(0, 1, 1, 0);
    memset(&t.child.page, 0, sizeof(t.child.page));
    reap();
    t.child.page = page;
    ck_assert_int_eq(delayed_number("attempts"), 1);
    ck_assert_int_eq(delayed_number("crashes"), 0);
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(a_stranger_that_renewed_meanwhile_is_left_alone)
{
    set_up(durable);
    lease(0, 1, 2, 0);
    mr_redis_int(&t.house.redis, "ZADD " Q ":workers 77 %s", t.child.worker);
    mr_reaper_stranger(t.reaper, mail(), t.child.worker, "76");
    mr_house_until(&t.house, !mr_reaper_busy_with(t.reaper, t.child.worker));
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "ZSCORE " Q ":workers %s", t.child.worker),
                     77);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "LLEN " Q ":lease:%s:0", t.child.worker), 2);
    ck_assert_uint_eq(mr_reaper_stats(t.reaper).reaps, 0);
    tear_down();
}
END_TEST

START_TEST(a_payload_over_the_limit_is_moved_inside_redis)
{
    set_up(durable);
    size_t len = (size_t)t.config.limits.payload_bytes + 1;
    char *payload = mr_zalloc(len);

    memset(payload, ' ', len);
    mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:0 %b", t.child.worker, payload, len);
    reap_stranger("1");
    json_t *big = dead_member("big"), *id = dead_member("id");
    ck_assert(json_is_true(big));
    ck_assert_int_eq(
        mr_redis_int(&t.house.redis, "EXISTS " Q ":dead:big:%s", json_string_value(id)), 1);
    json_decref(big);
    json_decref(id);
    free(payload);
    assert_no_lease();
    tear_down();
}
END_TEST

START_TEST(strangers_of_many_names_are_reaped_together)
{
    set_up(durable);
    char workers[8][MR_WORKER_MAX];

    for (int i = 0; i < 8; i++) {
        mr_worker_make(workers[i], NAMES);
        mr_redis_int(&t.house.redis, "ZADD " Q ":workers 1 %s", workers[i]);
        for (int j = 0; j < 5; j++)
            mr_redis_int(&t.house.redis, "RPUSH " Q ":lease:%s:%d " NOISE, workers[i], j,
                         10 * i + j);
    }
    for (int i = 0; i < 8; i++)
        mr_reaper_stranger(t.reaper, mail(), workers[i], "1");
    mr_house_until(&t.house, mr_reaper_stats(t.reaper).reaps == 8);
    ck_assert_int_eq(ask("ZCARD " Q ":delayed"), 40);
    assert_no_lease();
    tear_down();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_clean_exit_gives_everything_back_untouched,            0 },
        {leases_go_back_in_front_of_what_waits_each_in_order,     0 },
        {finished_jobs_are_settled_from_the_page,                 0 },
        {a_crash_costs_the_culprit_an_attempt,                    0 },
        {poison_rule_spares_the_neighbours,                       0 },
        {an_unexplained_death_makes_suspects_of_all_that_ran,     0 },
        {our_own_kill_times_out_only_the_late_one,                0 },
        {a_verdict_that_never_arrived_costs_an_attempt,           0 },
        {bytes_nobody_can_read_become_a_letter_when_they_crashed, 0 },
        {many_leases_come_back_in_full,                           0 },
        {late_blmove_of_a_reaped_worker_leaves_the_job,           0 },
        {a_second_look_finds_what_came_late,                      0 },
        {what_is_left_of_its_session_dies_first,                  0 },
        {crash_between_steps_is_repeated,                         12},
        {a_reap_goes_on_through_an_outage,                        6 },
        {two_reapers_leave_every_job_once,                        0 },
        {a_broken_key_does_not_keep_jobs_from_coming_back,        0 },
        {a_reap_ends_although_the_script_cache_is_emptied,        0 },
        {an_own_child_is_reclaimed_at_once,                       0 },
        {each_job_of_a_vanished_host_costs_an_attempt,            0 },
        {a_lost_page_is_like_a_vanished_host,                     0 },
        {a_stranger_that_renewed_meanwhile_is_left_alone,         0 },
        {a_payload_over_the_limit_is_moved_inside_redis,          0 },
        {strangers_of_many_names_are_reaped_together,             0 },
    };

    return mr_suite_run("reaper", tests);
}
