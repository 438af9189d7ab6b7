#include "dispatcher/fleet.h"
#include "tests/support/house.h"
#include "tests/support/suite.h"

#include <string.h>

enum { FLEETS = 3 };

/* Dispatchers of one Redis; each has its own view of the fleet. */
struct view {
    struct mr_fleet *fleet;
    int high, low; /* as last told; -1 before */
    unsigned mismatches, cleared;
    struct mr_err why;
};

static struct {
    struct mr_house house;
    struct mr_queues queues;
    struct mr_pool_config pools[2];
    struct mr_config config, high_only;
    struct view views[FLEETS];
    unsigned total, share, answers;
} t;

static void on_share(void *arg, const char *pool, unsigned processes)
{
    struct view *view = arg;

    *(strcmp(pool, "high") == 0 ? &view->high : &view->low) = (int)processes;
}

static void on_cleared(void *arg)
{
    struct view *view = arg;

    view->cleared++;
}

static void on_mismatch(void *arg, const struct mr_err *why)
{
    struct view *view = arg;

    view->mismatches++;
    view->why = *why;
}

static char high_name[] = "high", low_name[] = "low";

static void set_up(void)
{
    memset(&t, 0, sizeof(t));
    mr_house_open(&t.house, NULL);
    mr_queues_init(&t.queues, "");
    t.pools[0] = (struct mr_pool_config){.name = high_name, .processes = 3};
    t.pools[1] = (struct mr_pool_config){.name = low_name, .processes = 2};
    t.config = (struct mr_config){.pools = t.pools, .n_pools = 2};
    t.high_only = (struct mr_config){.pools = t.pools, .n_pools = 1};
}

static struct view *join(int i, const struct mr_config *config)
{
    struct view *view = &t.views[i];
    const struct mr_fleet_events events = {on_share, on_cleared, on_mismatch, view};

    *view = (struct view){.high = -1, .low = -1};
    ck_assert_int_eq(
        mr_fleet_new(&t.house.loop, t.house.store, &t.queues, config, &events, &view->fleet),
        MR_OK);
    mr_fleet_start(view->fleet);
    return view;
}

static void leave(struct view *view)
{
    unsigned stopped = t.house.stopped;

    mr_fleet_stop(view->fleet, mr_house_on_stopped, &t.house);
    view->fleet = NULL;
    mr_house_until(&t.house, t.house.stopped > stopped);
}

static void tear_down(void)
{
    for (int i = 0; i < FLEETS; i++)
        if (t.views[i].fleet)
            leave(&t.views[i]);
    mr_queues_fini(&t.queues);
    mr_house_close(&t.house);
}

static void on_scaled(void *arg, enum mr_code code, unsigned total, unsigned share)
{
    (void)arg;
    ck_assert_int_eq(code, MR_OK);
    t.total = total;
    t.share = share;
    t.answers++;
}

static void scale(struct view *view, const char *pool, long processes, bool relative)
{
    unsigned answers = t.answers;

    ck_assert_int_eq(mr_fleet_scale(view->fleet, pool, processes, relative, on_scaled, NULL),
                     MR_OK);
    mr_house_until(&t.house, t.answers > answers);
}

START_TEST(without_a_wanted_total_each_runs_what_its_configuration_says)
{
    set_up();
    struct view *one = join(0, &t.config), *two = join(1, &t.config);

    mr_house_until(&t.house, one->high == 3 && one->low == 2 && two->high == 3);
    mr_house_until(&t.house, mr_fleet_size(one->fleet) == 2);
    ck_assert_uint_eq(mr_fleet_wanted(one->fleet, "high"), 6);
    tear_down();
}
END_TEST

START_TEST(a_wanted_total_is_shared_without_a_leader)
{
    set_up();
    struct view *one = join(0, &t.config), *two = join(1, &t.config),
                *three = join(2, &t.config);

    mr_house_until(&t.house, mr_fleet_size(one->fleet) == 3);
    scale(one, "high", 7, false);
    ck_assert_uint_eq(t.total, 7);
    ck_assert_int_eq(one->high, (int)t.share);
    mr_house_until(&t.house, one->high + two->high + three->high == 7);
    ck_assert_int_ge(one->high, 2);
    ck_assert_int_ge(two->high, 2);
    ck_assert_int_ge(three->high, 2);
    ck_assert_int_eq(one->low, 2);
    tear_down();
}
END_TEST

START_TEST(one_that_leaves_hands_its_share_on)
{
    set_up();
    struct view *one = join(0, &t.config), *two = join(1, &t.config);

    mr_house_until(&t.house, mr_fleet_size(one->fleet) == 2 && mr_fleet_size(two->fleet) == 2);
    scale(one, "high", 4, false);
    mr_house_until(&t.house, one->high == 2 && two->high == 2);
    leave(two);
    mr_house_until(&t.house, one->high == 4);
    tear_down();
}
END_TEST

START_TEST(one_that_falls_silent_is_counted_out)
{
    set_up();
    struct view *one = join(0, &t.config);

    /* Somebody whose beat is long past, and somebody whose beat is not. */
    mr_redis_int(&t.house.redis, "ZADD millrace:dispatchers 1 %s", "gone high,low");
    mr_redis_int(&t.house.redis, "ZADD millrace:dispatchers 9999999999999 %s",
                 "there high,low");
    mr_redis_int(&t.house.redis, "HSET millrace:wanted high 8");
    mr_house_until(&t.house, one->high == 4);
    ck_assert_uint_eq(mr_fleet_size(one->fleet), 2);
    tear_down();
}
END_TEST

