#include "dispatcher/renew.h"
#include "tests/support/house.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 4, LEASE_MS = 1000, CHILDREN = 2 };

static struct {
    struct mr_house house;
    struct mr_queues queues;
    struct mr_list children;
    struct mr_child child[CHILDREN];
    struct mr_renew *renew;
    enum mr_code code; /* of the last registration */
    unsigned registered;
} t;

static char *both_queues[] = {(char[]){"high"}, (char[]){"low"}};

static void make_child(struct mr_child *child)
{
    const struct mr_page_shape shape = {
        .n_queues = 2, .n_names = NAMES, .n_places = 1, .n_threads = 1};

    *child = (struct mr_child){.pool = both_queues[0], .queues = both_queues, .n_queues = 2};
    mr_worker_make(child->worker, NAMES);
    ck_assert_int_eq(mr_page_create_private(&shape, child->worker, "pool",
                                            (const char *const *)both_queues, &child->page,
                                            NULL),
                     MR_OK);
    mr_list_push_back(&t.children, &child->node);
}

static void set_up(void)
{
    memset(&t, 0, sizeof(t));
    mr_house_open(&t.house, NULL);
    mr_queues_init(&t.queues, "");
    mr_list_init(&t.children);
    for (int i = 0; i < CHILDREN; i++)
        make_child(&t.child[i]);
    ck_assert_int_eq(
        mr_renew_new(&t.house.loop, t.house.store, &t.queues, &t.children, LEASE_MS, &t.renew),
        MR_OK);
}

static void tear_down(void)
{
    unsigned stopped = t.house.stopped;

    mr_renew_stop(t.renew, mr_house_on_stopped, &t.house);
    mr_house_until(&t.house, t.house.stopped > stopped);
    for (int i = 0; i < CHILDREN; i++)
        mr_page_unmap(&t.child[i].page);
    mr_queues_fini(&t.queues);
    mr_house_close(&t.house);
}

static void on_registered(void *arg, enum mr_code code)
{
    (void)arg;
    t.code = code;
    t.registered++;
}

static uint64_t stamp(const struct mr_child *child)
{
    return atomic_load(&child->page.header->renewed_at_ms);
}

/* Registers it, and takes the stamp that this gave away again: what follows looks for renewals. */
static enum mr_code register_child(struct mr_child *child)
{
    unsigned registered = t.registered;

    mr_renew_register(t.renew, child, on_registered, NULL);
    ck_assert_uint_eq(t.registered, registered); /* never inside the call */
    mr_house_until(&t.house, t.registered > registered);
    ck_assert_int_eq(stamp(child) > 0, t.code == MR_OK);
    atomic_store(&child->page.header->renewed_at_ms, 0);
    return t.code;
}

static long long deadline(const struct mr_child *child, const char *queue)
{
    return mr_redis_int(&t.house.redis, "ZSCORE queues:%s:workers %s", queue, child->worker);
}

static bool is_fenced(const struct mr_child *child)
{
    return atomic_load(&child->page.header->fenced) != 0;
}

START_TEST(a_worker_is_registered_in_every_queue_before_it_starts)
{
    set_up();
    ck_assert_int_eq(register_child(&t.child[0]), MR_OK);
    ck_assert(t.child[0].registered);
    ck_assert_int_gt(deadline(&t.child[0], "high"), 0);
    ck_assert_int_gt(deadline(&t.child[0], "low"), 0);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "SISMEMBER millrace:queues low"), 1);
    tear_down();
}
END_TEST

START_TEST(a_reaped_incarnation_is_never_registered_again)
{
    set_up();
    mr_redis_int(&t.house.redis, "ZADD queues:low:reaped 1 %s", t.child[0].worker);
    ck_assert_int_eq(register_child(&t.child[0]), MR_EFENCED);
    ck_assert(!t.child[0].registered);
    tear_down();
}
END_TEST

START_TEST(registering_without_redis_says_so)
{
    set_up();
    mr_redis_kill(&t.house.redis);
    mr_house_until(&t.house, !mr_store_is_ready(t.house.store));
    ck_assert_int_eq(register_child(&t.child[0]), MR_EDOWN);
    tear_down();
}
END_TEST

START_TEST(a_forgotten_registration_is_answered_once)
{
    set_up();
    mr_renew_register(t.renew, &t.child[0], on_registered, NULL);
    mr_renew_forget(t.renew, &t.child[0]);
    ck_assert_uint_eq(t.registered, 1);
    ck_assert_int_eq(t.code, MR_EDOWN);
    ck_assert_int_eq(register_child(&t.child[1]), MR_OK);
    ck_assert_uint_eq(t.registered, 2);
    tear_down();
}
END_TEST

START_TEST(all_living_children_are_renewed_in_every_queue)
{
    set_up();
    uint64_t began_ms = mr_clock_ms();

    register_child(&t.child[0]);
    register_child(&t.child[1]);
    long long high = deadline(&t.child[0], "high"), low = deadline(&t.child[1], "low");
    mr_renew_start(t.renew);
    mr_house_until(&t.house,
                   deadline(&t.child[0], "high") > high && deadline(&t.child[1], "low") > low);
    mr_house_until(&t.house, stamp(&t.child[0]) >= began_ms && stamp(&t.child[1]) >= began_ms);
    ck_assert_uint_le(stamp(&t.child[0]), mr_clock_ms());
    tear_down();
}
END_TEST

