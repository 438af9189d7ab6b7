/* PDF: a title, a table over as many pages as it needs, and the charts behind it. */
#include "jobs/report/output.h"
#include "jobs/report/points.h"
#include "jobs/services/pdf_chart.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_GAP_PT = 6, CHART_GAP_PT = 18 };

struct paper {
    struct mr_output output;
    struct mr_pdf *pdf;
    struct mr_buf *texts; /* of the line at hand */
    const char **cells;
};

static enum mr_code write_bytes(void *arg, const void *bytes, size_t len, struct mr_err *err)
{
    return mr_pipe_write(arg, bytes, len, err);
}

static enum mr_code open_paper(const struct mr_output_plan *plan, struct mr_output **out,
                               struct mr_err *err)
{
    const struct mr_report *report = plan->report;
    const struct mr_pdf_about about = {.title = report->title ? report->title : plan->name,
                                       .made_at_ms = plan->made_at_ms};
    struct mr_pdf *pdf = NULL;
    enum mr_code code = mr_pdf_new(plan->press, &about, write_bytes, plan->pipe, &pdf, err);

    if (code != MR_OK)
        return code;
    struct paper *paper = mr_zalloc(sizeof(*paper));
    paper->pdf = pdf;
    paper->texts = mr_zalloc_array(report->n_columns, sizeof(*paper->texts));
    paper->cells = mr_zalloc_array(report->n_columns, sizeof(*paper->cells));
    mr_pdf_text(pdf, MR_PDF_TITLE, about.title);
    mr_pdf_gap(pdf, HEAD_GAP_PT);
    *out = &paper->output;
    return MR_OK;
}

/* What a column of a usual length needs; a number in the bold digits of a total row. 0: a text, which takes what there is. */
static double wanted_pt(const struct mr_report_column *column)
{
    static const double letter_pt = 5.2, digit_pt = 6.4, padding_pt = 6;

    if (column->type == MR_REPORT_TEXT)
        return 0;
    return mr_column_width(column) * (mr_column_is_number(column) ? digit_pt : letter_pt) +
           padding_pt;
}

/* Where not all get what they need, all get as much less of it; where that would be too little, they share. */
static void set_widths(const struct mr_report *report, struct mr_pdf_column *columns)
{
    static const double least_of_text_pt = 45, all_pt = 481, least_part = 0.8;
    double wanted = 0, left = all_pt;

    for (unsigned i = 0; i < report->n_columns; i++) {
        columns[i].share = mr_column_width(&report->columns[i]);
        columns[i].width_pt = wanted_pt(&report->columns[i]);
        wanted += columns[i].width_pt;
        left -= report->columns[i].type == MR_REPORT_TEXT ? least_of_text_pt : 0;
    }
    double part = wanted > left ? left / wanted : 1;
    for (unsigned i = 0; i < report->n_columns; i++)
        columns[i].width_pt *= part < least_part ? 0 : part;
}

static enum mr_code begin_table(struct mr_output *self, struct mr_err *err)
{
    struct paper *paper = MR_CONTAINER(self, struct paper, output);
    const struct mr_report *report = self->plan.report;
    struct mr_pdf_column *columns = mr_zalloc_array(report->n_columns, sizeof(*columns));

    for (unsigned i = 0; i < report->n_columns; i++) {
        columns[i].head = mr_column_title(&report->columns[i]);
        columns[i].align =
            mr_column_is_number(&report->columns[i]) ? MR_PDF_RIGHT : MR_PDF_LEFT;
    }
    set_widths(report, columns);
    mr_pdf_table_begin(paper->pdf, columns, report->n_columns);
    free(columns);
    return mr_pdf_fault(paper->pdf, err);
}

static enum mr_code add_row(struct mr_output *self, const struct mr_line *line,
                            struct mr_err *err)
{
    struct paper *paper = MR_CONTAINER(self, struct paper, output);
    const struct mr_report *report = self->plan.report;

    for (unsigned i = 0; i < report->n_columns; i++) {
        struct mr_cell cell = mr_line_cell(line, i);

        mr_buf_clear(&paper->texts[i]);
        mr_buf_add(&paper->texts[i], "", 0);
        mr_cell_print(&report->columns[i], &cell, &paper->texts[i]);
        paper->cells[i] = paper->texts[i].at;
    }
    mr_pdf_row(paper->pdf, line->kind == MR_LINE_ROW ? MR_PDF_NORMAL : MR_PDF_BOLD,
               paper->cells);
    return mr_pdf_fault(paper->pdf, err);
}

/* What a chart leaves out, so that nobody takes the part for the whole. */
static char *note_of(const struct mr_chart_points *points)
{
    bool all = points->n_offered <= points->n || points->chart->kind == MR_CHART_PIE;

    return all ? NULL : mr_asprintf("1\xe2\x80\x93%u / %" PRIu64, points->n, points->n_offered);
}

/* A pie has one more slice, for what had no room. */
static void put_chart(struct mr_pdf *pdf, const struct mr_chart_points *points)
{
    static const enum mr_pdf_chart_kind kinds[] = {[MR_CHART_BAR] = MR_PDF_BARS,
                                                   [MR_CHART_LINE] = MR_PDF_LINES,
                                                   [MR_CHART_PIE] = MR_PDF_PIE};
    const struct mr_report_chart *plan = points->chart;
    const char *series[MR_CHART_SERIES_MAX];
    bool rest = plan->kind == MR_CHART_PIE && points->n_offered > points->n;
    char *note = note_of(points);

    for (unsigned k = 0; k < plan->n_y; k++)
        series[k] = mr_column_title(&points->report->columns[plan->y_at[k]]);
    if (rest) {
        points->labels[points->n] = (char *)(uintptr_t) "\xe2\x80\xa6";
        points->values[0][points->n] = points->rest;
    }
    const struct mr_pdf_chart chart = {kinds[plan->kind],
                                       plan->title ? plan->title : plan->name,
                                       note,
                                       (const char *const *)points->labels,
                                       series,
                                       (const double *const *)points->values,
                                       points->n + rest,
                                       plan->n_y};
    mr_pdf_chart(pdf, &chart);
    free(note);
}

static enum mr_code finish_paper(struct mr_output *self, const struct mr_chart_points *points,
                                 struct mr_err *err)
{
    struct paper *paper = MR_CONTAINER(self, struct paper, output);
    struct mr_pdf *pdf = paper->pdf;

    mr_pdf_table_end(pdf);
    mr_pdf_gap(pdf, CHART_GAP_PT);
    for (unsigned i = 0; i < self->plan.report->n_charts; i++)
        put_chart(pdf, &points[i]);
    paper->pdf = NULL;
    return mr_pdf_finish(pdf, err);
}

static void close_paper(struct mr_output *self)
{
    struct paper *paper = MR_CONTAINER(self, struct paper, output);

    mr_pdf_drop(paper->pdf);
    for (unsigned i = 0; i < self->plan.report->n_columns; i++)
        mr_buf_fini(&paper->texts[i]);
    free(paper->texts);
    free(paper->cells);
    free(paper);
}

const struct mr_output_kind mr_output_pdf = {
    .suffix = ".pdf",
    .open = open_paper,
    .titles = begin_table,
    .line = add_row,
    .finish = finish_paper,
    .close = close_paper,
};
