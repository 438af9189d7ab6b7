/* A chart from outside: copied, and given its place among a document's blocks. */
#include "jobs/services/pdf_chart.h"

#include "jobs/services/pdf_chart_own.h"
#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double mr_pdf_nice_step(double span, unsigned n)
{
    static const double nice[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(span / n)));

    for (size_t i = 0; i < MR_COUNT(nice); i++)
        if (span / (nice[i] * power) <= n)
            return nice[i] * power;
    return 10 * power;
}

static void copy_texts(char *out[], const char *const *texts, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = mr_pdf_clean(texts[i]);
}

static struct mr_pdf_picture *copy(const struct mr_pdf_chart *chart)
{
    struct mr_pdf_picture *picture = mr_zalloc(sizeof(*picture));

    picture->kind = chart->kind;
    picture->title = chart->title ? mr_pdf_clean(chart->title) : NULL;
    picture->note = chart->note ? mr_pdf_clean(chart->note) : NULL;
    picture->n_points = chart->n_points;
    picture->n_series = chart->n_series;
    picture->labels = mr_zalloc_array(chart->n_points + 1, sizeof(*picture->labels));
    copy_texts(picture->labels, chart->labels, chart->n_points);
    copy_texts(picture->series, chart->series, chart->n_series);
    for (unsigned i = 0; i < chart->n_series; i++) {
        picture->values[i] = mr_zalloc_array(chart->n_points + 1, sizeof(double));
        memcpy(picture->values[i], chart->values[i], chart->n_points * sizeof(double));
    }
    return picture;
}

void mr_pdf_picture_free(struct mr_pdf_picture *picture)
{
    if (!picture)
        return;
    for (unsigned i = 0; i < picture->n_points; i++)
        free(picture->labels[i]);
    for (unsigned i = 0; i < picture->n_series; i++) {
        free(picture->series[i]);
        free(picture->values[i]);
    }
    free(picture->labels);
    free(picture->title);
    free(picture->note);
    free(picture);
}

void mr_pdf_chart(struct mr_pdf *pdf, const struct mr_pdf_chart *chart)
{
    if (pdf->err.code != MR_OK)
        return;
    if (chart->n_points > MR_PDF_POINTS_MAX || chart->n_series == 0 ||
        chart->n_series > MR_PDF_SERIES_MAX) {
        mr_fail(&pdf->err, MR_EINVAL, "a chart has at most %d points and 1 to %d series",
                MR_PDF_POINTS_MAX, MR_PDF_SERIES_MAX);
        return;
    }
    struct mr_pdf_block block = mr_pdf_block_make(0, 0);
    block.picture = copy(chart);
    block.height = MR_PDF_PICTURE_HEIGHT;
    mr_pdf_put_whole(pdf, block, "a chart");
}
