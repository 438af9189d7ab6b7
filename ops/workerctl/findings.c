#include "ops/workerctl/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mr_findings_add(struct mr_findings *findings, const char *check, enum mr_grade grade,
                     const char *format, ...)
{
    static const char *const names[] = {
        [MR_GRADE_OK] = "ok", [MR_GRADE_WARN] = "warn", [MR_GRADE_FAIL] = "fail"};
    char detail[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    detail[strcspn(detail, "\n")] = '\0';
    json_array_append_new(findings->rows,
                          json_pack("{s:s, s:s, s:s%}", "check", check, "grade", names[grade],
                                    "detail", detail, strlen(detail)));
    if (grade > findings->worst)
        findings->worst = grade;
}
