#include "jobs/services/pdf.h"

#include "proto/base/str.h"
#include "tests/support/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_err err;
static struct mr_pdf_press *press;
static struct mr_buf bytes; /* what the document wrote */

static enum mr_code keep(void *arg, const void *piece, size_t len, struct mr_err *out_err)
{
    (void)out_err;
    mr_buf_add(arg, piece, len);
    return MR_OK;
}

static const struct mr_pdf_about about = {"Invoice INV-000042", "Millrace",
                                          1767225600000u}; /* 2026-01-01 */

static struct mr_pdf *begin(void)
{
    struct mr_pdf *pdf = NULL;

    if (!press)
        press = mr_pdf_press_new();
    ck_assert_msg(mr_pdf_new(press, &about, keep, &bytes, &pdf, &err) == MR_OK, "%s", err.text);
    return pdf;
}

static void finish(struct mr_pdf *pdf)
{
    ck_assert_msg(mr_pdf_finish(pdf, &err) == MR_OK, "%s", err.text);
}

static void stop(void)
{
    mr_buf_fini(&bytes);
    mr_pdf_press_free(press);
}

/* What a program of poppler's says about the document: its output, the caller's. */
static char *ask(const char *program, const char *more)
{
    char path[] = "/tmp/millrace-pdf-XXXXXX", line[300], piece[4096];
    int fd = mkstemp(path);
    struct mr_buf said = {0};
    size_t n;

    ck_assert_int_eq(write(fd, bytes.at, bytes.len), (ssize_t)bytes.len);
    close(fd);
    snprintf(line, sizeof(line), "%s %s %s", program, path, more);
    FILE *in = popen(line, "r");
    while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
        mr_buf_add(&said, piece, n);
    ck_assert_msg(pclose(in) == 0, "%s failed", line);
    unlink(path);
    mr_buf_add(&said, "", 0);
    return mr_buf_steal(&said);
}

static char *text_of(void)
{
    return ask("pdftotext -layout", "-");
}

static void expect_said(const char *said, const char *want)
{
    ck_assert_msg(strstr(said, want) != NULL, "\"%s\" is not in: %.1000s", want, said);
}

static unsigned occurrences(const char *text, const char *word)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

static long pages(void)
{
    char *info = ask("pdfinfo", "");
    const char *line = strstr(info, "Pages:");

    ck_assert_ptr_nonnull(line);
    long n = strtol(line + strlen("Pages:"), NULL, 10);
    free(info);
    return n;
}

/* The caller's. pdftotext guesses where blanks are. */
static char *without_blanks(const char *text)
{
    struct mr_buf out = {0};

    for (; *text; text++)
        if (*text != ' ')
            mr_buf_char(&out, *text);
    return mr_buf_steal(&out);
}

static const struct mr_pdf_column columns[] = {
    {"No.",   40, 0, MR_PDF_RIGHT},
    {"Item",  0,  3, MR_PDF_LEFT },
    {"Note",  0,  1, MR_PDF_LEFT },
    {"Price", 70, 0, MR_PDF_RIGHT},
};

static void add_rows(struct mr_pdf *pdf, unsigned n, const char *item)
{
    mr_pdf_table_begin(pdf, columns, MR_COUNT(columns));
    for (unsigned i = 1; i <= n; i++) {
        char number[16], name[400];
        const char *const cells[] = {number, name, i % 2 ? NULL : "a note", "1,234.50"};

        snprintf(number, sizeof(number), "%u", i);
        snprintf(name, sizeof(name), "%s-%u-", item, i);
        mr_pdf_row(pdf, MR_PDF_NORMAL, cells);
    }
    mr_pdf_table_end(pdf);
}

/* ---- what is read back ---- */

#define HEBREW "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"
#define UMLAUTS                                                                                \
    "Gr\xc3\xbc\xc3\x9f"                                                                       \
    "e aus K\xc3\xb6ln"

