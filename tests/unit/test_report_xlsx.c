/* XLSX files read back by another program's library (Python's zipfile and xml): what stands in the cells, and that no half of one is ever kept. */
#include "jobs/report/sheet.h"
#include "jobs/services/storage.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char definition[] = "sql: SELECT 1\n"
                                 "format: xlsx\n"
                                 "columns:\n"
                                 "  n: { type: integer }\n"
                                 "  text:\n";

static char dir[64], path[80];
static json_t *section; /* of the configuration */
static struct mr_storage *storage;
static struct mr_report report;
static struct mr_err err;

static void start(void)
{
    struct mr_config_errors errors = {0};

    mr_scratch_folder(dir);
    snprintf(path, sizeof(path), "%s/a.xlsx", dir);
    section = json_pack("{s:s}", "path", dir);
    ck_assert_int_eq(mr_storage_open(section, &storage, &err), MR_OK);
    ck_assert_int_eq(
        mr_report_parse(definition, strlen(definition), "r.yaml", &report, &errors), MR_OK);
}

static void stop(void)
{
    mr_report_fini(&report);
    mr_storage_close(storage);
    json_decref(section);
    mr_scratch_remove(dir);
}

static enum mr_code add_rows(struct mr_sheet *sheet, unsigned n)
{
    static const char *const names[] = {"n", "text"};
    struct mr_sql_row row = {2, NULL, names};
    enum mr_code code = mr_sheet_on_columns(sheet, &row, &err);

    for (unsigned i = 1; code == MR_OK && i <= n; i++) {
        char number[16];

        snprintf(number, sizeof(number), "%u", i);
        struct mr_bytes values[] = {mr_bytes_of(number), mr_bytes_of("=1+1")};
        row.values = values;
        code = mr_sheet_on_row(sheet, &row, &err);
    }
    return code == MR_OK ? mr_sheet_finish(sheet, &err) : code;
}

static enum mr_code fill(struct mr_storage_file *file, unsigned rows)
{
    struct mr_pipe *pipe = mr_pipe_new(file, MR_COMPRESS_NONE, UINT64_MAX);
    const struct mr_output_plan plan = {
        .report = &report, .pipe = pipe, .tmpdir = dir, .name = "r"};
    struct mr_output *output = NULL;
    struct mr_sheet sheet = {0};
    enum mr_code code = mr_output_open(MR_FORMAT_XLSX, &plan, &output, &err);

    if (code == MR_OK) {
        mr_sheet_init(&sheet, &report, output, UINT64_MAX);
        code = add_rows(&sheet, rows);
    }
    mr_sheet_fini(&sheet);
    mr_output_close(output);
    mr_pipe_free(pipe);
    return code;
}

/* As a job makes it: kept when all went well, else dropped. Asserts nothing, for that writes to a file as well. */
static enum mr_code make(unsigned rows)
{
    struct mr_storage_file *file;
    enum mr_code code = mr_storage_create(storage, "a.xlsx", NULL, &file, &err);

    if (code != MR_OK)
        return code;
    code = fill(file, rows);
    if (code == MR_OK)
        return mr_storage_keep(file, NULL, &err);
    mr_storage_drop(file);
    return code;
}

/* Every part of the book can be unpacked and is well-formed, there is no formula in it, and its sheet has so many rows. */
static bool is_whole(unsigned rows)
{
    char command[800];

    snprintf(command, sizeof(command),
             "/usr/bin/python3 - %s %u 2>/dev/null <<'EOF'\n"
             "import sys, zipfile\n"
             "import xml.etree.ElementTree as xml\n"
             "m = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'\n"
             "book = zipfile.ZipFile(sys.argv[1])\n"
             "assert book.testzip() is None\n"
             "parts = {name: xml.fromstring(book.read(name)) for name in book.namelist()}\n"
             "sheet = parts['xl/worksheets/sheet1.xml']\n"
             "assert not list(sheet.iter(m + 'f'))\n"
             "rows = [[''.join(c.itertext()) for c in row] for row in sheet.iter(m + 'row')]\n"
             "assert rows == [['n', 'text']] + [[str(i + 1), '=1+1'] for i in "
             "range(int(sys.argv[2]))]\n"
             "EOF",
             path, rows);
    return system(command) == 0;
}

START_TEST(a_book_has_all_its_rows_and_no_formula)
{
    start();
    ck_assert_int_eq(make(3000), MR_OK);
    ck_assert(is_whole(3000));
    stop();
}
END_TEST

/* The disk gives way at every point there is: while rows come, and while the library joins the pieces. */
START_TEST(what_is_not_whole_is_never_kept)
{
    enum { ROWS = 100, STEP = 100, MOST = 20000 };
    unsigned n_failed = 0, n_made = 0;

    start();
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = STEP; limit < MOST; limit += STEP) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, RLIM_INFINITY});
        enum mr_code code = make(ROWS);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
        if (code == MR_OK && n_made++ < 5)
            ck_assert_msg(is_whole(ROWS), "kept at %lu bytes", (unsigned long)limit);
        n_failed += code != MR_OK;
        ck_assert_int_eq(access(path, F_OK) == 0, code == MR_OK);
        unlink(path);
    }
    ck_assert_uint_gt(n_failed, 20);
    ck_assert_uint_gt(n_made, 20);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_book_has_all_its_rows_and_no_formula, 0},
        {what_is_not_whole_is_never_kept,        0},
    };

    return mr_suite_run_slow("report_xlsx", tests, 60);
}
