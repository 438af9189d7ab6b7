/* How far a report is, for the live view. */
#ifndef MR_JOBS_REPORT_PROGRESS_H
#define MR_JOBS_REPORT_PROGRESS_H

#include <stdint.h>

struct mr_job;

/* n rows are done, of n_expected, which may be a guess; 0: nobody knows. Only who has ended is at 100 %. */
void mr_report_progress(struct mr_job *job, uint64_t n, uint64_t n_expected);

#endif
