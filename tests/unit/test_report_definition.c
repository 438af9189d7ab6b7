#include "jobs/report/catalog.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mr_report report;
static struct mr_config_errors errors;
static struct mr_err err;

static enum mr_code parse(const char *text)
{
    return mr_report_parse(text, strlen(text), "r.yaml", &report, &errors);
}

static const char sales[] =
    "title: Sales by country\n"
    "sql: |\n"
    "  SELECT country, SUM(total) AS sum FROM orders\n"
    "  WHERE day >= :from AND day < :to AND (:from > '2000-01-01' OR paid = :paid)\n"
    "params:\n"
    "  to:   { type: date, max: 2030-01-01 }\n"
    "  from: { type: date, default: 2026-01-01 }\n"
    "  paid: { type: boolean, required: false }\n"
    "columns:\n"
    "  sum:     { title: \"Sum (EUR)\", type: decimal }\n"
    "  country:\n"
    "max_rows: 500\n"
    "max_size: 2MiB\n"
    "timeout: 5s\n";

START_TEST(a_definition_says_all_there_is_to_know)
{
    static const unsigned bound[] = {1, 0, 1, 2}; /* :from :to :from :paid, of to, from, paid */

    ck_assert_msg(parse(sales) == MR_OK, "%s", errors.n_lines ? errors.lines[0] : "");
    ck_assert_str_eq(report.title, "Sales by country");
    ck_assert_ptr_nonnull(
        strstr(report.rows.statement.sql, "day >= ? AND day < ? AND (? > '2000"));
    ck_assert_uint_eq(report.rows.statement.n_places, MR_COUNT(bound));
    for (unsigned i = 0; i < MR_COUNT(bound); i++)
        ck_assert_uint_eq(report.rows.bound[i], bound[i]);
    ck_assert_uint_eq(report.n_params, 3);
    ck_assert_str_eq(report.params[0].name, "to");
    ck_assert_int_eq(report.params[0].type, MR_REPORT_DATE);
    ck_assert(report.params[0].required);
    ck_assert_str_eq(report.params[0].max, "2030-01-01");
    ck_assert_str_eq(report.params[1].fallback, "2026-01-01");
    ck_assert_int_eq(report.params[2].type, MR_REPORT_BOOLEAN);
    ck_assert(!report.params[2].required);
    ck_assert_uint_eq(report.n_columns, 2);
    ck_assert_str_eq(report.columns[0].name, "sum");
    ck_assert_str_eq(report.columns[0].title, "Sum (EUR)");
    ck_assert_int_eq(report.columns[0].type, MR_REPORT_DECIMAL);
    ck_assert_str_eq(report.columns[1].name, "country");
    ck_assert_ptr_null(report.columns[1].title);
    ck_assert_int_eq(report.columns[1].type, MR_REPORT_TEXT);
    ck_assert_uint_eq(report.max_rows, 500);
    ck_assert_uint_eq(report.max_bytes, 2 << 20);
    ck_assert_uint_eq(report.timeout_ms, 5000);
    mr_report_fini(&report);
}
END_TEST

START_TEST(what_is_not_said_is_left_to_the_configuration)
{
    ck_assert_msg(parse("{sql: SELECT a FROM t, columns: {a: }}") == MR_OK, "%s",
                  errors.n_lines ? errors.lines[0] : "");
    ck_assert_ptr_null(report.title);
    ck_assert_uint_eq(report.n_params, 0);
    ck_assert_uint_eq(report.max_rows, 0);
    ck_assert_uint_eq(report.max_bytes, 0);
    ck_assert_uint_eq(report.timeout_ms, 0);
    mr_report_fini(&report);
}
END_TEST

#define AND_COLUMNS "\ncolumns: {a: }\n"

