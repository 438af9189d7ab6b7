#include "dispatcher/queues.h"
#include "tests/support/suite.h"

#include <stdio.h>

START_TEST(a_queue_is_added_once_and_keeps_its_pointer)
{
    struct mr_queues queues;
    char name[16];

    mr_queues_init(&queues, "app_");
    struct mr_queue *first = mr_queues_add(&queues, "high", false);
    ck_assert_ptr_nonnull(first);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "q%d", i);
        mr_queues_add(&queues, name, false);
    }
    ck_assert_ptr_eq(mr_queues_add(&queues, "high", false), first);
    ck_assert_ptr_eq(mr_queues_find(&queues, "high"), first);
    ck_assert_ptr_eq(queues.items[0], first);
    ck_assert_uint_eq(queues.n_items, 101);
    ck_assert_str_eq(first->keys.ready, "app_queues:high");
    ck_assert_int_eq(first->ready, -1);
    mr_queues_fini(&queues);
}
END_TEST

START_TEST(a_queue_somebody_else_used_becomes_ours_and_stays_so)
{
    struct mr_queues queues;

    mr_queues_init(&queues, "");
    ck_assert(!mr_queues_add(&queues, "low", false)->ours);
    ck_assert(mr_queues_add(&queues, "low", true)->ours);
    ck_assert(mr_queues_add(&queues, "low", false)->ours);
    mr_queues_fini(&queues);
}
END_TEST

static const char *const odd_names[] = {"", "a:b", "a b", "a\nb", "queues:x:lease"};

START_TEST(a_name_with_odd_characters_is_refused)
{
    struct mr_queues queues;

    mr_queues_init(&queues, "");
    ck_assert_ptr_null(mr_queues_add(&queues, odd_names[_i], true));
    ck_assert_ptr_null(mr_queues_find(&queues, odd_names[_i]));
    mr_queues_fini(&queues);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_queue_is_added_once_and_keeps_its_pointer,          0                  },
        {a_queue_somebody_else_used_becomes_ours_and_stays_so, 0                  },
        {a_name_with_odd_characters_is_refused,                MR_COUNT(odd_names)},
    };

    return mr_suite_run("queues", tests);
}
