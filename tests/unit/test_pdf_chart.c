#include "jobs/services/pdf_chart.h"
#include "proto/base/str.h"
#include "tests/support/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mr_err err;
static struct mr_pdf_press *press;
static struct mr_pdf *pdf;
static char path[] = "/tmp/millrace-chart-XXXXXX";
static FILE *file;

static enum mr_code keep(void *arg, const void *piece, size_t len, struct mr_err *out_err)
{
    (void)out_err;
    return fwrite(piece, 1, len, arg) == len ? MR_OK : MR_EIO;
}

static void start(void)
{
    static const struct mr_pdf_about about = {"Charts", NULL, 0};

    press = mr_pdf_press_new();
    file = fdopen(mkstemp(path), "wb");
    ck_assert_int_eq(mr_pdf_new(press, &about, keep, file, &pdf, &err), MR_OK);
}

static void stop(void)
{
    fclose(file);
    unlink(path);
    mr_pdf_press_free(press);
}

/* Finishes the document; what this program of poppler's says of it, the caller's. */
static struct mr_buf finish_and_ask(const char *program, const char *more)
{
    char line[200];
    struct mr_buf said = {0};
    int c;

    ck_assert_msg(mr_pdf_finish(pdf, &err) == MR_OK, "%s", err.text);
    fflush(file);
    snprintf(line, sizeof(line), "%s %s %s", program, path, more);
    FILE *in = popen(line, "r");
    while ((c = fgetc(in)) != EOF)
        mr_buf_char(&said, (char)c);
    ck_assert_int_eq(pclose(in), 0);
    return said;
}

#define HEBREW "\xd7\x97\xd7\x99\xd7\xa4\xd7\x94"

static const char *const labels[] = {"north", HEBREW, "south", "nowhere"};
static const char *const series[] = {"alpha", "beta"};
static const double first[] = {1200, -300, NAN, 5}, second[] = {10, 20, 1700, 1e3};
static const double *const values[] = {first, second};

static const struct mr_pdf_chart bars = {.kind = MR_PDF_BARS,
                                         .title = "Heights",
                                         .note = "of four",
                                         .labels = labels,
                                         .series = series,
                                         .values = values,
                                         .n_points = 4,
                                         .n_series = 2};

START_TEST(a_chart_has_its_words)
{
    static const char *const common[] = {"Heights", "of four", "north", "south", HEBREW};
    struct mr_pdf_chart chart = bars;

    chart.kind = (enum mr_pdf_chart_kind)_i;
    start();
    mr_pdf_chart(pdf, &chart);
    struct mr_buf text = finish_and_ask("pdftotext -layout", "-");
    for (size_t i = 0; i < MR_COUNT(common); i++)
        ck_assert_msg(strstr(text.at, common[i]) != NULL, "no \"%s\" in %s", common[i],
                      text.at);
    if (chart.kind == MR_PDF_PIE) {
        ck_assert_ptr_nonnull(
            strstr(text.at, "99.6 %")); /* of 1205; what is below 0 has no part */
    } else {
        ck_assert_ptr_nonnull(strstr(text.at, "beta"));
        ck_assert_ptr_nonnull(strstr(text.at, "1500"));
        ck_assert_ptr_nonnull(strstr(text.at, "-500"));
    }
    mr_buf_fini(&text);
    stop();
}
END_TEST

/* How many of a page's pixels have the first series' colour, at 50 to the inch. */
static unsigned blue_pixels(const struct mr_buf *ppm)
{
    unsigned width, height, n = 0;
    int head;

    ck_assert_int_eq(sscanf(ppm->at, "P6\n%u %u\n255%n", &width, &height, &head), 2);
    const unsigned char *at = (const unsigned char *)ppm->at + ++head;
    ck_assert_uint_eq(ppm->len, (size_t)head + 3 * width * height);
    for (unsigned i = 0; i < width * height; i++, at += 3)
        n += at[0] < 40 && at[1] > 80 && at[1] < 150 && at[2] > 150 && at[2] < 200;
    return n;
}

START_TEST(twice_as_high_a_bar_has_twice_the_ink)
{
    static const double one[] = {100, 100, 100, 100}, half[] = {50, 100, 50, 0};
    const double *shown[] = {_i == 0 ? one : half};
    struct mr_pdf_chart chart = bars;

    chart.values = shown;
    chart.n_series = 1;
    start();
    mr_pdf_chart(pdf, &chart);
    struct mr_buf ppm = finish_and_ask("pdftoppm -r 50", "");
    unsigned n = blue_pixels(&ppm);
    /* 75 % of 429 pt by some 188 pt for four full bars: about 29,000 of them. */
    ck_assert_msg(_i == 0 ? n > 26000 && n < 32000 : n > 13000 && n < 16000, "%u pixels", n);
    mr_buf_fini(&ppm);
    stop();
}
END_TEST

static const struct {
    double span;
    unsigned n;
    double step;
} steps[] = {
    {1,       5, 0.2  },
    {100,     5, 20   },
    {101,     5, 50   },
    {0.0037,  5, 0.001},
    {7e6,     7, 1e6  },
    {7.1e6,   7, 2e6  },
    {9.99e15, 1, 1e16 },
};

START_TEST(marks_stand_at_round_numbers)
{
    double step = mr_pdf_nice_step(steps[_i].span, steps[_i].n);

    ck_assert_double_eq_tol(step / steps[_i].step, 1, 1e-9);
}
END_TEST

static const double extremes[][4] = {
    {0,        0,      0,   0  },
    {NAN,      NAN,    NAN, NAN},
    {1e300,    -1e300, 0,   1  },
    {HUGE_VAL, 1,      2,   3  },
    {1e-300,   0,      0,   0  },
};

START_TEST(no_number_breaks_a_chart)
{
    const double *shown[] = {extremes[_i]};
    struct mr_pdf_chart chart = bars;

    start();
    chart.values = shown;
    chart.n_series = 1;
    for (int kind = MR_PDF_BARS; kind <= MR_PDF_PIE; kind++) {
        chart.kind = (enum mr_pdf_chart_kind)kind;
        mr_pdf_chart(pdf, &chart);
    }
    chart.n_points = 0;
    mr_pdf_chart(pdf, &chart);
    struct mr_buf text = finish_and_ask("pdftotext", "-");
    ck_assert_ptr_nonnull(strstr(text.at, "Heights"));
    mr_buf_fini(&text);
    stop();
}
END_TEST

START_TEST(too_many_series_are_refused)
{
    struct mr_pdf_chart chart = bars;

    start();
    chart.n_series = MR_PDF_SERIES_MAX + 1;
    mr_pdf_chart(pdf, &chart);
    ck_assert_int_eq(mr_pdf_fault(pdf, &err), MR_EINVAL);
    ck_assert_int_eq(mr_pdf_finish(pdf, &err), MR_EINVAL);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_chart_has_its_words,                 3                 },
        {twice_as_high_a_bar_has_twice_the_ink, 2                 },
        {marks_stand_at_round_numbers,          MR_COUNT(steps)   },
        {no_number_breaks_a_chart,              MR_COUNT(extremes)},
        {too_many_series_are_refused,           0                 },
    };

    return mr_suite_run("pdf_chart", tests);
}
