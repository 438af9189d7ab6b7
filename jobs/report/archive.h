/* Old rows move from one table to another, batch by batch: each batch in one transaction, so that a row is always in exactly one of them. */
#ifndef MR_JOBS_REPORT_ARCHIVE_H
#define MR_JOBS_REPORT_ARCHIVE_H

#include "jobs/report/definition.h"

struct mr_job;
struct mr_mysql;

struct mr_archived {
    uint64_t rows; /* moved by this attempt; those of all stand in report_runs.row_count */
    bool begun;    /* the database was asked */
    bool more;     /* the job's time is nearly over, and old rows are left: to be continued */
};

/*
 * Moves what is older than archive says, at the write host; each batch counts itself in row_count of uuid's row of report_runs, within its
 * transaction. Interrupted at any place, it goes on when it is called again. Codes as mr_mysql_transact; MR_EFAULT also as mr_archive_look; MR_EINVAL: a row
 * is in the archive already. timeout_ms: of a statement; 0: the configuration's. out counts also when it fails.
 */
enum mr_code mr_archive_move(struct mr_mysql *mysql, struct mr_job *job,
                             const struct mr_report_archive *archive, const char *uuid,
                             uint64_t timeout_ms, struct mr_archived *out, struct mr_err *err);

#endif
