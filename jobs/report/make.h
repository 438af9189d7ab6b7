/* A report's file is made: its statement runs, the rows become lines, and the file is kept whole or not at all. */
#ifndef MR_JOBS_REPORT_MAKE_H
#define MR_JOBS_REPORT_MAKE_H

#include "jobs/report/request.h"
#include "jobs/services/storage.h"

struct mr_mysql;
struct mr_pdf_press;

/* What reports are made with; all borrowed. */
struct mr_workshop {
    struct mr_mysql *mysql;
    struct mr_storage *storage;
    struct mr_pdf_press *press;
    const char *dir, *tmpdir;
    uint64_t max_rows, max_bytes; /* where a definition says nothing */
};

struct mr_made {
    uint64_t rows;
    struct mr_storage_kept kept;
    bool begun; /* the database has been asked for the report */
};

/*
 * n_guess: how many rows it had the last time, 0 when nobody knows; for the job's progress. Codes as mr_mysql_read and mr_storage_keep; MR_EINVAL: the
 * statement's result is not what the definition says, or over a cap. out->begun is set also when it fails.
 */
enum mr_code mr_report_make(const struct mr_workshop *shop, struct mr_job *job,
                            const struct mr_request *request, uint64_t n_guess,
                            struct mr_made *out, struct mr_err *err);

#endif