START_TEST(a_document_is_read_back)
{
    static const char *const sum[] = {NULL, "Total", NULL, "1,234.50"};
    struct mr_pdf *pdf = begin();

    mr_pdf_text(pdf, MR_PDF_TITLE, "Invoice INV-000042");
    mr_pdf_text(pdf, MR_PDF_NORMAL,
                UMLAUTS "\nand " HEBREW " and \xce\xb1\xce\xb2\xce\xb3 and 5 \xe2\x82\xac");
    mr_pdf_text(pdf, MR_PDF_NORMAL, HEBREW);
    mr_pdf_pair(pdf, "Customer", "Zo\xc3\xab \xc5\x81ukasz");
    mr_pdf_gap(pdf, 10);
    mr_pdf_table_begin(pdf, columns, MR_COUNT(columns));
    mr_pdf_row(pdf, MR_PDF_BOLD, sum);
    mr_pdf_table_end(pdf);
    mr_pdf_text(pdf, MR_PDF_SMALL, "Thank you.");
    finish(pdf);
    char *text = text_of();
    expect_said(text, "Invoice INV-000042");
    expect_said(text, UMLAUTS);
    expect_said(text, HEBREW);
    expect_said(text, "\xce\xb1\xce\xb2\xce\xb3");
    expect_said(text, "5 \xe2\x82\xac");
    expect_said(text, "Zo\xc3\xab \xc5\x81ukasz");
    expect_said(text, "Total");
    expect_said(text, "1,234.50");
    expect_said(text, "Thank you.");
    ck_assert_ptr_null(strstr(text, "1 / 1"));
    ck_assert_int_eq(pages(), 1);
    free(text);
    stop();
}
END_TEST

START_TEST(a_document_says_what_it_is)
{
    finish(begin());
    char *info = ask("TZ=UTC pdfinfo", "");
    expect_said(info, "Title:           Invoice INV-000042\n");
    expect_said(info, "Author:          Millrace\n");
    expect_said(info, "CreationDate:    Thu Jan  1 00:00:00 2026 UTC\n");
    expect_said(info, "Page size:       595.276 x 841.89 pts (A4)\n");
    expect_said(info, "Pages:           1\n");
    free(info);
    char *fonts = ask("pdffonts", "");
    ck_assert_ptr_null(strstr(fonts, " no "));
    free(fonts);
    stop();
}
END_TEST

START_TEST(the_same_calls_give_the_same_bytes)
{
    struct mr_buf first;

    for (int i = 0; i < 2; i++) {
        struct mr_pdf *pdf = begin();

        mr_pdf_text(pdf, MR_PDF_TITLE, UMLAUTS HEBREW);
        add_rows(pdf, 60, "item");
        finish(pdf);
        if (i == 0) {
            first = bytes;
            bytes = (struct mr_buf){0};
        }
    }
    ck_assert_uint_gt(bytes.len, 5000);
    ck_assert_uint_eq(bytes.len, first.len);
    ck_assert_int_eq(memcmp(bytes.at, first.at, first.len), 0);
    mr_buf_fini(&first);
    stop();
}
END_TEST

static const struct {
    const char *text, *want;
} strange_texts[] = {
    {"a\xff"
     "b",       "a\xef\xbf\xbd"
     "b"             },
    {"a\x01\x7f"
     "b",       "a\xef\xbf\xbd\xef\xbf\xbd"
     "b"             },
    {"one\r\ntwo",   "one\ntwo"    },
    {"<b>&amp;</b>", "<b>&amp;</b>"},
    {"100 %s %n",    "100 %s %n"   },
};

START_TEST(no_text_breaks_a_document)
{
    struct mr_pdf *pdf = begin();

    mr_pdf_text(pdf, MR_PDF_NORMAL, strange_texts[_i].text);
    mr_pdf_text(pdf, MR_PDF_NORMAL, "");
    mr_pdf_pair(pdf, NULL, NULL);
    finish(pdf);
    char *text = text_of();
    expect_said(text, strange_texts[_i].want);
    free(text);
    stop();
}
END_TEST

/* ---- pages ---- */

START_TEST(a_long_table_has_its_head_on_every_page_and_loses_no_row)
{
    struct mr_pdf *pdf = begin();

    add_rows(pdf, 200, "item");
    finish(pdf);
    long n = pages();
    char *text = text_of();
    ck_assert_int_ge(n, 4);
    ck_assert_int_le(n, 8);
    ck_assert_uint_eq(occurrences(text, "Price"), (unsigned)n);
    ck_assert_uint_eq(occurrences(text, "1,234.50"), 200);
    for (unsigned i = 1; i <= 200; i++) {
        char name[20];

        snprintf(name, sizeof(name), "item-%u-", i);
        ck_assert_msg(occurrences(text, name) == 1, "%s", name);
    }
    char *dense = without_blanks(text);
    for (long page = 1; page <= n; page++) {
        char number[32];

        snprintf(number, sizeof(number), "\n%ld/%ld\n", page, n);
        expect_said(dense, number);
    }
    free(dense);
    free(text);
    stop();
}
END_TEST

