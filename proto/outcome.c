#include "proto/outcome.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REASON_MAX = 1000 };

static const char *const names[] = {
    [MR_OUTCOME_DONE] = "done",
    [MR_OUTCOME_RETRY] = "retry",
    [MR_OUTCOME_RELEASE] = "release",
    [MR_OUTCOME_FAIL] = "fail",
    [MR_OUTCOME_TIMED_OUT] = "timed_out",
    [MR_OUTCOME_REFUSED] = "refused",
    [MR_OUTCOME_NO_HANDLER] = "no_handler",
    [MR_OUTCOME_CRASHED] = "crashed",
    [MR_OUTCOME_SUSPECT] = "suspect",
    [MR_OUTCOME_LOST] = "lost",
    [MR_OUTCOME_HOLD] = "hold",
};

__attribute__((format(printf, 3, 0))) static struct mr_outcome
make(enum mr_outcome_kind kind, int64_t after_ms, const char *format, va_list args)
{
    char text[REASON_MAX + 5]; /* room to see whether the cut falls inside a character */

    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    return (struct mr_outcome){kind, after_ms, mr_strndup(text, mr_str_cut(text, REASON_MAX))};
}

struct mr_outcome mr_outcome_done(void)
{
    return (struct mr_outcome){MR_OUTCOME_DONE, MR_OUTCOME_POLICY, NULL};
}

struct mr_outcome mr_outcome_retry(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct mr_outcome outcome = make(MR_OUTCOME_RETRY, MR_OUTCOME_POLICY, format, args);
    va_end(args);
    return outcome;
}

struct mr_outcome mr_outcome_retry_after(int64_t after_ms, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct mr_outcome outcome = make(MR_OUTCOME_RETRY, after_ms, format, args);
    va_end(args);
    return outcome;
}

struct mr_outcome mr_outcome_release(int64_t after_ms, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct mr_outcome outcome = make(MR_OUTCOME_RELEASE, after_ms, format, args);
    va_end(args);
    return outcome;
}

struct mr_outcome mr_outcome_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct mr_outcome outcome = make(MR_OUTCOME_FAIL, MR_OUTCOME_POLICY, format, args);
    va_end(args);
    return outcome;
}

struct mr_outcome mr_outcome_hold(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct mr_outcome outcome = make(MR_OUTCOME_HOLD, MR_OUTCOME_POLICY, format, args);
    va_end(args);
    return outcome;
}

struct mr_outcome mr_outcome_of(enum mr_outcome_kind kind, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct mr_outcome outcome = make(kind, MR_OUTCOME_POLICY, format, args);
    va_end(args);
    return outcome;
}

void mr_outcome_fini(struct mr_outcome *outcome)
{
    if (!outcome)
        return;
    free(outcome->reason);
    outcome->reason = NULL;
}

const char *mr_outcome_name(enum mr_outcome_kind kind)
{
    return (unsigned)kind < MR_COUNT(names) ? names[kind] : "unknown";
}
