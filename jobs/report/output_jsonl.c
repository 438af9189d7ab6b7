/* JSON lines, for programs: an object a row, numbers as numbers with all their digits, days as ISO 8601 has them. */
#include "jobs/report/output.h"
#include "proto/base/mem.h"

#include <stdlib.h>

struct jsonl {
    struct mr_output output;
    struct mr_buf *names; /* "name": */
    struct mr_buf line;
};

static enum mr_code open_jsonl(const struct mr_output_plan *plan, struct mr_output **out,
                               struct mr_err *err)
{
    struct jsonl *jsonl = mr_zalloc(sizeof(*jsonl));
    const struct mr_report *report = plan->report;

    (void)err;
    jsonl->names = mr_zalloc_array(report->n_columns, sizeof(*jsonl->names));
    for (unsigned i = 0; i < report->n_columns; i++) {
        struct mr_bytes name = mr_bytes_of(report->columns[i].name);

        mr_buf_char(&jsonl->names[i], '"');
        mr_buf_json(&jsonl->names[i], name.at, name.len);
        mr_buf_text(&jsonl->names[i], "\":");
    }
    *out = &jsonl->output;
    return MR_OK;
}

static enum mr_code write_titles(struct mr_output *self, struct mr_err *err)
{
    (void)self;
    (void)err;
    return MR_OK;
}

static void add_text(struct mr_buf *out, struct mr_bytes text)
{
    mr_buf_char(out, '"');
    mr_buf_json(out, text.at, text.len);
    mr_buf_char(out, '"');
}

/* A datetime's blank becomes a T; it is UTC, as all of ours is. */
static void add_datetime(struct mr_buf *out, struct mr_bytes text)
{
    enum { AT_BLANK = 10 };

    if (text.len > AT_BLANK)
        mr_buf_printf(out, "\"%.*sT%.*sZ\"", AT_BLANK, text.at, (int)(text.len - AT_BLANK - 1),
                      text.at + AT_BLANK + 1);
    else
        add_text(out, text);
}

static void add_value(struct mr_buf *out, const struct mr_report_column *column,
                      const struct mr_cell *cell)
{
    if (!cell->bytes.at)
        mr_buf_text(out, "null");
    else if (cell->type == MR_REPORT_BOOLEAN)
        mr_buf_text(out, mr_cell_is_true(cell) ? "true" : "false");
    else if (cell->type == MR_REPORT_DATETIME)
        add_datetime(out, cell->bytes);
    else if (!mr_cell_digits(column, cell, out))
        add_text(out, cell->bytes);
}

/* A total row says of which column's group it is; the last one, of none. */
static void add_total(struct mr_buf *out, const struct mr_report *report,
                      const struct mr_line *line)
{
    const char *group =
        line->kind == MR_LINE_SUBTOTAL ? report->columns[line->level - 1].name : "";

    mr_buf_text(out, "\"" MR_REPORT_TOTAL_MEMBER "\":");
    add_text(out, mr_bytes_of(group));
}

static enum mr_code add_line(struct mr_output *self, const struct mr_line *line,
                             struct mr_err *err)
{
    struct jsonl *jsonl = MR_CONTAINER(self, struct jsonl, output);
    const struct mr_report *report = self->plan.report;
    bool comma = line->kind != MR_LINE_ROW;

    mr_buf_clear(&jsonl->line);
    mr_buf_char(&jsonl->line, '{');
    if (comma)
        add_total(&jsonl->line, report, line);
    for (unsigned i = 0; i < report->n_columns; i++) {
        /* A total has the columns that it has values of. */
        if (line->kind != MR_LINE_ROW && !line->cells[i].bytes.at)
            continue;
        if (comma)
            mr_buf_char(&jsonl->line, ',');
        mr_buf_add(&jsonl->line, jsonl->names[i].at, jsonl->names[i].len);
        add_value(&jsonl->line, &report->columns[i], &line->cells[i]);
        comma = true;
    }
    mr_buf_text(&jsonl->line, "}\n");
    return mr_pipe_write(self->plan.pipe, jsonl->line.at, jsonl->line.len, err);
}

static enum mr_code finish_jsonl(struct mr_output *self, const struct mr_chart_points *points,
                                 struct mr_err *err)
{
    (void)self;
    (void)points;
    (void)err;
    return MR_OK;
}

static void close_jsonl(struct mr_output *self)
{
    struct jsonl *jsonl = MR_CONTAINER(self, struct jsonl, output);

    for (unsigned i = 0; i < self->plan.report->n_columns; i++)
        mr_buf_fini(&jsonl->names[i]);
    free(jsonl->names);
    mr_buf_fini(&jsonl->line);
    free(jsonl);
}

const struct mr_output_kind mr_output_jsonl = {
    .suffix = ".jsonl",
    .open = open_jsonl,
    .titles = write_titles,
    .line = add_line,
    .finish = finish_jsonl,
    .close = close_jsonl,
};
