/* The forms of report.generate's files, each read back by another program: CSV for people, JSON lines, XLSX, PDF, compressed ones; and their records. */
#include "proto/base/str.h"
#include "tests/support/desk.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_desk desk;

static const char sales[] =
    "CREATE TABLE sales (country VARCHAR(20), city VARCHAR(20), day DATE, cents BIGINT, paid "
    "BOOL,"
    " rate DECIMAL(14,6), at DATETIME) CHARSET utf8mb4;"
    "INSERT INTO sales VALUES"
    " ('Germany', 'Berlin', '2026-01-31', 123450, 1, 0.5, '2026-01-31 08:30:00'),"
    " ('Germany', 'Berlin', '2026-02-01', 1, 0, 1234567.125, NULL),"
    " ('Germany', 'K\xc3\xb6ln', '2026-02-02', 99, 1, NULL, '2026-02-02 00:00:01'),"
    " ('Israel', '\xd7\x97\xd7\x99\xd7\xa4\xd7\x94', NULL, -5000, NULL, -0.25, NULL)";

static const char by_country[] =
    "title: Sales\n"
    "sql: SELECT * FROM sales ORDER BY country, city, cents DESC\n"
    "format: [csv, jsonl, xlsx, pdf]\n"
    "csv: { separator: semicolon, bom: true }\n"
    "columns:\n"
    "  country: { title: Country }\n"
    "  city:    {}\n"
    "  day:     { type: date, format: DD.MM.YYYY, total: max }\n"
    "  cents:   { title: \"EUR\", type: integer, minor: 2, thousands: \".\", point: \",\", "
    "total: sum }\n"
    "  paid:    { type: boolean, words: [ja, nein], total: count }\n"
    "  rate:    { type: decimal, decimals: 2, total: avg }\n"
    "  at:      { type: datetime }\n"
    "groups: [country, city]\n"
    "total_label: Summe\n"
    "charts:\n"
    "  countries: { type: bar, title: \"By country\", x: country, y: [cents, paid] }\n"
    "  days:      { type: line, x: day, y: cents }\n"
    "  cities:    { type: pie, x: city, y: cents, points: 1 }\n";

static void start_sales(void)
{
    mr_desk_start_with(&desk, "sales", by_country);
    mr_mariadb_do(&desk.db, "%s", sales);
}

static const char *make(const char *uuid, const char *more, const char *ending)
{
    mr_desk_push(&desk, uuid, "sales", "{}", more, "");
    mr_desk_await_done(&desk);
    return mr_desk_path(&desk, "sales", uuid, ending);
}

/* ---- CSV, for people ---- */

static const char sales_csv[] =
    "\xef\xbb\xbf"
    "Country;city;day;EUR;paid;rate;at\r\n"
    "Germany;Berlin;31.01.2026;1.234,50;ja;0.50;2026-01-31 08:30:00\r\n"
    "Germany;Berlin;01.02.2026;0,01;nein;1234567.13;\r\n"
    "Germany;Summe Berlin;01.02.2026;1.234,51;2;617283.81;\r\n"
    "Germany;K\xc3\xb6ln;02.02.2026;0,99;ja;;2026-02-02 00:00:01\r\n"
    "Germany;Summe K\xc3\xb6ln;02.02.2026;0,99;1;;\r\n"
    "Summe Germany;;02.02.2026;1.235,50;3;617283.81;\r\n"
    "Israel;\xd7\x97\xd7\x99\xd7\xa4\xd7\x94;;-50,00;;-0.25;\r\n"
    "Israel;Summe \xd7\x97\xd7\x99\xd7\xa4\xd7\x94;;-50,00;0;-0.25;\r\n"
    "Summe Israel;;;-50,00;0;-0.25;\r\n"
    "Summe;;02.02.2026;1.185,50;3;411522.46;\r\n";

static void expect_bytes(const char *command, const char *path, const char *want)
{
    char line[400];
    struct mr_buf got = {0};
    int c;

    snprintf(line, sizeof(line), "%s %s", command, path);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    while ((c = fgetc(pipe)) != EOF)
        mr_buf_char(&got, (char)c);
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_str_eq(got.at ? got.at : "", want);
    mr_buf_fini(&got);
}

