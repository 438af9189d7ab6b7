#include "jobs/report/statement.h"
#include "proto/base/str.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct mr_statement statement;
static struct mr_err err;

/* "from@1 to@2": the names in order, with their lines. */
static const char *places(void)
{
    static char text[400];

    text[0] = '\0';
    for (unsigned i = 0; i < statement.n_places; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s@%u", i ? " " : "",
                 statement.places[i].name, statement.places[i].line);
    return text;
}

static const struct {
    const char *text, *sql, *places;
} good[] = {
    {"SELECT 1",                                    "SELECT 1",                             ""           },
    {" \n(select :a)",                              " \n(select ?)",                        "a@2"        },
    {"WITH x AS (SELECT :a) SELECT * FROM x",       "WITH x AS (SELECT ?) SELECT * FROM x", "a@1"        },
    {"SELECT :a,\n:b ,:a",                          "SELECT ?,\n? ,?",                      "a@1 b@2 a@2"},
    {"SELECT :a1_b+1",                              "SELECT ?+1",                           "a1_b@1"     },
 /* What is no name. */
    {"SELECT ':a', \":b\", `:c`, :d",               "SELECT ':a', \":b\", `:c`, ?",         "d@1"        },
    {"SELECT 'it''s :a' , :b",                      "SELECT 'it''s :a' , ?",                "b@1"        },
    {"SELECT 'it\\'s :a' , :b",                     "SELECT 'it\\'s :a' , ?",               "b@1"        },
    {"SELECT '\\\\', :b",                           "SELECT '\\\\', ?",                     "b@1"        },
    {"SELECT `a\\`, :b",                            "SELECT `a\\`, ?",                      "b@1"        },
    {"SELECT 1 -- :a;\n, :b",                       "SELECT 1 -- :a;\n, ?",                 "b@2"        },
    {"SELECT 1 --\x01' :a\n, :b",                   "SELECT 1 --\x01' :a\n, ?",             "b@2"        },
    {"SELECT 1 --\x7f' :a\n, :b",                   "SELECT 1 --\x7f' :a\n, ?",             "b@2"        },
    {"SELECT 1--:a",                                "SELECT 1--?",                          "a@1"        },
    {"SELECT 1 # ' ? :a\n, :b",                     "SELECT 1 # ' ? :a\n, ?",               "b@2"        },
    {"SELECT 1 /* ; ' ?\n:a */, :b",                "SELECT 1 /* ; ' ?\n:a */, ?",          "b@2"        },
    {"SELECT @n := 1, a::b, :c",                    "SELECT @n := 1, a::b, ?",              "c@1"        },
    {"SELECT ';' ; -- the end",                     "SELECT ';'  -- the end",               ""           },
    {"-- what it is for\nSELECT 1;\n",              "-- what it is for\nSELECT 1\n",        ""           },
    {"SELECT 'INTO', into_x, xINTO",                "SELECT 'INTO', into_x, xINTO",         ""           },
    {"SELECT 'gr\xc3\xbc\xc3\x9f' AS \xc3\xbc, :a",
     "SELECT 'gr\xc3\xbc\xc3\x9f' AS \xc3\xbc, ?",                                          "a@1"        },
};

START_TEST(names_become_places)
{
    ck_assert_msg(mr_statement_parse(good[_i].text, &statement, &err) == MR_OK, "%s", err.text);
    ck_assert_str_eq(statement.sql, good[_i].sql);
    ck_assert_str_eq(places(), good[_i].places);
    mr_statement_fini(&statement);
}
END_TEST

static const struct {
    const char *text, *error;
} bad[] = {
    {"",                                "line 1: there is no statement"               },
    {" -- nothing\n",                   "line 2: there is no statement"               },
    {"DELETE FROM t",                   "line 1: a report begins with SELECT or WITH" },
    {"/* x */\nUPDATE t SET a = 1",     "line 2: a report begins with SELECT or WITH" },
    {"SELECTION",                       "line 1: a report begins with SELECT or WITH" },
    {"; SELECT 1",                      "line 1: a report begins with SELECT or WITH" },
    {":a",                              "line 1: a report begins with SELECT or WITH" },
    {"'SELECT'",                        "line 1: a report begins with SELECT or WITH" },
    {"SELECT 1;\nDROP TABLE t",         "line 2: a report is one statement"           },
    {"SELECT 1; ;",                     "line 1: a report is one statement"           },
    {"SELECT ?",                        "line 1: a parameter has a name"              },
    {"SELECT 1\nINTO OUTFILE '/tmp/x'", "line 2: a report writes nothing: INTO"       },
    {"SELECT /*! 1; DROP TABLE t */",   "line 1: a comment that the server runs"      },
    {"SELECT /*M!100100 1 */",          "line 1: a comment that the server runs"      },
    {"SELECT\n'a''",                    "line 2: a quote is opened and never closed"  },
    {"SELECT 'a\\'",                    "line 1: a quote is opened and never closed"  },
    {"SELECT `a",                       "line 1: a quote is opened and never closed"  },
    {"SELECT 1 /* a",                   "line 1: a comment is opened and never closed"},
    {"SELECT 1 /*/",                    "line 1: a comment is opened and never closed"},
};

START_TEST(what_is_no_report_says_where_and_why)
{
    ck_assert_int_eq(mr_statement_parse(bad[_i].text, &statement, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, bad[_i].error) == err.text, "%s", err.text);
}
END_TEST

START_TEST(there_may_be_many_places_and_not_endlessly_many)
{
    struct mr_buf text = {0};

    mr_buf_text(&text, "SELECT :a");
    for (int n = 1; n < MR_STATEMENT_PLACES_MAX; n++)
        mr_buf_text(&text, ",:a");
    ck_assert_int_eq(mr_statement_parse(text.at, &statement, &err), MR_OK);
    ck_assert_uint_eq(statement.n_places, MR_STATEMENT_PLACES_MAX);
    mr_statement_fini(&statement);
    mr_buf_text(&text, ",:a");
    ck_assert_int_eq(mr_statement_parse(text.at, &statement, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "line 1: there are more than 1000 parameters");
    mr_buf_fini(&text);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {names_become_places,                             MR_COUNT(good)},
        {what_is_no_report_says_where_and_why,            MR_COUNT(bad) },
        {there_may_be_many_places_and_not_endlessly_many, 0             },
    };

    return mr_suite_run("report_statement", tests);
}
