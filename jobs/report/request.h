/* What a job asks for: which report, with which values, in which form, under which name. */
#ifndef MR_JOBS_REPORT_REQUEST_H
#define MR_JOBS_REPORT_REQUEST_H

#include "jobs/report/definition.h"
#include "jobs/report/mailing.h"

struct mr_job;

enum { MR_REPORT_UUID_MAX = 64 };

struct mr_request {
    char uuid[MR_REPORT_UUID_MAX +
              1];     /* names the file and the row of report_runs; "": not read so far */
    const char *name; /* of the report; a borrow of the job */
    char *params;     /* JSON, as the job gave them */
    struct mr_report report;
    struct mr_param_value *values; /* of the definition's parameters */
    enum mr_report_format format;
    enum mr_compress compress;
    struct mr_report_mailing mailing;
    char *place; /* the file's key in the storage; NULL: an archive makes none */
};

/*
 * Reads the job and the definition that it names in dir. MR_EINVAL or MR_ENOTFOUND: err names the member, or the definition's line. Also then what
 * was read stands in out, for the record; mr_request_fini frees it in any case.
 */
enum mr_code mr_request_read(struct mr_job *job, const char *dir, struct mr_request *out,
                             struct mr_err *err);
void mr_request_fini(struct mr_request *request);

#endif
