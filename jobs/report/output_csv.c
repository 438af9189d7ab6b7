/* CSV, as RFC 4180 has it, with the formats of its columns. */
#include "jobs/report/output.h"
#include "jobs/services/csv.h"
#include "proto/base/mem.h"

#include <stdlib.h>

struct csv {
    struct mr_output output;
    char separator;
    struct mr_csv_field *fields; /* of the line at hand */
    struct mr_buf *texts;        /* of the fields that have a format */
    struct mr_buf line;
};

static enum mr_code open_csv(const struct mr_output_plan *plan, struct mr_output **out,
                             struct mr_err *err)
{
    static const char separators[] = {
        [MR_SEPARATOR_COMMA] = ',', [MR_SEPARATOR_SEMICOLON] = ';', [MR_SEPARATOR_TAB] = '\t'};
    struct csv *csv = mr_zalloc(sizeof(*csv));
    unsigned n = plan->report->n_columns;

    (void)err;
    csv->separator = separators[plan->report->separator];
    csv->fields = mr_zalloc_array(n, sizeof(*csv->fields));
    csv->texts = mr_zalloc_array(n, sizeof(*csv->texts));
    *out = &csv->output;
    return MR_OK;
}

static enum mr_code write_line(struct csv *csv, struct mr_err *err)
{
    mr_csv_row(&csv->line, csv->separator, csv->fields, csv->output.plan.report->n_columns);
    enum mr_code code = mr_pipe_write(csv->output.plan.pipe, csv->line.at, csv->line.len, err);
    mr_buf_clear(&csv->line);
    return code;
}

static enum mr_code write_titles(struct mr_output *self, struct mr_err *err)
{
    struct csv *csv = MR_CONTAINER(self, struct csv, output);
    const struct mr_report *report = self->plan.report;

    if (report->bom)
        mr_buf_text(&csv->line, "\xef\xbb\xbf");
    for (unsigned i = 0; i < report->n_columns; i++)
        csv->fields[i] =
            (struct mr_csv_field){.bytes = mr_bytes_of(mr_column_title(&report->columns[i]))};
    return write_line(csv, err);
}

static struct mr_csv_field field_of(struct csv *csv, unsigned i, const struct mr_cell *cell)
{
    const struct mr_report_column *column = &csv->output.plan.report->columns[i];
    bool number = mr_report_type_is_number(cell->type);

    if (mr_cell_is_plain(column, cell))
        return (struct mr_csv_field){cell->bytes, number ? MR_CSV_NUMBER : MR_CSV_TEXT};
    mr_buf_clear(&csv->texts[i]);
    mr_cell_print(column, cell, &csv->texts[i]);
    return (struct mr_csv_field){
        {csv->texts[i].at, csv->texts[i].len},
        number ? MR_CSV_FORMATTED : MR_CSV_TEXT
    };
}

static enum mr_code add_line(struct mr_output *self, const struct mr_line *line,
                             struct mr_err *err)
{
    struct csv *csv = MR_CONTAINER(self, struct csv, output);

    for (unsigned i = 0; i < self->plan.report->n_columns; i++) {
        struct mr_cell cell = mr_line_cell(line, i);

        csv->fields[i] = field_of(csv, i, &cell);
    }
    return write_line(csv, err);
}

static enum mr_code finish_csv(struct mr_output *self, const struct mr_chart_points *points,
                               struct mr_err *err)
{
    (void)self;
    (void)points;
    (void)err;
    return MR_OK;
}

static void close_csv(struct mr_output *self)
{
    struct csv *csv = MR_CONTAINER(self, struct csv, output);

    for (unsigned i = 0; i < self->plan.report->n_columns; i++)
        mr_buf_fini(&csv->texts[i]);
    free(csv->texts);
    free(csv->fields);
    mr_buf_fini(&csv->line);
    free(csv);
}

const struct mr_output_kind mr_output_csv = {
    .suffix = ".csv",
    .open = open_csv,
    .titles = write_titles,
    .line = add_line,
    .finish = finish_csv,
    .close = close_csv,
};
