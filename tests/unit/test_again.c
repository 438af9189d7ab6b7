#include "dispatcher/again.h"
#include "tests/support/suite.h"

static const struct mr_limits limits = {.payload_bytes = 1 << 20, .depth = 64};

static const struct {
    const char *raw, *want; /* NULL: cannot be read */
} rows[] = {
    {"{\"job\":\"x\",\"attempts\":3}",                                                         "{\"job\":\"x\",\"attempts\":0}"},
    {"{\"job\":\"x\"}",                                                                        "{\"job\":\"x\"}"               },
    {"{ \"crashes\":2, \"suspect\":7,\t\"job\":\"x\" , \"inDoubt\":1, \"attempts\":12 }",
     "{ \"crashes\":0, \"suspect\":0,\t\"job\":\"x\" , \"inDoubt\":0, \"attempts\":0 }"                                        },
    {"{\"errors\":[{\"at_ms\":1,\"error\":\"no\"}],\"attempts\":1,\"job\":\"x\"}",
     "{\"errors\":[],\"attempts\":0,\"job\":\"x\"}"                                                                            },
 /* every other byte stays, whatever it says */
    {"{\"job\":\"x\",\"data\":{\"attempts\":9,\"errors\":[1]},\"other\":1.50,\"attempts\":9}",
     "{\"job\":\"x\",\"data\":{\"attempts\":9,\"errors\":[1]},\"other\":1.50,\"attempts\":0}"                                  },
    {"\xff\xfe",                                                                               NULL                            },
    {"",                                                                                       NULL                            },
    {"{\"job\":\"x\",\"attempts\":\"3\"}",                                                     NULL                            },
};

START_TEST(a_second_life_begins_without_the_first_ones_counts)
{
    struct mr_buf out = {0};
    bool could = mr_again_rewrite(mr_bytes_of(rows[_i].raw), &limits, &out);

    ck_assert_int_eq(could, rows[_i].want != NULL);
    if (could)
        ck_assert_str_eq(out.at, rows[_i].want);
    else
        ck_assert_uint_eq(out.len, 0);
    mr_buf_fini(&out);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_second_life_begins_without_the_first_ones_counts, (int)MR_COUNT(rows)},
    };

    return mr_suite_run("again", tests);
}