static const struct {
    const char *more, *ending, *format, *unpack;
} packings[] = {
    {"",                       ".csv",     "csv",     "cat"      },
    {",\"compress\":\"gzip\"", ".csv.gz",  "csv.gz",  "zcat"     },
    {",\"compress\":\"zstd\"", ".csv.zst", "csv.zst", "zstd -dcq"},
};

START_TEST(groups_formats_and_totals_stand_in_the_file_however_it_is_packed)
{
    char want[300];

    start_sales();
    const char *path = make("r-1", packings[_i].more, packings[_i].ending);
    expect_bytes(packings[_i].unpack, path, sales_csv);
    mr_desk_expect_run(&desk, "r-1", "format", packings[_i].format);
    mr_desk_expect_run(&desk, "r-1", "row_count", "4");
    mr_desk_expect_run(&desk, "r-1", "elapsed_ms BETWEEN 0 AND 60000", "1");
    /* The record is of the file as it lies there. */
    char *sum = mr_mariadb_text(&desk.db, "SELECT CONCAT(sha256, '  ') FROM report_runs");
    snprintf(want, sizeof(want), "%s%s\n", sum, path);
    expect_bytes("sha256sum", path, want);
    free(sum);
    char *bytes = mr_mariadb_text(&desk.db, "SELECT CONCAT(bytes, '\n') FROM report_runs");
    expect_bytes("stat -c %s", path, bytes);
    free(bytes);
    mr_desk_stop(&desk);
}
END_TEST

/* ---- JSON lines ---- */

START_TEST(programs_get_numbers_with_all_their_digits)
{
    start_sales();
    expect_bytes(
        "cat", make("r-1", ",\"format\":\"jsonl\"", ".jsonl"),
        "{\"country\":\"Germany\",\"city\":\"Berlin\",\"day\":\"2026-01-31\",\"cents\":1234.50,"
        "\"paid\":true,\"rate\":0.50,\"at\":\"2026-01-31T08:30:00Z\"}\n"
        "{\"country\":\"Germany\",\"city\":\"Berlin\",\"day\":\"2026-02-01\",\"cents\":0.01,"
        "\"paid\":false,\"rate\":1234567.13,\"at\":null}\n"
        "{\"_total\":\"city\",\"country\":\"Germany\",\"city\":\"Berlin\",\"day\":\"2026-02-"
        "01\","
        "\"cents\":1234.51,\"paid\":2,\"rate\":617283.81}\n"
        "{\"country\":\"Germany\",\"city\":\"K\xc3\xb6ln\",\"day\":\"2026-02-02\",\"cents\":0."
        "99,"
        "\"paid\":true,\"rate\":null,\"at\":\"2026-02-02T00:00:01Z\"}\n"
        "{\"_total\":\"city\",\"country\":\"Germany\",\"city\":\"K\xc3\xb6ln\",\"day\":"
        "\"2026-02-02\",\"cents\":0.99,\"paid\":1}\n"
        "{\"_total\":\"country\",\"country\":\"Germany\",\"day\":\"2026-02-02\",\"cents\":1235."
        "50,"
        "\"paid\":3,\"rate\":617283.81}\n"
        "{\"country\":\"Israel\",\"city\":\"\xd7\x97\xd7\x99\xd7\xa4\xd7\x94\",\"day\":null,"
        "\"cents\":-50.00,\"paid\":null,\"rate\":-0.25,\"at\":null}\n"
        "{\"_total\":\"city\",\"country\":\"Israel\",\"city\":"
        "\"\xd7\x97\xd7\x99\xd7\xa4\xd7\x94\","
        "\"cents\":-50.00,\"paid\":0,\"rate\":-0.25}\n"
        "{\"_total\":\"country\",\"country\":\"Israel\",\"cents\":-50.00,\"paid\":0,\"rate\":-"
        "0.25}"
        "\n"
        "{\"_total\":\"\",\"day\":\"2026-02-02\",\"cents\":1185.50,\"paid\":3,\"rate\":411522."
        "46}"
        "\n");
    mr_desk_stop(&desk);
}
END_TEST

/* ---- XLSX ---- */