static const struct {
    const char *text, *error;
} wrong[] = {
    {"sql: [",                                                                       "r.yaml:2:1: "                                                           },
    {"- a",                                                                          "r.yaml:1:1: the document must be a map of options, got a list"          },
    {"sql: SELECT a" AND_COLUMNS "colums: {}",
     "r.yaml:3:1: unknown key \"colums\": did you mean \"columns\"?"                                                                                          },
    {"columns: {a: }",                                                               "r.yaml:1:1: sql must say what the report selects"                       },
    {"sql: SELECT a",                                                                "r.yaml:1:1: columns must say which columns the file has"                },
    {"sql: SELECT a\ncolumns: {}",                                                   "r.yaml:2:10: columns must say which columns the file has"               },
    {"sql: SELECT a\ncolumns: {a: {type: decmal}}",
     "r.yaml:2:21: columns.a.type must be one of text, integer, "
     "decimal, date, datetime, boolean, got \"decmal\": did you mean \"decimal\"?"                                                                            },
    {"sql: SELECT a\ncolumns: {a: , b: {titel: x}}",
     "r.yaml:2:20: unknown key \"titel\" in columns.b: did you mean \"title\"?"                                                                               },
    {"sql: SELECT a\ncolumns: {a: , a: }",                                           "r.yaml:2:16: "                                                          },
    {"sql: DELETE FROM t" AND_COLUMNS,
     "r.yaml:1:6: sql, line 1: a report begins with SELECT or WITH"                                                                                           },
    {"sql: |\n  SELECT a\n  WHERE b = :form\nparams: {from: }" AND_COLUMNS,
     "r.yaml:1:6: sql, line 2: :form is not declared in params: did you mean :from?"                                                                          },
    {"sql: SELECT :x" AND_COLUMNS,                                                   "r.yaml:1:6: sql, line 1: :x is not declared in params"                  },
    {"sql: SELECT a\nparams: {from: }" AND_COLUMNS,
     "r.yaml:2:10: params.from is declared, and sql has no :from"                                                                                             },
    {"sql: SELECT :1st\nparams: {1st: }" AND_COLUMNS,
     "r.yaml:2:10: \"1st\" is no name: parameters are called by"                                                                                              },
    {"sql: SELECT :n\nparams: {n: {type: int}}" AND_COLUMNS,
     "r.yaml:2:20: params.n.type must be one of"                                                                                                              },
    {"sql: SELECT :n\nparams: {n: {type: date, default: 2026-02-30}}" AND_COLUMNS,
     "r.yaml:2:35: params.n.default must be a date such as 2026-01-31"                                                                                        },
    {"sql: SELECT :n\nparams: {n: {type: integer, default: 3, max: 2}}" AND_COLUMNS,
     "r.yaml:2:38: params.n.default must be 2 or less"                                                                                                        },
    {"sql: SELECT :n\nparams: {n: {type: integer, min: 3, max: 2}}" AND_COLUMNS,
     "r.yaml:2:34: params.n.min must be 2 or less"                                                                                                            },
    {"sql: SELECT :n\nparams: {n: {type: integer, min: much}}" AND_COLUMNS,
     "r.yaml:2:34: params.n.min must be a whole number"                                                                                                       },
    {"sql: SELECT :n\nparams: {n: {min: a}}" AND_COLUMNS,
     "r.yaml:2:19: params.n.min is for an integer, a date or a datetime"                                                                                      },
    {"sql: SELECT :n\nparams: {n: {choices: [a, b], default: c}}" AND_COLUMNS,
     "r.yaml:2:40: params.n.default must be one of a, b"                                                                                                      },
    {"sql: SELECT :n\nparams: {n: {type: date, choices: [a]}}" AND_COLUMNS,
     "r.yaml:2:35: params.n.choices are for a text"                                                                                                           },
    {"sql: SELECT :n\nparams: {n: {required: true, default: a}}" AND_COLUMNS,
     "r.yaml:2:24: params.n.required cannot be where there is a default"                                                                                      },
    {"sql: SELECT a\nformat: [csv, xls]" AND_COLUMNS,
     "r.yaml:2:9: format must be of csv, jsonl, xlsx, pdf, got \"xls\""                                                                                       },
    {"sql: SELECT a\ncount: SELECT :x" AND_COLUMNS,
     "r.yaml:2:8: count, line 1: :x is not declared in params"                                                                                                },
    {"sql: SELECT a\ncolumns: {a: {decimals: 2}}",
     "r.yaml:2:25: columns.a.decimals is for an integer or a decimal"                                                                                         },
    {"sql: SELECT a\ncolumns: {a: {type: decimal, minor: 2}}",
     "r.yaml:2:37: columns.a.minor is for an integer"                                                                                                         },
    {"sql: SELECT a\ncolumns: {a: {type: decimal, thousands: .}}",
     "r.yaml:2:41: columns.a.thousands must not be what point is"                                                                                             },
    {"sql: SELECT a\ncolumns: {a: {type: boolean, words: [yes]}}",
     "r.yaml:2:37: columns.a.words must be two"                                                                                                               },
    {"sql: SELECT a\ncolumns: {a: {format: DD}}",
     "r.yaml:2:23: columns.a.format is for a date or a datetime"                                                                                              },
    {"sql: SELECT a\ncolumns: {a: {total: sum}}",
     "r.yaml:2:22: columns.a.total cannot be that of values of this type"                                                                                     },
    {"sql: SELECT a\ngroups: [b]\ncolumns: {a: , b: {total: count}}",
     "r.yaml:2:9: groups must be the first columns"                                                                                                           },
    {"sql: SELECT a\ngroups: [c]\ncolumns: {ac: , b: {total: count}}",
     "r.yaml:2:9: groups: there is no column \"c\""                                                                                                           },
    {"sql: SELECT a\ngroups: [a]" AND_COLUMNS,                                       "r.yaml:2:9: groups need a column with a total"                          },
    {"sql: SELECT a\ncharts: {c: {x: a}}" AND_COLUMNS,
     "r.yaml:2:10: charts.c.y must name the columns of its numbers"                                                                                           },
    {"sql: SELECT a\ncharts: {c: {x: a, y: a}}" AND_COLUMNS,
     "r.yaml:2:23: charts.c.y must name columns of numbers"                                                                                                   },
    {"sql: SELECT a\ncharts: {c: {x: a, y: [n, n], type: pie}}\ncolumns: {a: , n: {type: "
     "integer}}",                                                               "r.yaml:2:23: charts.c.y of a pie must be one column"                    },
    {"sql: SELECT a\ncharts: {c: {x: a, y: n}}\ngroups: [a]\ncolumns: {a: , n: {type: "
     "integer}, b: {total: count}}",                                            "r.yaml:2:23: charts.c.y must name columns with a total, as x is a group"},
    {"archive: {from: a, to: b, column: c}",
     "r.yaml:1:10: archive.older_than must say how old"                                                                                                       },
    {"archive: {from: 'a`; DROP TABLE b', to: b, column: c, older_than: 1d}",
     "r.yaml:1:11: archive.from must be a plain name"                                                                                                         },
    {"archive: {from: a.b.c, to: b, column: c, older_than: 1d}",
     "r.yaml:1:11: archive.from must be a plain name"                                                                                                         },
    {"archive: {from: a, to: a, column: c, older_than: 1d}",
     "r.yaml:1:20: archive.to must be another table"                                                                                                          },
    {"archive: {from: a, to: b, column: c, older_than: 1d}\nsql: SELECT 1",
     "r.yaml:2:6: sql has no place beside archive"                                                                                                            },
    {"sql: SELECT a\nmail: {to: a@b, as: fax}" AND_COLUMNS,
     "r.yaml:2:21: mail.as must be one of attachment, link"                                                                                                   },
    {"sql: SELECT a\nmax_rows: 0" AND_COLUMNS,
     "r.yaml:2:11: max_rows must be within 1..1000000000, got \"0\""                                                                                          },
    {"sql: SELECT a\ntimeout: soon" AND_COLUMNS,                                     "r.yaml:2:10: timeout must be a span of time"                            },
};

