/* Reading a definition from inside: what its parts share, a file each. */
#ifndef MR_JOBS_REPORT_DEFINITION_OWN_H
#define MR_JOBS_REPORT_DEFINITION_OWN_H

#include "jobs/report/definition.h"
#include "proto/options.h"
#include "proto/yaml.h"

/* One definition on its way from the document into report. */
struct mr_reading {
    const struct mr_yaml *root;
    struct mr_config_errors *errors;
    struct mr_report *report;
};

/* Where root.group.name.member stands; the nearest that is there. */
struct mr_place mr_reading_place(const struct mr_reading *r, const char *group,
                                 const char *name, const char *member);
bool mr_definition_is_name(
    struct mr_bytes name); /* 1 to 64 of A-Z a-z 0-9 _, no digit in front */
/* The column of that name; false after a complaint, for which member says where it is asked for. */
bool mr_reading_column(struct mr_reading *r, struct mr_place at, const char *member,
                       const char *name, unsigned *out);

/* definition_params.c: the parameters, and the statements that have their names. */
extern const struct mr_option_type mr_definition_params;
void mr_reading_params(struct mr_reading *r, const json_t *entries);
void mr_reading_sql(struct mr_reading *r, const char *sql, const char *count);
void mr_definition_params_fini(struct mr_report *report);

/* definition_charts.c */
extern const struct mr_option_type mr_definition_charts;
void mr_reading_charts(struct mr_reading *r, const json_t *entries);
void mr_definition_charts_fini(struct mr_report *report);

/* definition_archive.c: checks what was read into the report's archive. */
void mr_reading_archive(struct mr_reading *r);

#endif
