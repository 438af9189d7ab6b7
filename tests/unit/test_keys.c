#include "proto/keys.h"
#include "tests/support/suite.h"

START_TEST(every_key_of_a_queue_is_laravels_or_beside_it)
{
    struct mr_queue_keys keys;
    char key[MR_KEY_MAX];

    mr_queue_keys_init(&keys, "app_", "{mail}");
    ck_assert_str_eq(keys.name, "{mail}");
    ck_assert_str_eq(keys.ready, "app_queues:{mail}");
    ck_assert_str_eq(keys.delayed, "app_queues:{mail}:delayed");
    ck_assert_str_eq(keys.reserved, "app_queues:{mail}:reserved");
    ck_assert_str_eq(keys.notify, "app_queues:{mail}:notify");
    ck_assert_str_eq(keys.workers, "app_queues:{mail}:workers");
    ck_assert_str_eq(keys.reaped, "app_queues:{mail}:reaped");
    ck_assert_str_eq(keys.dead, "app_queues:{mail}:dead");
    ck_assert_str_eq(keys.dead_jobs, "app_queues:{mail}:dead:jobs");
    ck_assert_str_eq(keys.paused, "app_queues:{mail}:paused");
    ck_assert_str_eq(keys.promoting, "app_queues:{mail}:promoting");
    ck_assert_uint_eq(mr_key_lease(&keys, "ab-18", 3, key, sizeof(key)), 31);
    ck_assert_str_eq(key, "app_queues:{mail}:lease:ab-18:3");
    mr_key_wake(&keys, "ab-18", 7, key, sizeof(key));
    ck_assert_str_eq(key, "app_queues:{mail}:lease:ab-18:w7");
    mr_key_dead_big(&keys, "u~2", key, sizeof(key));
    ck_assert_str_eq(key, "app_queues:{mail}:dead:big:u~2");
    mr_queue_keys_fini(&keys);
}
END_TEST

START_TEST(fleet_keys_stand_beside_the_queues)
{
    char key[MR_KEY_MAX];

    ck_assert_uint_eq(mr_key_fleet("", MR_FLEET_QUEUES, key, sizeof(key)), 15);
    ck_assert_str_eq(key, "millrace:queues");
}
END_TEST

START_TEST(a_key_that_does_not_fit_tells_its_length)
{
    struct mr_queue_keys keys;
    char key[8];

    mr_queue_keys_init(&keys, "", "q");
    ck_assert_uint_eq(mr_key_lease(&keys, "w", 0, key, sizeof(key)), 18);
    ck_assert_str_eq(key, "queues:");
    mr_queue_keys_fini(&keys);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_key_of_a_queue_is_laravels_or_beside_it, 0},
        {fleet_keys_stand_beside_the_queues,            0},
        {a_key_that_does_not_fit_tells_its_length,      0},
    };

    return mr_suite_run("keys", tests);
}