START_TEST(an_error_has_its_place_and_what_was_meant)
{
    ck_assert_int_eq(parse(wrong[_i].text), MR_EINVAL);
    ck_assert_uint_ge(errors.n_lines, 1);
    ck_assert_msg(strstr(errors.lines[0], wrong[_i].error) == errors.lines[0], "%s",
                  errors.lines[0]);
    mr_config_errors_fini(&errors);
}
END_TEST

START_TEST(all_errors_come_at_once)
{
    ck_assert_int_eq(parse("sql: SELECT :a\nparams: {b: {type: dat}}\nclumns: 1\n"), MR_EINVAL);
    ck_assert_uint_eq(errors.n_lines, 5); /* type, clumns, no columns, :a, params.b */
    mr_config_errors_fini(&errors);
}
END_TEST

/* ---- the folder ---- */

static char dir[64], path[128];

static void expect_refusal(const char *name, enum mr_code code, const char *words)
{
    ck_assert_int_eq(mr_catalog_read(dir, name, &report, &err), code);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
}

START_TEST(a_name_becomes_its_definition)
{
    mr_scratch_folder(dir);
    mr_scratch_put(dir, "sales-2026_a.yaml", sales);
    ck_assert_msg(mr_catalog_read(dir, "sales-2026_a", &report, &err) == MR_OK, "%s", err.text);
    ck_assert_str_eq(report.title, "Sales by country");
    mr_report_fini(&report);
    mr_scratch_remove(dir);
}
END_TEST