#define WORDS                                                                                  \
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "

/* A form feed ends each page of the text: no row may have its words on both sides of one. */
START_TEST(a_row_of_many_lines_stays_on_one_page)
{
    struct mr_pdf *pdf = begin();

    add_rows(pdf, 40, WORDS WORDS WORDS);
    finish(pdf);
    ck_assert_int_gt(pages(), 3);
    char *text = text_of();
    ck_assert_uint_eq(occurrences(text, "fourteen"), 120);
    for (char *page = strtok(text, "\f"); page; page = strtok(NULL, "\f")) {
        ck_assert_uint_eq(occurrences(page, "fourteen") % 3, 0);
        ck_assert_uint_eq(occurrences(page, "fourteen"), occurrences(page, "1,234.50") * 3);
    }
    free(text);
    stop();
}
END_TEST

START_TEST(a_long_paragraph_goes_on_on_the_next_page)
{
    struct mr_buf words = {0};
    struct mr_pdf *pdf = begin();

    for (unsigned i = 0; i < 3000; i++)
        mr_buf_printf(&words, "w%u. ", i);
    mr_pdf_text(pdf, MR_PDF_TITLE, "Long");
    mr_pdf_text(pdf, MR_PDF_NORMAL, words.at);
    finish(pdf);
    ck_assert_int_ge(pages(), 3);
    char *text = text_of();
    for (unsigned i = 0; i < 3000; i++) {
        char word[16];

        snprintf(word, sizeof(word), "w%u.", i);
        ck_assert_msg(occurrences(text, word) == 1, "%s", word);
    }
    free(text);
    mr_buf_fini(&words);
    stop();
}
END_TEST

START_TEST(a_table_without_rows_shows_its_head)
{
    struct mr_pdf *pdf = begin();

    mr_pdf_table_begin(pdf, columns, MR_COUNT(columns));
    finish(pdf);
    char *text = text_of();
    expect_said(text, "Price");
    free(text);
    stop();
}
END_TEST

/* ---- what goes wrong ---- */

static void add_wide_table(struct mr_pdf *pdf)
{
    static const struct mr_pdf_column wide[] = {
        {"a", 400, 0, MR_PDF_LEFT},
        {"b", 100, 0, MR_PDF_LEFT},
    };

    mr_pdf_table_begin(pdf, wide, 2);
}

static void add_crowded_table(struct mr_pdf *pdf)
{
    mr_pdf_table_begin(pdf, columns, 21);
}

static void add_lost_row(struct mr_pdf *pdf)
{
    static const char *const cells[] = {"x"};

    mr_pdf_row(pdf, MR_PDF_NORMAL, cells);
}

static void add_high_row(struct mr_pdf *pdf)
{
    struct mr_buf text = {0};

    for (int i = 0; i < 100; i++)
        mr_buf_text(&text, "line\n");
    const char *const cells[] = {"1", text.at, "", ""};
    mr_pdf_table_begin(pdf, columns, MR_COUNT(columns));
    mr_pdf_row(pdf, MR_PDF_NORMAL, cells);
    mr_pdf_row(pdf, MR_PDF_NORMAL, cells);
    mr_buf_fini(&text);
}

static void add_book(struct mr_pdf *pdf)
{
    for (int i = 0; i < 1000; i++) {
        mr_pdf_text(pdf, MR_PDF_NORMAL, "a page");
        mr_pdf_gap(pdf, 1000);
    }
    mr_pdf_text(pdf, MR_PDF_NORMAL, "one more");
}

static const struct {
    void (*add)(struct mr_pdf *pdf);
    const char *want;
} impossible[] = {
    {add_wide_table,    "column 1 of a table has no room: 481 points are there for all"},
    {add_crowded_table, "a table has 1 to 20 columns, not 21"                          },
    {add_lost_row,      "a row outside of a table"                                     },
    {add_high_row,      "row 1 of a table is higher than a page"                       },
    {add_book,          "the document has more than 1000 pages"                        },
};

