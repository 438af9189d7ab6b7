#include "proto/base/err.h"

#include <stdarg.h>
#include <stdio.h>

enum mr_code mr_fail(struct mr_err *err, enum mr_code code, const char *format, ...)
{
    if (err) {
        va_list args;

        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        err->code = code;
    }
    return code;
}

const char *mr_code_name(enum mr_code code)
{
    static const char *const names[] = {
        [MR_OK] = "ok",
        [MR_EINVAL] = "invalid",
        [MR_ENOTFOUND] = "not_found",
        [MR_EEXIST] = "exists",
        [MR_EBUSY] = "busy",
        [MR_EREFUSED] = "refused",
        [MR_EUNKNOWN] = "unknown",
        [MR_ETIMEDOUT] = "timed_out",
        [MR_EFENCED] = "fenced",
        [MR_EFAULT] = "fault",
        [MR_EDOWN] = "down",
        [MR_EIO] = "io",
    };

    return (unsigned)code < sizeof(names) / sizeof(names[0]) ? names[code] : "code?";
}