/* A tier in containers of its own: only those that have the pool share it. */
START_TEST(only_those_that_have_a_pool_share_it)
{
    set_up();
    struct view *both = join(0, &t.config), *high = join(1, &t.high_only);

    mr_house_until(&t.house, mr_fleet_size(both->fleet) == 2);
    scale(both, "low", 6, false);
    scale(both, "high", 6, false);
    mr_house_until(&t.house, both->low == 6 && both->high == 3 && high->high == 3);
    ck_assert_int_eq(high->low, -1);
    tear_down();
}
END_TEST

static const struct {
    long change;
    unsigned total;
} changes[] = {
    {1,   4}, /* 3 are configured */
    {-2,  1},
    {-10, 0}, /* there is no less than none */
    {0,   3},
};

START_TEST(a_change_counts_from_what_is_wanted)
{
    set_up();
    struct view *one = join(0, &t.config);

    mr_house_until(&t.house, one->high == 3);
    scale(one, "high", changes[_i].change, true);
    ck_assert_uint_eq(t.total, changes[_i].total);
    ck_assert_int_eq(one->high, (int)changes[_i].total);
    scale(one, "high", 2, true);
    ck_assert_uint_eq(t.total, changes[_i].total + 2);
    tear_down();
}
END_TEST

START_TEST(a_total_that_makes_no_sense_is_refused)
{
    set_up();
    struct view *one = join(0, &t.config);

    ck_assert_int_eq(mr_fleet_scale(one->fleet, "high", -1, false, on_scaled, NULL), MR_EINVAL);
    ck_assert_int_eq(mr_fleet_scale(one->fleet, "high", 100000000, false, on_scaled, NULL),
                     MR_EINVAL);
    mr_redis_int(&t.house.redis, "HSET millrace:wanted high nonsense low -4");
    mr_house_until(&t.house, one->high >= 0);
    ck_assert_int_eq(one->high, 3);
    ck_assert_int_eq(one->low, 2);
    tear_down();
}
END_TEST

START_TEST(the_wanted_total_outlives_a_restart)
{
    set_up();
    struct view *one = join(0, &t.config);

    mr_house_until(&t.house, one->high == 3);
    scale(one, "high", 9, false);
    leave(one);
    one = join(0, &t.config);
    mr_house_until(&t.house, one->high >= 0);
    ck_assert_int_eq(one->high, 9);
    tear_down();
}
END_TEST

START_TEST(a_reload_tells_the_shares_of_new_pools)
{
    set_up();
    struct view *one = join(0, &t.high_only);

    mr_house_until(&t.house, one->high == 3);
    ck_assert_int_eq(one->low, -1);
    mr_fleet_set_config(one->fleet, &t.config);
    mr_house_until(&t.house, one->low == 2);
    mr_house_until(&t.house, mr_fleet_size(one->fleet) == 1);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "ZCARD millrace:dispatchers"), 1);
    tear_down();
}
END_TEST

START_TEST(queues_anybody_used_are_known)
{
    set_up();
    mr_redis_int(&t.house.redis, "SADD millrace:queues elsewhere bad:name");
    join(0, &t.config);
    mr_house_until(&t.house, mr_queues_find(&t.queues, "elsewhere") != NULL);
    ck_assert(!mr_queues_find(&t.queues, "elsewhere")->ours);
    ck_assert_ptr_null(mr_queues_find(&t.queues, "bad:name"));
    tear_down();
}
END_TEST

START_TEST(the_data_of_another_version_is_left_alone)
{
    set_up();
    mr_redis_do(&t.house.redis, "SET millrace:schema 2");
    struct view *one = join(0, &t.config);
    mr_house_until(&t.house, one->mismatches == 1);
    ck_assert_ptr_nonnull(strstr(one->why.text, "schema 2"));
    ck_assert_int_eq(one->high, -1);
    ck_assert_uint_eq(one->cleared, 0);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "EXISTS millrace:dispatchers"), 0);
    tear_down();
}
END_TEST

START_TEST(a_full_redis_without_a_version_is_cleared_all_the_same)
{
    set_up();
    mr_redis_do(&t.house.redis, "CONFIG SET maxmemory 1");
    struct view *one = join(0, &t.config);
    mr_house_until(&t.house, one->cleared > 0 && one->high == 3);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "EXISTS millrace:schema"), 0);

    mr_redis_do(&t.house.redis, "CONFIG SET maxmemory 0");
    mr_house_until(&t.house, mr_redis_int(&t.house.redis, "EXISTS millrace:schema") == 1);
    tear_down();
}
END_TEST

START_TEST(the_first_one_notes_the_version)
{
    set_up();
    struct view *one = join(0, &t.config);

    mr_house_until(&t.house, one->high == 3);
    ck_assert_int_eq(mr_redis_int(&t.house.redis, "GET millrace:schema"), 1);
    ck_assert_uint_eq(one->mismatches, 0);
    tear_down();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {without_a_wanted_total_each_runs_what_its_configuration_says, 0                },
        {a_wanted_total_is_shared_without_a_leader,                    0                },
        {one_that_leaves_hands_its_share_on,                           0                },
        {one_that_falls_silent_is_counted_out,                         0                },
        {only_those_that_have_a_pool_share_it,                         0                },
        {a_change_counts_from_what_is_wanted,                          MR_COUNT(changes)},
        {a_total_that_makes_no_sense_is_refused,                       0                },
        {the_wanted_total_outlives_a_restart,                          0                },
        {a_reload_tells_the_shares_of_new_pools,                       0                },
        {queues_anybody_used_are_known,                                0                },
        {the_data_of_another_version_is_left_alone,                    0                },
        {a_full_redis_without_a_version_is_cleared_all_the_same,       0                },
        {the_first_one_notes_the_version,                              0                },
    };

    return mr_suite_run("fleet", tests);
}
