/* Members of a job's data, taken only as what they must be; otherwise MR_EINVAL, and err says which one, where, and what it must be. */
#ifndef MR_JOBS_BILLING_MEMBER_H
#define MR_JOBS_BILLING_MEMBER_H

#include "jobs/billing/money.h"

#include <jansson.h>
#include <stddef.h>

/* value is NULL where there is no such member; place is "data.lines[3].text", wanted the words after "must be". */
enum mr_code mr_member_wrong(json_t *value, const char *place, const char *wanted,
                             struct mr_err *err);
enum mr_code mr_member_object(json_t *value, const char *place, const char *wanted,
                              struct mr_err *err);
/* 1 to max bytes without control characters; out is borrowed from value. */
enum mr_code mr_member_text(json_t *value, const char *place, size_t max, const char **out,
                            struct mr_err *err);
/* The same where line ends may stand. */
enum mr_code mr_member_lines(json_t *value, const char *place, size_t max, const char **out,
                             struct mr_err *err);
enum mr_code mr_member_whole(json_t *value, const char *place, const char *wanted, int64_t min,
                             int64_t max, int64_t *out, struct mr_err *err);
enum mr_code mr_member_currency(json_t *value, const char *place,
                                const struct mr_currency **out, struct mr_err *err);

#endif
