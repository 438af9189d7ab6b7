#include "proto/base/str.h"
#include "proto/outcome.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(done_needs_no_reason)
{
    struct mr_outcome outcome = mr_outcome_done();

    ck_assert_int_eq(outcome.kind, MR_OUTCOME_DONE);
    ck_assert_ptr_null(outcome.reason);
    mr_outcome_fini(&outcome);
}
END_TEST

START_TEST(each_maker_makes_its_kind)
{
    struct mr_outcome made[] = {
        mr_outcome_retry("no %s", "route"),
        mr_outcome_retry_after(1500, "no %s", "route"),
        mr_outcome_release(0, "no %s", "route"),
        mr_outcome_fail("no %s", "route"),
        mr_outcome_hold("no %s", "route"),
        mr_outcome_of(MR_OUTCOME_CRASHED, "no %s", "route"),
    };
    static const struct {
        enum mr_outcome_kind kind;
        int64_t after_ms;
    } wanted[] = {
        {MR_OUTCOME_RETRY,   MR_OUTCOME_POLICY},
        {MR_OUTCOME_RETRY,   1500             },
        {MR_OUTCOME_RELEASE, 0                },
        {MR_OUTCOME_FAIL,    MR_OUTCOME_POLICY},
        {MR_OUTCOME_HOLD,    MR_OUTCOME_POLICY},
        {MR_OUTCOME_CRASHED, MR_OUTCOME_POLICY},
    };

    for (size_t i = 0; i < MR_COUNT(made); i++) {
        ck_assert_int_eq(made[i].kind, wanted[i].kind);
        ck_assert_int_eq(made[i].after_ms, wanted[i].after_ms);
        ck_assert_str_eq(made[i].reason, "no route");
        mr_outcome_fini(&made[i]);
        ck_assert_ptr_null(made[i].reason);
    }
    mr_outcome_fini(NULL);
}
END_TEST

START_TEST(a_long_reason_is_cut_between_characters)
{
    struct mr_buf text = {0};

    for (int i = 0; i < 999; i++)
        mr_buf_char(&text, 'x');
    mr_buf_text(&text, "\xc3\xab and more");
    struct mr_outcome outcome = mr_outcome_fail("%s", text.at);
    ck_assert_uint_eq(strlen(outcome.reason), 999);
    mr_outcome_fini(&outcome);
    outcome = mr_outcome_fail("%s", text.at + 1);
    ck_assert_uint_eq(strlen(outcome.reason), 1000);
    mr_outcome_fini(&outcome);
    mr_buf_fini(&text);
}
END_TEST

START_TEST(every_kind_has_a_name)
{
    for (int kind = MR_OUTCOME_DONE; kind <= MR_OUTCOME_LOST; kind++)
        ck_assert_ptr_nonnull(mr_outcome_name((enum mr_outcome_kind)kind));
    ck_assert_str_eq(mr_outcome_name(MR_OUTCOME_TIMED_OUT), "timed_out");
    ck_assert_str_eq(mr_outcome_name((enum mr_outcome_kind)99), "unknown");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {done_needs_no_reason,                    0},
        {each_maker_makes_its_kind,               0},
        {a_long_reason_is_cut_between_characters, 0},
        {every_kind_has_a_name,                   0},
    };

    return mr_suite_run("outcome", tests);
}
