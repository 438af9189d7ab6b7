/* What became of each report, for those who look into the database: its row of report_runs. */
#ifndef MR_JOBS_REPORT_RUNS_H
#define MR_JOBS_REPORT_RUNS_H

#include "jobs/services/mysql.h"

#include <stdint.h>

enum mr_report_state {
    MR_REPORT_RUNNING,
    MR_REPORT_DONE,
    MR_REPORT_FAILED,
    MR_REPORT_CANCELLED
};

/* All texts are borrows. */
struct mr_report_run {
    const char *uuid, *report;
    const char *params;  /* JSON, as the job gave them */
    uint64_t elapsed_ms; /* since this attempt began */
    enum mr_report_state state;
    /* Of the file that is done: */
    const char *place;  /* its key in the storage; NULL: there is none, rows were moved */
    const char *format; /* "csv.gz" */
    const char *sha256;
    uint64_t rows, bytes;
    bool keeps_rows;    /* the row's own count is right: batches of an archive add to it */
    const char *reason; /* why it failed, or was cancelled */
};

/*
 * Writes the row of run's uuid, in a transaction of its own; codes as mr_mysql_transact. A row that says done stays as it is until a
 * newer file is done: that file is there, whatever a repeat comes to. job NULL: also after the job's time is over.
 */
enum mr_code mr_report_run_note(struct mr_mysql *mysql, struct mr_job *job,
                                const struct mr_report_run *run, struct mr_err *err);
/* How many rows this report had the last time with these parameters; 0 when it was never done. */
enum mr_code mr_report_run_rows(struct mr_mysql *mysql, struct mr_job *job, const char *report,
                                const char *params, uint64_t *out, struct mr_err *err);

#endif