START_TEST(what_no_page_can_hold_is_told_at_the_end)
{
    struct mr_pdf *pdf = begin();

    impossible[_i].add(pdf);
    mr_pdf_text(pdf, MR_PDF_NORMAL, "goes nowhere");
    ck_assert_int_eq(mr_pdf_finish(pdf, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, impossible[_i].want);
    ck_assert_uint_eq(bytes.len, 0);
    stop();
}
END_TEST

/* arg: how many more bytes it takes. */
static enum mr_code keep_few(void *arg, const void *piece, size_t len, struct mr_err *out_err)
{
    size_t *left = arg;

    (void)piece;
    if (len > *left)
        return mr_fail(out_err, MR_EIO, "the disk is full");
    *left -= len;
    return MR_OK;
}

static const size_t disks[] = {0, 1000, 10000};

START_TEST(a_failing_write_is_told_with_its_own_words)
{
    size_t left = disks[_i];
    struct mr_pdf *pdf = NULL;

    press = mr_pdf_press_new();
    ck_assert_int_eq(mr_pdf_new(press, &about, keep_few, &left, &pdf, &err), MR_OK);
    add_rows(pdf, 200, "item");
    ck_assert_int_eq(mr_pdf_finish(pdf, &err), MR_EIO);
    ck_assert_str_eq(err.text, "the disk is full");
    stop();
}
END_TEST

START_TEST(a_dropped_document_writes_nothing)
{
    struct mr_pdf *pdf = begin();

    add_rows(pdf, 3, "item");
    mr_pdf_drop(pdf);
    mr_pdf_drop(NULL);
    ck_assert_uint_eq(bytes.len, 0);
    stop();
}
END_TEST

START_TEST(without_a_font_there_is_no_document)
{
    char path[] = "/tmp/millrace-fonts-XXXXXX";
    static const char none[] = "<?xml version=\"1.0\"?><fontconfig></fontconfig>";
    int fd = mkstemp(path);
    struct mr_pdf *pdf = NULL;

    ck_assert_int_eq(write(fd, none, sizeof(none) - 1), sizeof(none) - 1);
    close(fd);
    setenv("FONTCONFIG_FILE", path, 1);
    press = mr_pdf_press_new();
    ck_assert_int_eq(mr_pdf_new(press, &about, keep, &bytes, &pdf, &err), MR_EFAULT);
    ck_assert_str_eq(err.text,
                     "there is no font to write a PDF with: install fonts-dejavu-core");
    unlink(path);
    stop();
}
END_TEST

/* ---- many threads ---- */

static void *make_documents(void *arg)
{
    for (int i = 0; i < 5; i++) {
        struct mr_buf own = {0};
        struct mr_pdf *pdf = NULL;

        if (mr_pdf_new(press, &about, keep, &own, &pdf, NULL) != MR_OK)
            return arg;
        add_rows(pdf, 30, HEBREW);
        bool good = mr_pdf_finish(pdf, NULL) == MR_OK && own.len > 1000;
        mr_buf_fini(&own);
        if (!good)
            return arg;
    }
    return NULL;
}

START_TEST(threads_share_a_press)
{
    pthread_t threads[4];
    void *failed;

    press = mr_pdf_press_new();
    for (size_t i = 0; i < MR_COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_documents, &press), 0);
    for (size_t i = 0; i < MR_COUNT(threads); i++) {
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_document_is_read_back,                                  0                      },
        {a_document_says_what_it_is,                               0                      },
        {the_same_calls_give_the_same_bytes,                       0                      },
        {no_text_breaks_a_document,                                MR_COUNT(strange_texts)},
        {a_long_table_has_its_head_on_every_page_and_loses_no_row, 0                      },
        {a_row_of_many_lines_stays_on_one_page,                    0                      },
        {a_long_paragraph_goes_on_on_the_next_page,                0                      },
        {a_table_without_rows_shows_its_head,                      0                      },
        {what_no_page_can_hold_is_told_at_the_end,                 MR_COUNT(impossible)   },
        {a_failing_write_is_told_with_its_own_words,               MR_COUNT(disks)        },
        {a_dropped_document_writes_nothing,                        0                      },
        {without_a_font_there_is_no_document,                      0                      },
        {threads_share_a_press,                                    0                      },
    };

    return mr_suite_run_slow("pdf", tests, 60);
}