/* Half a renewal is none: the stamp moves only when every queue has said yes. */
START_TEST(a_worker_missing_in_one_queue_is_fenced_and_not_stamped)
{
    set_up();
    register_child(&t.child[0]);
    register_child(&t.child[1]);
    mr_redis_int(&t.house.redis, "ZREM queues:low:workers %s", t.child[0].worker);
    mr_renew_start(t.renew);
    mr_house_until(&t.house, is_fenced(&t.child[0]) && stamp(&t.child[1]) > 0);
    ck_assert_uint_eq(stamp(&t.child[0]), 0);
    ck_assert(!is_fenced(&t.child[1]));
    ck_assert_int_eq(deadline(&t.child[0], "low"), -1); /* never resurrected */
    tear_down();
}
END_TEST

static void is_dead(struct mr_child *child)
{
    child->dead = true;
}

static void is_orphan(struct mr_child *child)
{
    child->orphan = true;
}

static void is_stale(struct mr_child *child)
{
    atomic_store(&child->page.header->beat_ms, mr_clock_ms() - 2 * LEASE_MS - 1000);
}

static void (*const not_living[])(struct mr_child *) = {is_dead, is_orphan, is_stale};

START_TEST(one_that_does_not_live_is_not_renewed)
{
    set_up();
    register_child(&t.child[0]);
    register_child(&t.child[1]);
    not_living[_i](&t.child[0]);
    long long before = deadline(&t.child[0], "high");
    mr_renew_start(t.renew);
    for (uint64_t seen = 0, rounds = 0; rounds < 3; rounds++) {
        seen = stamp(&t.child[1]);
        mr_house_until(&t.house, stamp(&t.child[1]) > seen);
    }
    ck_assert_int_eq(deadline(&t.child[0], "high"), before);
    ck_assert_uint_eq(stamp(&t.child[0]), 0);
    tear_down();
}
END_TEST

/* A process in state T keeps nobody's jobs; when it goes on, so do its renewals. */
START_TEST(a_stopped_process_is_not_renewed)
{
    set_up();
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        for (;;)
            pause();
    register_child(&t.child[0]);
    register_child(&t.child[1]);
    t.child[0].pid = pid;
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    mr_renew_start(t.renew);
    mr_house_until(&t.house, stamp(&t.child[1]) > 0);
    ck_assert_uint_eq(stamp(&t.child[0]), 0);
    kill(pid, SIGCONT);
    mr_house_until(&t.house, stamp(&t.child[0]) > 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tear_down();
}
END_TEST

START_TEST(nothing_is_trusted_before_the_first_renewal)
{
    set_up();
    ck_assert_uint_eq(mr_renew_trusted_since_ms(t.renew), 0);
    register_child(&t.child[0]);
    mr_renew_start(t.renew);
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    tear_down();
}
END_TEST

/* An interval in which renewals could not get through counts for nobody's death. */
START_TEST(an_outage_begins_trust_anew)
{
    set_up();
    register_child(&t.child[0]);
    mr_renew_start(t.renew);
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    uint64_t before = mr_renew_trusted_since_ms(t.renew);
    mr_redis_kill(&t.house.redis);
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) == 0);
    mr_redis_again(&t.house.redis, NULL);
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    ck_assert_uint_gt(mr_renew_trusted_since_ms(t.renew), before + LEASE_MS / 3);
    tear_down();
}
END_TEST

/* A dispatcher without workers judges too: an empty renewal says whether anybody's could get through. */
START_TEST(an_empty_renewal_proves_that_writes_work)
{
    set_up();
    mr_queues_add(&t.queues, "high", true);
    mr_renew_start(t.renew);
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    mr_redis_int(&t.house.redis, "CONFIG SET min-replicas-to-write 1");
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) == 0);
    mr_redis_int(&t.house.redis, "CONFIG SET min-replicas-to-write 0");
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    tear_down();
}
END_TEST

/* A plain ZADD would be refused here. */
START_TEST(a_full_redis_renews)
{
    set_up();
    register_child(&t.child[0]);
    mr_redis_int(&t.house.redis, "CONFIG SET maxmemory 1");
    mr_renew_start(t.renew);
    mr_house_until(&t.house, stamp(&t.child[0]) > 0);
    mr_redis_int(&t.house.redis, "CONFIG SET maxmemory 0");
    tear_down();
}
END_TEST

START_TEST(a_key_of_a_wrong_type_spoils_only_its_own_queue)
{
    set_up();
    register_child(&t.child[0]);
    mr_redis_do(&t.house.redis, "DEL queues:low:workers");
    mr_redis_do(&t.house.redis, "SET queues:low:workers nonsense");
    mr_renew_start(t.renew);
    mr_house_until(&t.house, mr_renew_trusted_since_ms(t.renew) > 0);
    ck_assert_int_gt(deadline(&t.child[0], "high"), 0);
    tear_down();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_worker_is_registered_in_every_queue_before_it_starts,  0                   },
        {a_reaped_incarnation_is_never_registered_again,          0                   },
        {registering_without_redis_says_so,                       0                   },
        {a_forgotten_registration_is_answered_once,               0                   },
        {all_living_children_are_renewed_in_every_queue,          0                   },
        {a_worker_missing_in_one_queue_is_fenced_and_not_stamped, 0                   },
        {one_that_does_not_live_is_not_renewed,                   MR_COUNT(not_living)},
        {a_stopped_process_is_not_renewed,                        0                   },
        {nothing_is_trusted_before_the_first_renewal,             0                   },
        {an_outage_begins_trust_anew,                             0                   },
        {an_empty_renewal_proves_that_writes_work,                0                   },
        {a_key_of_a_wrong_type_spoils_only_its_own_queue,         0                   },
        {a_full_redis_renews,                                     0                   },
    };

    return mr_suite_run("renew", tests);
}
