#include "jobs/report/definition.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_err err;

/* ---- types ---- */

static const struct {
    enum mr_report_type type;
    const char *text;
    bool holds;
} texts[] = {
    {MR_REPORT_TEXT,     "",                            true },
    {MR_REPORT_INTEGER,  "0",                           true },
    {MR_REPORT_INTEGER,  "-9223372036854775808",        true },
    {MR_REPORT_INTEGER,  "18446744073709551615",        true },
    {MR_REPORT_INTEGER,  "",                            false},
    {MR_REPORT_INTEGER,  "-",                           false},
    {MR_REPORT_INTEGER,  "+1",                          false},
    {MR_REPORT_INTEGER,  "1.0",                         false},
    {MR_REPORT_INTEGER,  " 1",                          false},
    {MR_REPORT_INTEGER,  "0x10",                        false},
    {MR_REPORT_INTEGER,  "184467440737095516150",       false},
    {MR_REPORT_DECIMAL,  "-12.50",                      true },
    {MR_REPORT_DECIMAL,  "7",                           true },
    {MR_REPORT_DECIMAL,  "1.5e-7",                      true },
    {MR_REPORT_DECIMAL,  "1e20",                        true },
    {MR_REPORT_DECIMAL,  ".5",                          false},
    {MR_REPORT_DECIMAL,  "5.",                          false},
    {MR_REPORT_DECIMAL,  "1,5",                         false},
    {MR_REPORT_DECIMAL,  "1e",                          false},
    {MR_REPORT_DECIMAL,  "1.5'",                        false},
    {MR_REPORT_DECIMAL,  "=1",                          false},
    {MR_REPORT_DATE,     "2026-01-31",                  true },
    {MR_REPORT_DATE,     "2024-02-29",                  true },
    {MR_REPORT_DATE,     "2000-02-29",                  true },
    {MR_REPORT_DATE,     "2026-02-29",                  false},
    {MR_REPORT_DATE,     "1900-02-29",                  false},
    {MR_REPORT_DATE,     "2026-04-31",                  false},
    {MR_REPORT_DATE,     "2026-13-01",                  false},
    {MR_REPORT_DATE,     "2026-00-10",                  false},
    {MR_REPORT_DATE,     "0000-00-00",                  false},
    {MR_REPORT_DATE,     "2026-1-31",                   false},
    {MR_REPORT_DATE,     "2026-01-31 00:00:00",         false},
    {MR_REPORT_DATETIME, "2026-01-31 23:59:59",         true },
    {MR_REPORT_DATETIME, "2026-01-31 23:59:59.123456",  true },
    {MR_REPORT_DATETIME, "2026-01-31",                  false},
    {MR_REPORT_DATETIME, "2026-01-31 24:00:00",         false},
    {MR_REPORT_DATETIME, "2026-01-31 23:60:00",         false},
    {MR_REPORT_DATETIME, "2026-01-31 23:59:59.",        false},
    {MR_REPORT_DATETIME, "2026-01-31 23:59:59.1234567", false},
    {MR_REPORT_DATETIME, "2026-01-31 23:59:59 x",       false},
    {MR_REPORT_BOOLEAN,  "true",                        true },
    {MR_REPORT_BOOLEAN,  "1",                           false},
};

START_TEST(a_type_knows_its_own)
{
    ck_assert_msg(mr_report_type_holds(texts[_i].type, mr_bytes_of(texts[_i].text)) ==
                      texts[_i].holds,
                  "\"%s\" is %s: %d", texts[_i].text, mr_report_type_words(texts[_i].type),
                  !texts[_i].holds);
}
END_TEST

/* ---- values ---- */

