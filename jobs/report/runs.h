/* What became of each report, for those who look into the database: its row of report_runs. */
#ifndef MR_JOBS_REPORT_RUNS_H
#define MR_JOBS_REPORT_RUNS_H

#include "jobs/services/mysql.h"

#include <stdint.h>

enum mr_report_state { MR_REPORT_RUNNING, MR_REPORT_DONE, MR_REPORT_FAILED };

/* All texts are borrows. */
struct mr_report_run {
    const char *uuid, *report;
    const char *params;  /* JSON, as the job gave them */
    uint64_t elapsed_ms; /* since this attempt began */
    enum mr_report_state state;
    const char *place; /* of the file that is done, its key in the storage */
    uint64_t rows, bytes;
    const char *reason; /* why it failed */
};

/*
 * Writes the row of run's uuid, in a transaction of its own; codes as mr_mysql_transact. A row that says done stays as it is until a
 * newer file is done: that file is there, whatever a repeat comes to.
 */
enum mr_code mr_report_run_note(struct mr_mysql *mysql, struct mr_job *job,
                                const struct mr_report_run *run, struct mr_err *err);

#endif
