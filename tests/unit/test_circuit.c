#include "jobs/services/circuit.h"
#include "proto/base/mem.h"
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

/* ---- the share that fails ---- */

static const struct mr_circuit_rule half = {
    .failures = 1000, .share_pct = 50, .least = 10, .window_ms = 10000, .open_ms = OPEN_MS};

/* g: good, b: bad, n: nobody waited for it; a dot: the next second. */
static bool tell(struct mr_circuit *circuit, const struct mr_circuit_rule *by,
                 const char *story, uint64_t *now_ms)
{
    bool opened = false;

    for (; *story; story++)
        if (*story == '.')
            *now_ms += 1000;
        else
            opened |= mr_circuit_end(circuit, by, false,
                                     *story == 'g'   ? MR_CIRCUIT_GOOD
                                     : *story == 'b' ? MR_CIRCUIT_BAD
                                                     : MR_CIRCUIT_NOTHING,
                                     *now_ms);
    return opened;
}

#define TEN_S ".........."

static const struct {
    const char *story;
    bool opens;
} stories[] = {
    {"gbgbgbgbg",                                                   false}, /* nine say nothing */
    {"bbbbbbbbb",                                                   false},
    {"gbgbgbgbgb",                                                  true },
    {"bgbgbgbgbg",                                                  false}, /* an answer opens nothing */
    {"bgbgbgbgbgb",                                                 true },
    {"gggggggggbbbbbbbb",                                           false}, /* 8 of 17 */
    {"gggggggggbbbbbbbbb",                                          true }, /* 9 of 18 */
    {"gbgbgbgbnnnnnnn",                                             false}, /* what was cancelled is nobody's failure */
    {"g.b.g.b.g.b.g.b.g.b",                                         true }, /* they need not come at once */
    {"g.b..g..b..g..b..g..b..g..b",                                 false}, /* too thin: never ten in ten seconds */
    {"bbbbb.........gggggb",                                        true }, /* nine seconds later they still count */
    {"bbbbb" TEN_S "gggggb",                                        false}, /* then no more */
    {"gbgbgbgbg" TEN_S TEN_S TEN_S TEN_S TEN_S TEN_S "b",
     false                                                               }, /* once round: the same place */
    {"gggg" TEN_S TEN_S TEN_S TEN_S TEN_S TEN_S TEN_S "gbgbgbgbgb", true },
};

START_TEST(so_large_a_share_of_failures_in_its_window_opens_it)
{
    /* The window begins nowhere in particular: not with the clock, not with a second. */
    for (uint64_t began_ms = 0; began_ms < 200000; began_ms = began_ms * 7 + 999) {
        struct mr_circuit circuit = {0};
        uint64_t now_ms = began_ms;

        ck_assert_int_eq(tell(&circuit, &half, stories[_i].story, &now_ms), stories[_i].opens);
        ck_assert_int_eq(mr_circuit_gate(&circuit, &half, now_ms),
                         stories[_i].opens ? MR_CIRCUIT_SHUT : MR_CIRCUIT_PASS);
    }
}
END_TEST

/* Of a peer that fails half the time an answer that was under way is no news. */
START_TEST(opened_by_the_share_it_is_closed_only_by_the_one_who_asks_for_all)
{
    struct mr_circuit circuit = {0};
    uint64_t now_ms = 5000;

    ck_assert(tell(&circuit, &half, "gbgbgbgbgb", &now_ms));
    ck_assert(!tell(&circuit, &half, "ggg", &now_ms));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &half, now_ms), MR_CIRCUIT_SHUT);
    now_ms += OPEN_MS;
    ck_assert(mr_circuit_begin(&circuit, &half));
    ck_assert(!tell(&circuit, &half, "g", &now_ms));
    ck_assert(mr_circuit_end(&circuit, &half, true, MR_CIRCUIT_GOOD, now_ms));
    ck_assert_int_eq(mr_circuit_gate(&circuit, &half, now_ms), MR_CIRCUIT_PASS);
    ck_assert(!tell(&circuit, &half, "bgbgbgbg", &now_ms)); /* the count began anew */
}
END_TEST

START_TEST(a_share_of_0_and_failures_of_0_open_nothing)
{
    struct mr_circuit_rule row = half, none = half;
    struct mr_circuit circuit = {0};
    uint64_t now_ms = 5000;

    row.share_pct = 0;
    ck_assert(!tell(&circuit, &row, "bbbbbbbbbbbbbbbbbbbbgbbbbbbb", &now_ms));
    none.failures = 0;
    ck_assert(!tell(&circuit, &none, "bbbbbbbbbbbbbbbbbbbbgbbbbbbb", &now_ms));
}
END_TEST

/* Answers of those without a rule must not water down what the others see. */
START_TEST(who_has_no_rule_does_not_count_in_the_share)
{
    struct mr_circuit circuit = {0};
    uint64_t now_ms = 5000;

    ck_assert(!tell(&circuit, &never, "gggggggggggggggggggggggg", &now_ms));
    ck_assert(tell(&circuit, &half, "gbgbgbgbgb", &now_ms));
}
END_TEST

/* Two sections may look at one peer through windows of different lengths. */
START_TEST(each_rule_has_its_own_window_over_the_same_failures)
{
    struct mr_circuit_rule longer = half;
    struct mr_circuit circuit = {0};
    uint64_t now_ms = 5000;

    longer.window_ms = MR_CIRCUIT_WINDOW_MS;
    ck_assert(!tell(&circuit, &half, "gbgbgbgbg" TEN_S TEN_S "b", &now_ms));
    ck_assert(tell(&circuit, &longer, "b", &now_ms));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {enough_failures_in_a_row_open_it_and_one_answer_begins_the_row_anew, 0                },
        {when_its_time_is_over_one_asks_for_all,                              0                },
        {if_that_one_fails_it_stays_open_as_long_again,                       0                },
        {if_nobody_waits_for_that_one_the_next_may_ask_at_once,               0                },
        {what_was_under_way_when_it_opened_closes_it_but_opens_it_no_further, 0                },
        {who_has_no_rule_is_never_kept_out,                                   0                },
        {so_large_a_share_of_failures_in_its_window_opens_it,                 MR_COUNT(stories)},
        {opened_by_the_share_it_is_closed_only_by_the_one_who_asks_for_all,   0                },
        {a_share_of_0_and_failures_of_0_open_nothing,                         0                },
        {who_has_no_rule_does_not_count_in_the_share,                         0                },
        {each_rule_has_its_own_window_over_the_same_failures,                 0                },
    };

    return mr_suite_run("circuit", tests);
}
