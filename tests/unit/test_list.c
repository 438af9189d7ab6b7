#include "proto/base/list.h"
#include "tests/support/suite.h"

struct item {
    int number;
    struct mr_list node;
};

START_TEST(items_come_out_in_the_order_they_went_in)
{
    struct mr_list head;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    int seen = 0;

    mr_list_init(&head);
    for (int i = 0; i < 3; i++)
        mr_list_push_back(&head, &items[i].node);
    mr_list_each (node, &head)
        ck_assert_int_eq(mr_list_entry(node, struct item, node)->number, seen++);
    ck_assert_int_eq(seen, 3);
}
END_TEST

START_TEST(a_removed_item_is_gone_and_may_be_removed_again)
{
    struct mr_list head;
    struct item item = {.number = 1};

    mr_list_init(&head);
    mr_list_push_front(&head, &item.node);
    mr_list_remove(&item.node);
    mr_list_remove(&item.node);
    ck_assert(mr_list_empty(&head));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {items_come_out_in_the_order_they_went_in,        0},
        {a_removed_item_is_gone_and_may_be_removed_again, 0},
    };

    return mr_suite_run("list", tests);
}
