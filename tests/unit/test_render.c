#include "ops/workerctl/render.h"
#include "tests/support/suite.h"

#include <locale.h>
#include <stdlib.h>

static void expect(struct mr_table *table, const char *want)
{
    struct mr_buf out = {0};

    mr_table_print(table, &out);
    ck_assert_str_eq(out.at, want);
    mr_buf_fini(&out);
    mr_table_free(table);
}

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
    struct mr_table *table = mr_table_new((const char *const[]){"QUEUE", ">READY", "STATE"}, 3);

    mr_table_add(table, (const char *const[]){"a", "12345678", "served"});
    mr_table_add(table, (const char *const[]){"a long name", NULL, "x"});
    ck_assert_uint_eq(mr_table_rows(table), 2);
    expect(table, "QUEUE           READY  STATE\n"
                  "a            12345678  served\n"
                  "a long name         -  x\n");
}
END_TEST

START_TEST(wide_characters_take_two_columns)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return;
    struct mr_table *table = mr_table_new((const char *const[]){"A", "B"}, 2);

    mr_table_add(table, (const char *const[]){"\xe6\xb0\xb4\xe8\xbb\x8a", "x"});
    mr_table_add(table, (const char *const[]){"\xc3\xa4", "x"});
    expect(table, "A     B\n"
                  "\xe6\xb0\xb4\xe8\xbb\x8a  x\n"
                  "\xc3\xa4     x\n");
}
END_TEST

static const struct {
    const char *text, *want;
} unsafe[] = {
    {"plain",       "plain"        },
    {"\x1b[31mred", "\\x1b[31mred" },
    {"two\nlines",  "two\\x0alines"},
    {"\xff\xc3",    "\\xff\\xc3"   },
    {"\xc2\x9b",    "\\xc2\\x9b"   }, /* CSI in eight bits */
    {"",            ""             },
};

START_TEST(nothing_a_producer_pushed_steers_the_terminal)
{
    struct mr_buf out = {0};

    setlocale(LC_CTYPE, "C.UTF-8");
    mr_buf_reserve(&out, 0);
    mr_buf_clear(&out);
    mr_render_safe(unsafe[_i].text, &out);
    ck_assert_str_eq(out.at, unsafe[_i].want);
    mr_buf_fini(&out);
}
END_TEST

static const struct {
    double seconds;
    const char *want;
} spans[] = {
    {0,      "0s"    },
    {-5,     "0s"    },
    {0.9,    "0s"    },
    {59,     "59s"   },
    {60,     "1m"    },
    {200,    "3m20s" },
    {3600,   "1h"    },
    {3661,   "1h1m"  },
    {86400,  "1d"    },
    {86399,  "23h59m"},
    {90061,  "1d1h"  },
    {864000, "10d"   },
};

START_TEST(spans_have_two_units_at_most)
{
    char out[32];

    mr_render_span(spans[_i].seconds, out);
    ck_assert_str_eq(out, spans[_i].want);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {columns_are_as_wide_as_their_widest_cell,      0                    },
        {wide_characters_take_two_columns,              0                    },
        {nothing_a_producer_pushed_steers_the_terminal, (int)MR_COUNT(unsafe)},
        {spans_have_two_units_at_most,                  (int)MR_COUNT(spans) },
    };

    return mr_suite_run("render", tests);
}