/* A workbook as its XML says it, without a spreadsheet: {"sheets": [[[cell, ...], ...], ...], "charts": n}; numbers are numbers. */
static json_t *read_xlsx(const char *path)
{
    return mr_desk_ask(
        "/usr/bin/python3 - %s <<'EOF'\n"
        "import json, sys, re, zipfile\n"
        "import xml.etree.ElementTree as xml\n"
        "m = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'\n"
        "book = zipfile.ZipFile(sys.argv[1])\n"
        "assert book.testzip() is None\n"
        "def value(c):\n"
        "    if c.get('t') == 'inlineStr':\n"
        "        return c.find(m + 'is').find(m + 't').text\n"
        "    v = c.find(m + 'v')\n"
        "    return None if v is None else bool(int(v.text)) if c.get('t') == 'b' else "
        "float(v.text)\n"
        "names = sorted((n for n in book.namelist() if re.match(r'xl/worksheets/sheet\\d', "
        "n)), "
        "key=lambda n: int(re.sub(r'\\D', '', n)))\n"
        "sheets = []\n"
        "for name in names:\n"
        "    rows = [[(c.get('r'), value(c)) for c in row] for row in "
        "xml.parse(book.open(name)).iter(m + 'row')]\n"
        "    sheets.append({'rows': len(rows), 'cells': dict(c for row in rows[:60] + "
        "rows[-2:] "
        "for c in row)})\n"
        "charts = sum(n.startswith('xl/charts/chart') for n in book.namelist())\n"
        "print(json.dumps({'sheets': sheets, 'charts': charts, 'styles': "
        "book.read('xl/styles.xml').decode()}))\n"
        "EOF",
        path);
}

static json_t *xlsx_cell(const json_t *book, size_t sheet, const char *at)
{
    const json_t *cells =
        json_object_get(json_array_get(json_object_get(book, "sheets"), sheet), "cells");

    return json_object_get(cells, at);
}

static void expect_number(const json_t *book, const char *at, double want)
{
    ck_assert_msg(json_is_real(xlsx_cell(book, 0, at)), "%s is no number", at);
    ck_assert_double_eq_tol(json_real_value(xlsx_cell(book, 0, at)), want, 1e-9);
}

static void expect_text(const json_t *book, const char *at, const char *want)
{
    const char *text = json_string_value(xlsx_cell(book, 0, at));

    ck_assert_msg(text && strcmp(text, want) == 0, "%s is %s, not %s", at, text, want);
}

START_TEST(a_spreadsheet_gets_real_cells_and_charts)
{
    start_sales();
    json_t *book = read_xlsx(make("r-1", ",\"format\":\"xlsx\"", ".xlsx"));
    expect_text(book, "A1", "Country");
    expect_text(book, "B3", "Berlin");
    expect_number(book, "C2", 46053); /* 2026-01-31 */
    expect_number(book, "D2", 1234.5);
    expect_text(book, "E2", "ja");
    expect_number(book, "F3", 1234567.13);
    expect_number(book, "G2", 46053 + 8.5 / 24);
    ck_assert(!xlsx_cell(book, 0, "G3"));
    expect_text(book, "B4", "Summe Berlin");
    expect_number(book, "E4", 2);
    expect_text(book, "A7", "Summe Germany");
    expect_number(book, "D11", 1185.5);
    const char *styles = json_string_value(json_object_get(book, "styles"));
    ck_assert_ptr_nonnull(strstr(styles, "formatCode=\"dd.mm.yyyy\""));
    ck_assert_ptr_nonnull(strstr(styles, "#,##0.00"));
    ck_assert_int_eq(json_integer_value(json_object_get(book, "charts")), 3);
    ck_assert_str_eq(json_string_value(xlsx_cell(book, 1, "A2")), "Germany");
    ck_assert_double_eq_tol(json_real_value(xlsx_cell(book, 1, "B2")), 1235.5, 1e-9);
    json_decref(book);
    ck_assert_int_eq(mr_desk_files(&desk), 1);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(what_a_spreadsheet_would_spoil_is_text)
{
    mr_desk_start_with(
        &desk, "sales",
        "sql: SELECT 1234567890123456 AS id, '=1+1' AS t, '1899-12-31' AS d,"
        " 123456789012345 AS n, 12345678901234567.5 AS x, '\\x01\\t<&>' AS c\n"
        "format: xlsx\n"
        "columns: { id: {type: integer}, t: , d: {type: date}, n: {type: integer},"
        " x: {type: decimal}, c: }\n");
    json_t *book = read_xlsx(make("r-1", "", ".xlsx"));
    expect_text(book, "A2", "1234567890123456");
    expect_text(book, "B2", "=1+1");
    expect_text(book, "C2", "1899-12-31");
    expect_number(book, "D2", 123456789012345);
    expect_text(book, "E2", "12345678901234567.5");
    expect_text(book, "F2", "x01\t<&>");
    json_decref(book);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_full_sheet_is_followed_by_another)
{
    enum { ROWS = 1048576 };

    mr_desk_start_with(&desk, "sales",
                       "sql: SELECT seq AS n FROM seq_1_to_1048577\n"
                       "format: xlsx\n"
                       "columns: { n: { type: integer } }\n");
    json_t *book = read_xlsx(make("r-1", "", ".xlsx"));
    const json_t *sheets = json_object_get(book, "sheets");
    ck_assert_uint_eq(json_array_size(sheets), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(sheets, 0), "rows")),
                     ROWS);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(sheets, 1), "rows")), 3);
    ck_assert_str_eq(json_string_value(xlsx_cell(book, 1, "A1")), "n");
    ck_assert_double_eq(json_real_value(xlsx_cell(book, 1, "A3")), ROWS + 1);
    json_decref(book);
    mr_desk_stop(&desk);
}
END_TEST

