#include "jobs/services/circuit.h"
#include "tests/support/suite.h"

#define OPEN_MS 30000

static const struct mr_circuit_rule rule = {.failures = 3, .open_ms = OPEN_MS};
static const struct mr_circuit_rule never = {.failures = 0, .open_ms = OPEN_MS};

/* n results of requests that passed while it was closed. */
static bool hear(struct mr_circuit *circuit, unsigned n, enum mr_circuit_result result,
                 uint64_t now_ms)
{
    bool changed = false;

    for (unsigned i = 0; i < n; i++)
        changed = mr_circuit_end(circuit, &rule, false, result, now_ms);
    return changed;
}

START_TEST(enough_failures_in_a_row_open_it_and_one_answer_begins_the_row_anew)
{
    struct mr_circuit circuit = {0};

    ck_assert(!hear(&circuit, 2, MR_CIRCUIT_BAD, 0));
    ck_assert(!hear(&circuit, 1, MR_CIRCUIT_GOOD, 0));
    ck_assert(!hear(&circuit, 2, MR_CIRCUIT_BAD, 0));
    ck_assert(!hear(&circuit, 5, MR_CIRCUIT_NOTHING, 0));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, 0), MR_CIRCUIT_PASS);
    ck_assert(!mr_circuit_begin(&circuit, &rule));
    ck_assert(hear(&circuit, 1, MR_CIRCUIT_BAD, 0));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, OPEN_MS - 1), MR_CIRCUIT_SHUT);
}
END_TEST

START_TEST(when_its_time_is_over_one_asks_for_all)
{
    struct mr_circuit circuit = {0};

    hear(&circuit, 3, MR_CIRCUIT_BAD, 0);
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, OPEN_MS), MR_CIRCUIT_PASS);
    ck_assert(mr_circuit_begin(&circuit, &rule));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, OPEN_MS), MR_CIRCUIT_WAIT);
    ck_assert(mr_circuit_end(&circuit, &rule, true, MR_CIRCUIT_GOOD, OPEN_MS));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, OPEN_MS), MR_CIRCUIT_PASS);
    ck_assert(!hear(&circuit, 2, MR_CIRCUIT_BAD, OPEN_MS)); /* the row began anew */
}
END_TEST

START_TEST(if_that_one_fails_it_stays_open_as_long_again)
{
    struct mr_circuit circuit = {0};

    hear(&circuit, 3, MR_CIRCUIT_BAD, 0);
    ck_assert(mr_circuit_begin(&circuit, &rule));
    ck_assert(!mr_circuit_end(&circuit, &rule, true, MR_CIRCUIT_BAD, OPEN_MS + 10));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, 2 * OPEN_MS + 9), MR_CIRCUIT_SHUT);
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, 2 * OPEN_MS + 10), MR_CIRCUIT_PASS);
}
END_TEST

START_TEST(if_nobody_waits_for_that_one_the_next_may_ask_at_once)
{
    struct mr_circuit circuit = {0};

    hear(&circuit, 3, MR_CIRCUIT_BAD, 0);
    ck_assert(mr_circuit_begin(&circuit, &rule));
    ck_assert(!mr_circuit_end(&circuit, &rule, true, MR_CIRCUIT_NOTHING, OPEN_MS));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, OPEN_MS), MR_CIRCUIT_PASS);
    ck_assert(mr_circuit_begin(&circuit, &rule));
}
END_TEST

START_TEST(what_was_under_way_when_it_opened_closes_it_but_opens_it_no_further)
{
    struct mr_circuit circuit = {0};

    hear(&circuit, 3, MR_CIRCUIT_BAD, 0);
    ck_assert(!hear(&circuit, 9, MR_CIRCUIT_BAD, OPEN_MS - 1));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, OPEN_MS), MR_CIRCUIT_PASS);
    ck_assert(hear(&circuit, 1, MR_CIRCUIT_GOOD, 5));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, 5), MR_CIRCUIT_PASS);
}
END_TEST

START_TEST(who_has_no_rule_is_never_kept_out)
{
    struct mr_circuit circuit = {0};

    for (int n = 0; n < 100; n++)
        ck_assert(!mr_circuit_end(&circuit, &never, false, MR_CIRCUIT_BAD, 0));
    hear(&circuit, 3, MR_CIRCUIT_BAD, 0);
    ck_assert_int_eq(mr_circuit_gate(&circuit, &rule, 1), MR_CIRCUIT_SHUT);
    ck_assert_int_eq(mr_circuit_gate(&circuit, &never, 1), MR_CIRCUIT_PASS);
    ck_assert(!mr_circuit_begin(&circuit, &never));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {enough_failures_in_a_row_open_it_and_one_answer_begins_the_row_anew, 0},
        {when_its_time_is_over_one_asks_for_all,                              0},
        {if_that_one_fails_it_stays_open_as_long_again,                       0},
        {if_nobody_waits_for_that_one_the_next_may_ask_at_once,               0},
        {what_was_under_way_when_it_opened_closes_it_but_opens_it_no_further, 0},
        {who_has_no_rule_is_never_kept_out,                                   0},
    };

    return mr_suite_run("circuit", tests);
}
