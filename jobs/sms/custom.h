/* A provider whose API the configuration describes: requests out of templates, answers read by rules. */
#ifndef MR_JOBS_SMS_CUSTOM_H
#define MR_JOBS_SMS_CUSTOM_H

#include "jobs/sms/posting.h"
#include "jobs/sms/reply.h"

struct mr_custom;

/*
 * Reads {method, url, headers, format, body, ok, ok_when, refused, refused_when, id, code} of options, which it borrows. section stands in
 * messages. MR_EFAULT: a template or a header is wrong; err names the option, line and column.
 */
enum mr_code mr_custom_new(const json_t *options, const char *section, struct mr_custom **out,
                           struct mr_err *err);
void mr_custom_free(struct mr_custom *custom);

/* sender stands for {{from}}. MR_EINVAL: a value does not fit where a template puts it. */
enum mr_code mr_custom_write(const struct mr_custom *custom, const struct mr_order *order,
                             const char *sender, struct mr_posting *out, struct mr_err *err);
void mr_custom_read(const struct mr_custom *custom, const struct mr_http_answer *answer,
                    const struct mr_reply_context *context, struct mr_reply *out);

#endif
