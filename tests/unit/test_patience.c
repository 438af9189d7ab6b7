#include "dispatcher/patience.h"
#include "tests/support/suite.h"

#define NOW_MS 1000000u

/* Places as a worker left them; what they ask for. */
static const struct {
    struct {
        enum mr_place_state state;
        bool timed_out;
        uint64_t deadline_at_ms;
    } places[3];
    uint64_t want_ms; /* from now */
    bool needed;
} rows[] = {
    {{{MR_PLACE_FREE, false, NOW_MS + 900}},                                               0,              false},
    {{{MR_PLACE_RUNNING, false, NOW_MS + 900}},                                            900,            true },
    {{{MR_PLACE_PARSING, false, NOW_MS + 900}},                                            900,            true },
    {{{MR_PLACE_WAITING, false, 0}},                                                       0,              false},
    {{{MR_PLACE_RUNNING, false, NOW_MS + 900}, {MR_PLACE_CANCELLED, false, NOW_MS + 950}},
     950,                                                                                                  true },
    {{{MR_PLACE_RUNNING, true, NOW_MS - 50}},                                              0,              false}, /* the culprit alone */
    {{{MR_PLACE_RUNNING, true, NOW_MS + 5000}, {MR_PLACE_RUNNING, false, NOW_MS + 10}},
     10,                                                                                                   true },
    {{{MR_PLACE_RUNNING, false, NOW_MS - 10}},                                             0,              true }, /* just over: its worker will say so */
    {{{MR_PLACE_RUNNING, false, 0}},                                                       MR_PATIENCE_MS, true },
    {{{MR_PLACE_RUNNING, false, UINT64_MAX}},                                              MR_PATIENCE_MS, true },
};

START_TEST(neighbours_have_until_their_own_deadlines)
{
    static const struct mr_page_shape shape = {1, 12, 3, 0};
    static const char *const queues[] = {"high"};
    struct mr_page page;

    ck_assert_int_eq(mr_page_create_private(&shape, "w-12", "high", queues, &page, NULL),
                     MR_OK);
    for (int p = 0; p < 3; p++) {
        page.places[p].timed_out = rows[_i].places[p].timed_out;
        page.places[p].deadline_at_ms = rows[_i].places[p].deadline_at_ms;
        atomic_store(&page.places[p].state, (uint32_t)rows[_i].places[p].state);
    }
    ck_assert_uint_eq(mr_patience_until_ms(&page, NOW_MS), NOW_MS + rows[_i].want_ms);
    ck_assert_int_eq(mr_patience_is_needed(&page), rows[_i].needed);
    mr_page_unmap(&page);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {neighbours_have_until_their_own_deadlines, MR_COUNT(rows)},
    };

    return mr_suite_run("patience", tests);
}
