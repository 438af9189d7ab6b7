/* What a report is: its statement, parameters, columns and limits, as <reports.dir>/<name>.yaml says them. Pure. */
#ifndef MR_JOBS_REPORT_DEFINITION_H
#define MR_JOBS_REPORT_DEFINITION_H

#include "jobs/report/params.h"
#include "jobs/report/statement.h"
#include "proto/config_errors.h"

#include <stddef.h>
#include <stdint.h>

struct mr_report_column {
    char *name;  /* as the result calls it */
    char *title; /* in the file's first row; NULL: the name */
    enum mr_report_type type;
};

struct mr_report {
    char *origin; /* its file, for messages */
    char *title;  /* for people, in the log; NULL: none */
    struct mr_statement statement;
    unsigned *bound; /* the parameter of each of the statement's places */
    struct mr_param *params;
    unsigned n_params;
    struct mr_report_column *columns; /* in the order of the file */
    unsigned n_columns;
    uint64_t max_rows, max_bytes, timeout_ms; /* 0: the configuration's */
};

/*
 * Reads a definition; origin ("reports/sales.yaml") is borrowed for the errors. MR_EINVAL: all that is wrong with it is in errors, each
 * with its place; out is untouched.
 */
enum mr_code mr_report_parse(const char *bytes, size_t len, const char *origin,
                             struct mr_report *out, struct mr_config_errors *errors);
void mr_report_fini(struct mr_report *report);

#endif