/* ---- PDF ---- */

/* The words of a page, as pdftotext finds them. */
static char *page_text(const char *path, unsigned page)
{
    char command[400];
    struct mr_buf text = {0};
    int c;

    snprintf(command, sizeof(command), "pdftotext -layout -f %u -l %u %s -", page, page, path);
    FILE *pipe = popen(command, "r");
    while ((c = fgetc(pipe)) != EOF)
        mr_buf_char(&text, (char)c);
    ck_assert_int_eq(pclose(pipe), 0);
    return mr_buf_steal(&text);
}

START_TEST(paper_has_the_table_with_its_totals)
{
    start_sales();
    const char *path = make("r-1", ",\"format\":\"pdf\"", ".pdf");
    char *text = page_text(path, 1);
    ck_assert_ptr_nonnull(strstr(text, "Sales"));
    ck_assert_ptr_nonnull(strstr(text, "1.234,50"));
    ck_assert_ptr_nonnull(strstr(text, "31.01.2026"));
    ck_assert_ptr_nonnull(strstr(text, "Summe"));
    ck_assert_ptr_nonnull(strstr(text, "1.185,50"));
    ck_assert_ptr_nonnull(strstr(text, "By country"));
    free(text);
    mr_desk_expect_run(&desk, "r-1", "format", "pdf");
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(paper_repeats_the_head_on_every_page)
{
    mr_desk_start_with(&desk, "sales",
                       "sql: SELECT seq AS n, 'x' AS t FROM seq_1_to_200\n"
                       "format: pdf\n"
                       "columns: { n: { type: integer, title: Number, total: sum }, t: }\n");
    const char *path = make("r-1", "", ".pdf");
    for (unsigned page = 1; page <= 3; page++) {
        char *text = page_text(path, page);
        ck_assert_msg(strstr(text, "Number") != NULL, "page %u has no head", page);
        free(text);
    }
    mr_desk_stop(&desk);
}
END_TEST

/* ---- mail ---- */

/* The data of the only job in the queue "mail". */
static json_t *take_mail(void)
{
    redisReply *got = mr_redis_ask(&desk.mill.redis, "LPOP " MR_MILL_PREFIX "queues:mail");
    ck_assert_int_eq(got->type, REDIS_REPLY_STRING);
    json_t *job = json_loads(got->str, 0, NULL);
    freeReplyObject(got);
    ck_assert_str_eq(json_string_value(json_object_get(job, "job")), "email.send");
    ck_assert_str_eq(json_string_value(json_object_get(job, "uuid")), "r-1.mail");
    json_t *data = json_incref(json_object_get(job, "data"));
    json_decref(job);
    return data;
}

START_TEST(a_finished_report_goes_out_by_mail)
{
    mr_desk_start_with(&desk, "sales",
                       "{title: Sales, sql: SELECT 1 AS a, columns: {a: }, "
                       "mail: {to: [ann@example.org, bob@example.org], queue: mail}}");
    make("r-1", "", ".csv");
    json_t *data = take_mail();
    json_t *want = json_pack("{s:[s,s],s:s,s:[{s:s,s:s}]}", "to", "ann@example.org",
                             "bob@example.org", "subject", "Sales", "attachments", "name",
                             "sales-r-1.csv", "storage", "reports/sales-r-1.csv");
    const char *text = json_string_value(json_object_get(data, "text"));
    ck_assert_ptr_nonnull(strstr(text, "Sales: 1 rows, 6."));
    json_object_del(data, "text");
    ck_assert(json_equal(data, want));
    json_decref(want);
    json_decref(data);
    mr_desk_stop(&desk);
}
END_TEST

START_TEST(a_job_says_who_gets_a_link)
{
    mr_desk_start_with(&desk, "sales",
                       "{sql: SELECT 1 AS a, columns: {a: }, mail: {to: ann@example.org}}");
    make("r-1",
         ",\"mail\":{\"to\":\"eve@example.org\",\"as\":\"link\",\"expires\":\"2d\","
         "\"template\":\"report\",\"queue\":\"mail\"}",
         ".csv");
    json_t *data = take_mail(), *vars = json_object_get(data, "vars");
    ck_assert_str_eq(json_string_value(json_object_get(data, "to")), "eve@example.org");
    ck_assert_str_eq(json_string_value(json_object_get(data, "template")), "report");
    ck_assert_str_eq(json_string_value(json_object_get(vars, "link")),
                     "https://files.example.org/reports/sales-r-1.csv");
    ck_assert_int_eq(json_integer_value(json_object_get(vars, "rows")), 1);
    ck_assert(!json_object_get(data, "attachments"));
    json_decref(data);
    mr_desk_stop(&desk);
}
END_TEST

static const struct {
    const char *mail, *reason;
} wrong_mails[] = {
    {"7",                                   "data.mail must be an object, or false for none"},
    {"{\"as\":\"link\"}",                   "data.mail.to must say to whom"                 },
    {"{\"to\":\"a@b\",\"as\":\"fax\"}",     "data.mail.as must be attachment or link"       },
    {"{\"to\":\"a@b\",\"expires\":\"8d\"}", "data.mail.expires must be a span of time"      },
};

START_TEST(a_mail_that_cannot_be_is_refused_before_anything_is_made)
{
    char more[100];

    mr_desk_start_with(&desk, "sales", "{sql: SELECT 1 AS a, columns: {a: }}");
    snprintf(more, sizeof(more), ",\"mail\":%s", wrong_mails[_i].mail);
    mr_desk_push(&desk, "r-1", "sales", "{}", more, "");
    mr_mill_await_letter(&desk.mill, "main", "failed", wrong_mails[_i].reason);
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_stop(&desk);
}
END_TEST

/* ---- refused ---- */

START_TEST(a_form_that_the_definition_does_not_allow_is_refused)
{
    mr_desk_start_with(&desk, "sales",
                       "{sql: SELECT 1 AS a, format: [csv, pdf], columns: {a: }}");
    mr_desk_push(&desk, "r-1", "sales", "{}", ",\"format\":\"xlsx\"", "");
    mr_mill_await_letter(&desk.mill, "main", "failed", "sales.yaml allows: csv, pdf");
    ck_assert_int_eq(mr_desk_files(&desk), 0);
    mr_desk_stop(&desk);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {groups_formats_and_totals_stand_in_the_file_however_it_is_packed, MR_COUNT(packings)   },
        {programs_get_numbers_with_all_their_digits,                       0                    },
        {a_spreadsheet_gets_real_cells_and_charts,                         0                    },
        {what_a_spreadsheet_would_spoil_is_text,                           0                    },
        {a_full_sheet_is_followed_by_another,                              0                    },
        {paper_has_the_table_with_its_totals,                              0                    },
        {paper_repeats_the_head_on_every_page,                             0                    },
        {a_finished_report_goes_out_by_mail,                               0                    },
        {a_job_says_who_gets_a_link,                                       0                    },
        {a_mail_that_cannot_be_is_refused_before_anything_is_made,         MR_COUNT(wrong_mails)},
        {a_form_that_the_definition_does_not_allow_is_refused,             0                    },
    };

    return mr_suite_run_slow("report_forms", tests, 120);
}
