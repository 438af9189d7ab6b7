/* What workerctl doctor found, one row a check. */
#ifndef MR_OPS_FINDINGS_H
#define MR_OPS_FINDINGS_H

#include <jansson.h>

enum mr_grade { MR_GRADE_OK, MR_GRADE_WARN, MR_GRADE_FAIL };

struct mr_findings {
    json_t *rows; /* {"check", "grade", "detail"} */
    enum mr_grade worst;
};

/* format makes the detail; its first line counts. */
void mr_findings_add(struct mr_findings *findings, const char *check, enum mr_grade grade,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
