/* What a report is: its statement, parameters, columns, forms and limits, as <reports.dir>/<name>.yaml says them. Pure. */
#ifndef MR_JOBS_REPORT_DEFINITION_H
#define MR_JOBS_REPORT_DEFINITION_H

#include "jobs/report/column.h"
#include "jobs/report/params.h"
#include "jobs/report/pipe.h"
#include "jobs/report/statement.h"
#include "proto/config_errors.h"

#include <stddef.h>
#include <stdint.h>

enum { MR_REPORT_GROUPS_MAX = 4, MR_CHART_SERIES_MAX = 8 };

/* In the order of MR_REPORT_FORMATS. */
enum mr_report_format { MR_FORMAT_CSV, MR_FORMAT_JSONL, MR_FORMAT_XLSX, MR_FORMAT_PDF };
#define MR_REPORT_FORMATS "csv|jsonl|xlsx|pdf"
enum { MR_REPORT_FORMATS_N = 4 };

enum mr_report_separator { MR_SEPARATOR_COMMA, MR_SEPARATOR_SEMICOLON, MR_SEPARATOR_TAB };
#define MR_REPORT_SEPARATORS "comma|semicolon|tab"

/* What a total row of JSON lines says first: of which column's group it is. */
#define MR_REPORT_TOTAL_MEMBER "_total"

enum mr_chart_kind { MR_CHART_BAR, MR_CHART_LINE, MR_CHART_PIE };
#define MR_CHART_KINDS "bar|line|pie"

struct mr_report_chart {
    char *name, *title; /* title NULL: the name */
    enum mr_chart_kind kind;
    char *x;  /* the column that labels its points */
    char **y; /* columns of numbers, a series each; a pie has one */
    unsigned n_y;
    uint64_t max_points;
    unsigned x_at, y_at[MR_CHART_SERIES_MAX]; /* columns */
    unsigned level; /* 0: of all rows; else of the subtotals of this group, from 1 */
};

/* A statement and the parameter of each of its places. */
struct mr_report_query {
    struct mr_statement statement;
    unsigned *bound;
};

enum mr_report_mail_as { MR_MAIL_ATTACHMENT, MR_MAIL_LINK };
#define MR_REPORT_MAIL_AS "attachment|link"

/* The mail that brings the file, unless a job says otherwise. */
struct mr_report_mail {
    char **to;
    unsigned n_to; /* 0: nobody gets one */
    char *subject, *template, *queue;
    enum mr_report_mail_as as;
    uint64_t expires_ms; /* of a link */
};

/* Rows that grew old are moved from one table to another. All NULL and 0: this report reads. */
struct mr_report_archive {
    char *from, *to; /* tables; "shop.calls" */
    char *column;    /* when a row is from */
    char *key;       /* batches are ranges of it */
    uint64_t older_than_ms, batch, pause_ms;
    bool create; /* the table to, where it is missing */
};

struct mr_report {
    char *origin; /* its file, for messages */
    char *title;  /* for people: in the log, in the head of a PDF; NULL: none */
    struct mr_report_query rows,
        count; /* count: how many rows there will be; its sql is NULL when nobody says */
    struct mr_param *params;
    unsigned n_params;
    struct mr_report_column *columns; /* in the order of the file */
    unsigned n_columns;
    enum mr_report_format
        formats[MR_REPORT_FORMATS_N]; /* the first is meant where a job says nothing */
    unsigned n_formats;
    bool bom;                           /* CSV: in front */
    enum mr_report_separator separator; /* CSV */
    enum mr_compress compress;
    char **groups; /* the first columns: a change of one ends its group */
    unsigned n_groups;
    bool total;        /* a last line sums up */
    bool has_totals;   /* some column has one */
    char *total_label; /* "Total" */
    struct mr_report_chart *charts;
    unsigned n_charts;
    struct mr_report_mail mail;
    struct mr_report_archive archive;
    uint64_t max_rows, max_bytes, timeout_ms; /* 0: the configuration's */
};

/*
 * Reads a definition; origin ("reports/sales.yaml") is borrowed for the errors. MR_EINVAL: all that is wrong with it is in errors, each
 * with its place; out is untouched.
 */
enum mr_code mr_report_parse(const char *bytes, size_t len, const char *origin,
                             struct mr_report *out, struct mr_config_errors *errors);
void mr_report_fini(struct mr_report *report);

/* Whether jobs may ask for it. */
bool mr_report_allows(const struct mr_report *report, enum mr_report_format format);
/* "csv"; false when text is none. */
bool mr_report_format_read(const char *text, enum mr_report_format *out);
const char *mr_report_format_word(enum mr_report_format format);

#endif
