/* The forms a report's file can have: lines of cells go in, one after the other, bytes come out. */
#ifndef MR_JOBS_REPORT_OUTPUT_H
#define MR_JOBS_REPORT_OUTPUT_H

#include "jobs/report/definition.h"
#include "jobs/report/format.h"
#include "jobs/report/pipe.h"

struct mr_chart_points;
struct mr_output;
struct mr_pdf_press;

/* What a line is. A subtotal's level counts from 1, the outermost group. */
struct mr_line {
    enum { MR_LINE_ROW, MR_LINE_SUBTOTAL, MR_LINE_TOTAL } kind;
    unsigned level;
    const struct mr_cell *cells; /* of the definition's columns, in their order */
    struct mr_bytes label;       /* of a total row, for people; at NULL: none */
    unsigned label_at;           /* the column in whose place it stands */
};

/* What stands in column i for people. */
struct mr_cell mr_line_cell(const struct mr_line *line, unsigned i);

/* What an output is made for; all borrowed for its life. */
struct mr_output_plan {
    const struct mr_report *report;
    struct mr_pipe *pipe;
    struct mr_pdf_press *press; /* for PDF */
    const char *tmpdir;         /* for XLSX: pieces of the file until it is whole */
    const char *name;           /* of the report, where its definition has no title */
    uint64_t made_at_ms;        /* unix time */
};

/* One form. self begins with a struct mr_output. */
struct mr_output_kind {
    const char *suffix; /* ".csv" */
    enum mr_code (*open)(const struct mr_output_plan *plan, struct mr_output **out,
                         struct mr_err *err);
    enum mr_code (*titles)(struct mr_output *self, struct mr_err *err);
    enum mr_code (*line)(struct mr_output *self, const struct mr_line *line,
                         struct mr_err *err);
    enum mr_code (*finish)(struct mr_output *self, const struct mr_chart_points *points,
                           struct mr_err *err);
    void (*close)(struct mr_output *self);
};

struct mr_output {
    const struct mr_output_kind *kind;
    struct mr_output_plan plan;
};

extern const struct mr_output_kind mr_output_csv, mr_output_jsonl, mr_output_xlsx,
    mr_output_pdf;
const struct mr_output_kind *mr_output_kind_of(enum mr_report_format format);

enum mr_code mr_output_open(enum mr_report_format format, const struct mr_output_plan *plan,
                            struct mr_output **out, struct mr_err *err);
/* Once, before the first line. */
enum mr_code mr_output_titles(struct mr_output *output, struct mr_err *err);
/* MR_EINVAL: this form has no room for it; else as the pipe fails. */
enum mr_code mr_output_line(struct mr_output *output, const struct mr_line *line,
                            struct mr_err *err);
/* The end of the file, with the report's charts where this form has them; points has one for each of them. */
enum mr_code mr_output_finish(struct mr_output *output, const struct mr_chart_points *points,
                              struct mr_err *err);
/* Finished or not. NULL is accepted. */
void mr_output_close(struct mr_output *output);

#endif