/* One of each, which a job may leave out. */
static const char all[] =
    "sql: SELECT :name, :count, :any, :price, :from, :at, :paid, :colour\n"
    "columns: { x: }\n"
    "params:\n"
    "  name: { required: no }\n"
    "  count: { type: integer, min: -10, max: 9, required: no }\n"
    "  any: { type: integer, required: no }\n"
    "  price: { type: decimal, required: no }\n"
    "  from: { type: date, min: 2000-01-01, default: 2026-01-01 }\n"
    "  at: { type: datetime, required: no }\n"
    "  paid: { type: boolean, required: no }\n"
    "  colour: { choices: [red, green], default: green }\n";
static const char one_required[] =
    "{sql: SELECT :from, columns: {x: }, params: {from: {type: date}}}";
static const char none[] = "{sql: SELECT 1, columns: {x: }}";

static struct mr_report report;
static struct mr_param_value *values;

/* What the parameters of that definition make of a job's data.params; NULL: it has no such member. */
static enum mr_code read_params(const char *definition, const char *given)
{
    struct mr_config_errors errors = {0};
    json_t *json = given ? json_loads(given, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

    ck_assert_msg(mr_report_parse(definition, strlen(definition), "r.yaml", &report, &errors) ==
                      MR_OK,
                  "%s", errors.n_lines ? errors.lines[0] : "");
    ck_assert(json || !given);
    enum mr_code code = mr_params_read(report.params, report.n_params, json, &values, &err);
    json_decref(json);
    return code;
}

static void forget(void)
{
    mr_params_free(values, report.n_params);
    mr_report_fini(&report);
}

/* What is bound, as one line: "integer 7", "text a", "null". */
static const char *shown(const struct mr_sql_value *value)
{
    static char text[200];

    switch (value->type) {
    case MR_SQL_INT:
        snprintf(text, sizeof(text), "integer %lld", (long long)value->integer);
        break;
    case MR_SQL_TEXT:
        snprintf(text, sizeof(text), "text %.*s", (int)value->text.len, value->text.at);
        break;
    case MR_SQL_NULL:
        return "null";
    case MR_SQL_DOUBLE:
        return "double";
    }
    return text;
}

static const struct {
    const char *given;
    unsigned param;
    const char *bound;
} bindings[] = {
    {"{}",                                   0, "null"                        },
    {"null",                                 0, "null"                        },
    {"{\"name\":null}",                      0, "null"                        },
    {"{\"name\":\"\"}",                      0, "text "                       },
    {"{\"name\":\"' OR 1=1 -- \"}",          0, "text ' OR 1=1 -- "           },
    {"{\"count\":-10}",                      1, "integer -10"                 },
    {"{\"count\":9}",                        1, "integer 9"                   },
    {"{\"any\":9223372036854775807}",        2, "integer 9223372036854775807" },
    {"{\"any\":-9223372036854775808}",       2, "integer -9223372036854775808"},
    {"{\"price\":\"12345678901234567.89\"}", 3, "text 12345678901234567.89"   },
    {"{\"price\":12}",                       3, "text 12"                     },
    {"{}",                                   4, "text 2026-01-01"             },
    {"{\"from\":null}",                      4, "text 2026-01-01"             },
    {"{\"from\":\"2024-02-29\"}",            4, "text 2024-02-29"             },
    {"{\"at\":\"2026-01-31 08:30:00\"}",     5, "text 2026-01-31 08:30:00"    },
    {"{\"at\":\"2026-01-31T08:30:00.25Z\"}", 5, "text 2026-01-31 08:30:00.25" },
    {"{\"paid\":true}",                      6, "integer 1"                   },
    {"{\"paid\":false}",                     6, "integer 0"                   },
    {"{\"colour\":\"green\"}",               7, "text green"                  },
};

START_TEST(a_value_is_bound_as_its_type)
{
    ck_assert_msg(read_params(all, bindings[_i].given) == MR_OK, "%s", err.text);
    ck_assert_str_eq(shown(&values[bindings[_i].param].sql), bindings[_i].bound);
    forget();
}
END_TEST

START_TEST(a_text_keeps_its_nul)
{
    ck_assert_int_eq(read_params(all, "{\"name\":\"a\\u0000b\"}"), MR_OK);
    ck_assert_uint_eq(values[0].sql.text.len, 3);
    ck_assert_int_eq(memcmp(values[0].sql.text.at, "a\0b", 3), 0);
    forget();
}
END_TEST

static const struct {
    const char *given, *error;
} refusals[] = {
    {"[]",                                     "data.params must be an object"                               },
    {"{\"form\":\"2026-01-01\"}",
     "data.params.form is no parameter of this report: did you mean from?"                                   },
    {"{\"zzzzzzzz\":1}",
     "data.params.zzzzzzzz is no parameter of this report: it has name, count, any, price, "
     "from, at, paid, colour"                                                                                },
    {"{\"name\":7}",                           "data.params.name must be text"                               },
    {"{\"count\":\"7\"}",                      "data.params.count must be a whole number"                    },
    {"{\"count\":7.0}",                        "data.params.count must be a whole number"                    },
    {"{\"count\":10}",                         "data.params.count must be 9 or less"                         },
    {"{\"count\":-11}",                        "data.params.count must be -10 or more"                       },
    {"{\"price\":12.5}",                       "data.params.price must be a decimal number such as \"12.50\""},
    {"{\"price\":\"12.5; DROP TABLE t\"}",
     "data.params.price must be a decimal number such as \"12.50\""                                          },
    {"{\"from\":\"2026-02-30\"}",              "data.params.from must be a date such as 2026-01-31"          },
    {"{\"from\":\"1999-12-31\"}",              "data.params.from must be 2000-01-01 or more"                 },
    {"{\"from\":20260101}",                    "data.params.from must be a date such as 2026-01-31"          },
    {"{\"from\":\"2026-01-01\\u0000\"}",       "data.params.from must be a date such as 2026-01-31"          },
    {"{\"at\":\"2026-01-31T08:30:00+02:00\"}",
     "data.params.at must be a date and time such as 2026-01-31 08:30:00"                                    },
    {"{\"paid\":1}",                           "data.params.paid must be true or false"                      },
    {"{\"paid\":\"true\"}",                    "data.params.paid must be true or false"                      },
    {"{\"colour\":\"blue\"}",                  "data.params.colour must be one of red, green"                },
    {"{\"name\":{}}",                          "data.params.name must be text"                               },
};

START_TEST(a_wrong_value_is_refused_by_name_and_not_shown)
{
    ck_assert_int_eq(read_params(all, refusals[_i].given), MR_EINVAL);
    ck_assert_str_eq(err.text, refusals[_i].error);
    ck_assert_ptr_null(values);
    mr_report_fini(&report);
}
END_TEST

static const char *const without[] = {NULL, "null", "{}", "{\"from\":null}"};

START_TEST(a_required_value_must_be_given)
{
    ck_assert_int_eq(read_params(one_required, without[_i]), MR_EINVAL);
    ck_assert_str_eq(err.text,
                     "data.params.from is missing: it must be a date such as 2026-01-31");
    mr_report_fini(&report);
}
END_TEST

START_TEST(a_report_without_parameters_takes_none)
{
    ck_assert_int_eq(read_params(none, "{\"from\":1}"), MR_EINVAL);
    ck_assert_str_eq(err.text, "data.params.from is no parameter of this report: it has none");
    mr_report_fini(&report);
    ck_assert_int_eq(read_params(none, NULL), MR_OK);
    forget();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_type_knows_its_own,                           MR_COUNT(texts)   },
        {a_value_is_bound_as_its_type,                   MR_COUNT(bindings)},
        {a_text_keeps_its_nul,                           0                 },
        {a_wrong_value_is_refused_by_name_and_not_shown, MR_COUNT(refusals)},
        {a_required_value_must_be_given,                 MR_COUNT(without) },
        {a_report_without_parameters_takes_none,         0                 },
    };

    return mr_suite_run("report_params", tests);
}