START_TEST(a_report_that_is_not_there_says_what_was_meant)
{
    mr_scratch_folder(dir);
    mr_scratch_put(dir, "sales.yaml", sales);
    mr_scratch_put(dir, "other.txt", "");
    expect_refusal("sale", MR_ENOTFOUND, "there is no sale.yaml in /tmp/mr-");
    expect_refusal("sale", MR_ENOTFOUND, ": did you mean sales?");
    expect_refusal("other", MR_ENOTFOUND, "there is no other.yaml");
    ck_assert_ptr_null(strstr(err.text, "did you mean"));
    mr_scratch_remove(dir);
}
END_TEST

static const struct {
    const char *name;
    bool good;
} names[] = {
    {"a",                                                                 true },
    {"sales-2026_A",                                                      true },
    {"0123456789012345678901234567890123456789012345678901234567890123",  true },
    {"0123456789012345678901234567890123456789012345678901234567890123a", false},
    {"",                                                                  false},
    {".",                                                                 false},
    {"../etc/passwd",                                                     false},
    {"a/b",                                                               false},
    {"a.yaml",                                                            false},
    {"a b",                                                               false},
    {"a\n",                                                               false},
    {"\xc3\xbc",                                                          false},
};

START_TEST(a_name_never_leaves_the_folder)
{
    ck_assert_int_eq(mr_catalog_is_name(mr_bytes_of(names[_i].name)), names[_i].good);
    ck_assert(!mr_catalog_is_name((struct mr_bytes){"a\0b", 3}));
}
END_TEST

START_TEST(a_broken_definition_shows_file_line_and_column)
{
    char want[128];

    mr_scratch_folder(dir);
    mr_scratch_put(dir, "bad.yaml", "sql: SELECT a\ncolums: {a: }\nmax_rows: many\n");
    snprintf(want, sizeof(want), "%s/bad.yaml:2:1: unknown key \"colums\"", dir);
    expect_refusal("bad", MR_EINVAL, want);
    snprintf(want, sizeof(want), "; %s/bad.yaml:3:11: max_rows must be", dir);
    expect_refusal("bad", MR_EINVAL, want);
    mr_scratch_put(dir, "empty.yaml", "");
    expect_refusal("empty", MR_EINVAL, "empty.yaml:1:1: ");
    mr_scratch_remove(dir);
}
END_TEST

START_TEST(what_cannot_be_read_is_for_an_operator)
{
    mr_scratch_folder(dir);
    snprintf(path, sizeof(path), "%s/pipe.yaml", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_refusal("pipe", MR_EFAULT, "pipe.yaml cannot be read");
    snprintf(path, sizeof(path), "%s/folder.yaml", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_refusal("folder", MR_EFAULT, "folder.yaml cannot be read");
    mr_scratch_put(dir, "huge.yaml", "");
    snprintf(path, sizeof(path), "%s/huge.yaml", dir);
    ck_assert_int_eq(truncate(path, 2 << 20), 0);
    expect_refusal("huge", MR_EFAULT, "huge.yaml cannot be read: File too large");
    mr_scratch_remove(dir);
    expect_refusal("sales", MR_EFAULT, "reports.dir /tmp/mr-");
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_definition_says_all_there_is_to_know,         0              },
        {what_is_not_said_is_left_to_the_configuration,  0              },
        {an_error_has_its_place_and_what_was_meant,      MR_COUNT(wrong)},
        {all_errors_come_at_once,                        0              },
        {a_name_becomes_its_definition,                  0              },
        {a_report_that_is_not_there_says_what_was_meant, 0              },
        {a_name_never_leaves_the_folder,                 MR_COUNT(names)},
        {a_broken_definition_shows_file_line_and_column, 0              },
        {what_cannot_be_read_is_for_an_operator,         0              },
    };

    return mr_suite_run("report_definition", tests);
}
