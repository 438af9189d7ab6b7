#include "dispatcher/careful.h"
#include "tests/support/suite.h"

#include <stdatomic.h>
#include <string.h>

static struct mr_page_header header;
static struct mr_child child;
static char pool[] = "main";

static void begin(bool one_by_one, bool unexplained, uint64_t finished)
{
    memset(&header, 0, sizeof(header));
    atomic_store(&header.finished, finished);
    child = (struct mr_child){.pool = pool,
                              .page = {.header = &header},
                              .one_by_one = one_by_one,
                              .unexplained = unexplained};
}

static void die(struct mr_careful *careful, bool one_by_one, bool unexplained,
                uint64_t finished)
{
    begin(one_by_one, unexplained, finished);
    mr_careful_died(careful, &child);
}

START_TEST(the_second_unexplained_death_makes_it_careful)
{
    struct mr_careful careful = {0};

    die(&careful, false, true, 0);
    ck_assert(!mr_careful_is_on(&careful));
    die(&careful, false, true, 7);
    ck_assert(mr_careful_is_on(&careful));
}
END_TEST

START_TEST(deaths_with_a_cause_do_not_count)
{
    struct mr_careful careful = {0};

    for (int n = 0; n < 5; n++)
        die(&careful, false, false, 0);
    ck_assert(!mr_careful_is_on(&careful));
}
END_TEST

START_TEST(what_others_deliver_does_not_end_it)
{
    struct mr_careful careful = {.deaths = MR_CAREFUL_DEATHS};

    begin(false, false, 3);
    mr_careful_look(&careful, &child);
    die(&careful, true, false, 0); /* it found the culprit, and no more */
    ck_assert(mr_careful_is_on(&careful));
}
END_TEST

START_TEST(a_delivery_of_a_careful_worker_ends_it_once)
{
    struct mr_careful careful = {.deaths = MR_CAREFUL_DEATHS};

    begin(true, false, 0);
    mr_careful_look(&careful, &child);
    ck_assert(mr_careful_is_on(&careful));
    atomic_store(&header.finished, 1);
    mr_careful_look(&careful, &child);
    ck_assert(!mr_careful_is_on(&careful));
    careful.deaths = MR_CAREFUL_DEATHS; /* later, of others: it is as any other by now */
    mr_careful_look(&careful, &child);
    ck_assert(mr_careful_is_on(&careful));
}
END_TEST

START_TEST(a_careful_worker_may_have_delivered_and_died_since_the_last_look)
{
    struct mr_careful careful = {.deaths = MR_CAREFUL_DEATHS};

    die(&careful, true, true, 1);
    ck_assert_uint_eq(careful.deaths, 1);
}
END_TEST

START_TEST(a_lost_page_proves_nothing)
{
    struct mr_careful careful = {.deaths = MR_CAREFUL_DEATHS};

    begin(true, false, 1);
    child.page.header = NULL;
    mr_careful_look(&careful, &child);
    ck_assert(mr_careful_is_on(&careful));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {the_second_unexplained_death_makes_it_careful,                    0},
        {deaths_with_a_cause_do_not_count,                                 0},
        {what_others_deliver_does_not_end_it,                              0},
        {a_delivery_of_a_careful_worker_ends_it_once,                      0},
        {a_careful_worker_may_have_delivered_and_died_since_the_last_look, 0},
        {a_lost_page_proves_nothing,                                       0},
    };

    return mr_suite_run("careful", tests);
}
