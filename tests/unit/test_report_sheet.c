#include "jobs/report/sheet.h"
#include "jobs/services/storage.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char definition[] = "sql: SELECT 1\n"
                                 "columns:\n"
                                 "  total: { title: \"Sum, EUR\", type: decimal }\n"
                                 "  name:\n"
                                 "  n: { type: integer }\n"
                                 "  day: { type: date }\n"
                                 "  at: { type: datetime }\n";

static char dir[64];
static json_t *section; /* of the configuration */
static struct mr_storage *storage;
static struct mr_storage_file *file;
static struct mr_report report;
static struct mr_pipe *pipe_in;
static struct mr_output *output;
static struct mr_sheet sheet;
static struct mr_err err;

/* The result has its columns in an order of its own, and one that nobody asked for. */
static const char *const names[] = {"n", "name", "extra", "day", "at", "total"};

static struct mr_sql_row row_of(struct mr_bytes values[6], const char *const texts[6])
{
    for (unsigned i = 0; texts && i < 6; i++)
        values[i] = mr_bytes_of(texts[i]);
    return (struct mr_sql_row){6, texts ? values : NULL, names};
}

static enum mr_code add(const char *const texts[6])
{
    struct mr_bytes values[6];
    struct mr_sql_row row = row_of(values, texts);

    return texts ? mr_sheet_on_row(&sheet, &row, &err)
                 : mr_sheet_on_columns(&sheet, &row, &err);
}

static void start(const char *text, uint64_t max_rows, uint64_t max_bytes)
{
    struct mr_config_errors errors = {0};

    mr_scratch_folder(dir);
    section = json_pack("{s:s}", "path", dir);
    ck_assert_int_eq(mr_storage_open(section, &storage, &err), MR_OK);
    ck_assert_int_eq(mr_storage_create(storage, "a.csv", NULL, &file, &err), MR_OK);
    ck_assert_msg(mr_report_parse(text, strlen(text), "r.yaml", &report, &errors) == MR_OK,
                  "%s", errors.n_lines ? errors.lines[0] : "");
    pipe_in = mr_pipe_new(file, report.compress, max_bytes);
    const struct mr_output_plan plan = {.report = &report, .pipe = pipe_in, .name = "r"};
    ck_assert_int_eq(mr_output_open(report.formats[0], &plan, &output, &err), MR_OK);
    mr_sheet_init(&sheet, &report, output, max_rows);
}

static void stop(void)
{
    mr_sheet_fini(&sheet);
    mr_output_close(output);
    mr_pipe_free(pipe_in);
    mr_report_fini(&report);
    mr_storage_close(storage);
    json_decref(section);
    mr_scratch_remove(dir);
}

static void expect_file(const char *want)
{
    char path[80], got[1000];

    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_OK);
    snprintf(path, sizeof(path), "%s/a.csv", dir);
    FILE *kept = fopen(path, "r");
    ck_assert_ptr_nonnull(kept);
    got[fread(got, 1, sizeof(got) - 1, kept)] = '\0';
    fclose(kept);
    ck_assert_str_eq(got, want);
}

START_TEST(columns_stand_as_the_definition_has_them)
{
    static const char *const row[] = {"-7",         "Ann, \"B\"",          "x",
                                      "2026-01-31", "2026-01-31 08:30:00", "-12.50"};
    static const char *const nothing[] = {NULL, NULL, NULL, NULL, NULL, NULL};
    static const char *const formula[] = {"0", "=1+1", NULL, NULL, NULL, "1e-7"};

    start(definition, 10, 1000);
    ck_assert_int_eq(add(NULL), MR_OK);
    ck_assert_int_eq(add(row), MR_OK);
    ck_assert_int_eq(add(nothing), MR_OK);
    ck_assert_int_eq(add(formula), MR_OK);
    ck_assert_uint_eq(sheet.n_rows, 3);
    expect_file("\"Sum, EUR\",name,n,day,at\r\n"
                "-12.50,\"Ann, \"\"B\"\"\",-7,2026-01-31,2026-01-31 08:30:00\r\n"
                ",,,,\r\n"
                "1e-7,'=1+1,0,,\r\n");
    stop();
}
END_TEST

static const struct {
    const char *values[6], *error;
} misfits[] = {
    {{"7", "a", NULL, "2026-02-30", NULL, "1"},
     "row 1: column \"day\" is not a date such as 2026-01-31"                              },
    {{"7.0", "a", NULL, NULL, NULL, "1"},       "row 1: column \"n\" is not a whole number"},
    {{"", "a", NULL, NULL, NULL, "1"},          "row 1: column \"n\" is not a whole number"},
    {{"7", "a", NULL, NULL, "2026-01-31", "1"},
     "row 1: column \"at\" is not a date and time such as 2026-01-31 08:30:00"             },
    {{"7", "a", NULL, NULL, NULL, "=1+1"},
     "row 1: column \"total\" is not a decimal number such as \"12.50\""                   },
};

START_TEST(a_value_of_another_type_ends_the_report)
{
    start(definition, 10, 1000);
    ck_assert_int_eq(add(NULL), MR_OK);
    ck_assert_int_eq(add(misfits[_i].values), MR_EINVAL);
    ck_assert_str_eq(err.text, misfits[_i].error);
    mr_storage_drop(file);
    stop();
}
END_TEST

START_TEST(a_column_that_is_not_in_the_result_ends_the_report)
{
    start("sql: SELECT 1\ncolumns: {n: , totel: }\n", 10, 1000);
    ck_assert_int_eq(add(NULL), MR_EINVAL);
    ck_assert_str_eq(err.text,
                     "columns.totel: the result has no such column: did you mean \"total\"?");
    ck_assert_uint_eq(mr_storage_written(file), 0);
    mr_storage_drop(file);
    stop();
}
END_TEST

static const char *const one[] = {"1", NULL, NULL, NULL, NULL, NULL};

START_TEST(as_many_rows_as_allowed_and_no_more)
{
    start(_i == 0 ? "{sql: SELECT 1, columns: {n: }}"
                  : "{sql: SELECT 1, columns: {n: }, max_rows: 2}",
          _i == 0 ? 2 : 100, 1000);
    ck_assert_int_eq(add(NULL), MR_OK);
    ck_assert_int_eq(add(one), MR_OK);
    ck_assert_int_eq(add(one), MR_OK);
    ck_assert_int_eq(add(one), MR_EINVAL);
    ck_assert_str_eq(err.text, "there are more than 2 rows (max_rows)");
    mr_storage_drop(file);
    stop();
}
END_TEST

START_TEST(as_many_bytes_as_allowed_and_no_more)
{
    start("{sql: SELECT 1, columns: {n: }}", 10, strlen("n\r\n1\r\n1\r\n"));
    ck_assert_int_eq(add(NULL), MR_OK);
    ck_assert_int_eq(add(one), MR_OK);
    ck_assert_int_eq(add(one), MR_OK);
    ck_assert_int_eq(add(one), MR_EINVAL);
    ck_assert_str_eq(err.text, "after 2 rows the file would be larger than 9 (max_size)");
    expect_file("n\r\n1\r\n1\r\n");
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {columns_stand_as_the_definition_has_them,           0                },
        {a_value_of_another_type_ends_the_report,            MR_COUNT(misfits)},
        {a_column_that_is_not_in_the_result_ends_the_report, 0                },
        {as_many_rows_as_allowed_and_no_more,                2                },
        {as_many_bytes_as_allowed_and_no_more,               0                },
    };

    return mr_suite_run("report_sheet", tests);
}
