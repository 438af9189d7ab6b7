#include "jobs/report/progress.h"

#include "worker/handler.h"

enum { NEARLY_PCT = 99 };

void mr_report_progress(struct mr_job *job, uint64_t n, uint64_t n_expected)
{
    mr_job_progress_count(job, n);
    if (n_expected == 0)
        return;
    uint64_t pct = n < n_expected ? n * 100 / n_expected : 100;
    mr_job_progress(job, pct < NEARLY_PCT ? (unsigned)pct : NEARLY_PCT);
}
