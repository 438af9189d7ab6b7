#include "jobs/billing/dunning.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct mr_dunning three = {
    .days = {3, 7, 14},
      .n = 3
};
static const struct mr_dunning none = {.n = 0};

/* clang-format off */
/* One row: plan, where it is, what happens, where it is then, and the mail. */
static const struct {
    const struct mr_dunning *plan;
    enum mr_period_state state;
    unsigned step;
    enum mr_period_event event;
    struct mr_period_move then;
} moves[] = {
    {&three, MR_PERIOD_BILLED, 0, MR_PERIOD_PAYS,    {MR_PERIOD_PAID,   0, 0,  MR_DUNNING_NO_MAIL}},
    {&three, MR_PERIOD_BILLED, 0, MR_PERIOD_REFUSES, {MR_PERIOD_DUNNED, 1, 3,  MR_DUNNING_REFUSED_MAIL}},
    {&three, MR_PERIOD_DUNNED, 1, MR_PERIOD_PAYS,    {MR_PERIOD_PAID,   1, 0,  MR_DUNNING_NO_MAIL}},
    {&three, MR_PERIOD_DUNNED, 1, MR_PERIOD_REFUSES, {MR_PERIOD_DUNNED, 2, 7,  MR_DUNNING_REFUSED_MAIL}},
    {&three, MR_PERIOD_DUNNED, 2, MR_PERIOD_REFUSES, {MR_PERIOD_DUNNED, 3, 14, MR_DUNNING_REFUSED_MAIL}},
    {&three, MR_PERIOD_DUNNED, 3, MR_PERIOD_REFUSES, {MR_PERIOD_UNPAID, 3, 0,  MR_DUNNING_SUSPENDED_MAIL}},
    {&three, MR_PERIOD_DUNNED, 3, MR_PERIOD_PAYS,    {MR_PERIOD_PAID,   3, 0,  MR_DUNNING_NO_MAIL}},
    {&three, MR_PERIOD_UNPAID, 3, MR_PERIOD_REFUSES, {MR_PERIOD_UNPAID, 3, 0,  MR_DUNNING_NO_MAIL}},
    {&three, MR_PERIOD_UNPAID, 3, MR_PERIOD_PAYS,    {MR_PERIOD_PAID,   3, 0,  MR_DUNNING_NO_MAIL}},
    {&three, MR_PERIOD_PAID,   2, MR_PERIOD_REFUSES, {MR_PERIOD_PAID,   2, 0,  MR_DUNNING_NO_MAIL}},
    {&three, MR_PERIOD_PAID,   2, MR_PERIOD_PAYS,    {MR_PERIOD_PAID,   2, 0,  MR_DUNNING_NO_MAIL}},
    {&none,  MR_PERIOD_BILLED, 0, MR_PERIOD_REFUSES, {MR_PERIOD_UNPAID, 0, 0,  MR_DUNNING_SUSPENDED_MAIL}},
    {&none,  MR_PERIOD_BILLED, 0, MR_PERIOD_PAYS,    {MR_PERIOD_PAID,   0, 0,  MR_DUNNING_NO_MAIL}},
    /* The plan became shorter meanwhile. */
    {&none,  MR_PERIOD_DUNNED, 2, MR_PERIOD_REFUSES, {MR_PERIOD_UNPAID, 2, 0,  MR_DUNNING_SUSPENDED_MAIL}},
};
/* clang-format on */

START_TEST(a_charge_moves_its_period)
{
    struct mr_period_move then =
        mr_dunning_move(moves[_i].plan, moves[_i].state, moves[_i].step, moves[_i].event);

    ck_assert_int_eq(then.state, moves[_i].then.state);
    ck_assert_uint_eq(then.step, moves[_i].then.step);
    ck_assert_uint_eq(then.days, moves[_i].then.days);
    ck_assert_int_eq(then.mail, moves[_i].then.mail);
}
END_TEST

static const struct {
    int64_t dunned, unpaid;
    enum mr_subscription_state state;
} standings[] = {
    {0, 0, MR_SUBSCRIPTION_ACTIVE   },
    {1, 0, MR_SUBSCRIPTION_PAST_DUE },
    {3, 0, MR_SUBSCRIPTION_PAST_DUE },
    {0, 1, MR_SUBSCRIPTION_SUSPENDED},
    {2, 1, MR_SUBSCRIPTION_SUSPENDED},
};

START_TEST(a_subscription_is_as_its_worst_period)
{
    ck_assert_int_eq(mr_dunning_standing(standings[_i].dunned, standings[_i].unpaid),
                     standings[_i].state);
}
END_TEST

START_TEST(states_are_found_by_the_names_that_they_have)
{
    for (unsigned i = 0; i < MR_PERIOD_STATES; i++) {
        const char *name = mr_period_state_name((enum mr_period_state)i);

        ck_assert_int_eq(mr_period_state_of(name, strlen(name)), i);
    }
    for (unsigned i = 0; i < MR_SUBSCRIPTION_STATES; i++) {
        const char *name = mr_subscription_state_name((enum mr_subscription_state)i);

        ck_assert_int_eq(mr_subscription_state_of(name, strlen(name)), i);
    }
    ck_assert_int_eq(mr_period_state_of("pai", 3), MR_PERIOD_STATES);
    ck_assert_int_eq(mr_subscription_state_of("ended?", 6), MR_SUBSCRIPTION_STATES);
}
END_TEST

START_TEST(the_days_are_those_of_the_configuration)
{
    struct mr_dunning dunning;
    json_t *days = json_pack("[i,i]", 1, 30), *empty = json_array();

    mr_dunning_read(NULL, &dunning);
    ck_assert_mem_eq(&dunning, &three, sizeof(dunning));
    mr_dunning_read(days, &dunning);
    ck_assert_uint_eq(dunning.n, 2);
    ck_assert_uint_eq(dunning.days[1], 30);
    mr_dunning_read(empty, &dunning);
    ck_assert_uint_eq(dunning.n, 0);
    json_decref(days);
    json_decref(empty);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_charge_moves_its_period,                    MR_COUNT(moves)    },
        {a_subscription_is_as_its_worst_period,        MR_COUNT(standings)},
        {states_are_found_by_the_names_that_they_have, 0                  },
        {the_days_are_those_of_the_configuration,      0                  },
    };

    return mr_suite_run("dunning", tests);
}
