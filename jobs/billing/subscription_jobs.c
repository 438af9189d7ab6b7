#include "jobs/billing/subscription_jobs.h"

#include "jobs/billing/books.h"
#include "proto/base/random.h"

#include <stdio.h>
#include <string.h>

const char *mr_subscription_by(const struct mr_job *job)
{
    const char *uuid = mr_job_uuid(job);

    return mr_books_check_uuid(uuid, NULL) == MR_OK ? uuid : "";
}

bool mr_subscription_is_by(const struct mr_job *job, const char *by)
{
    return by && strcmp(by, mr_subscription_by(job)) == 0;
}

/* what is the name of the period or step. Takes data. */
static enum mr_code push(struct mr_job *job, const char *name, const char *what, json_t *data,
                         int64_t in_s, struct mr_err *err)
{
    char uuid[MR_SUBSCRIPTION_UUID + 10];
    uint32_t chance = 0;

    mr_random_bytes(&chance, sizeof(chance));
    snprintf(uuid, sizeof(uuid), "%s-%06x", what, (unsigned)chance & 0xffffff);
    const struct mr_push push = {.job = name,
                                 .uuid = uuid,
                                 .data = data,
                                 .delay_ms = in_s > 0 ? (uint64_t)in_s * 1000 : 0};
    enum mr_code code = mr_job_push(job, &push, err);

    json_decref(data);
    return code;
}

enum mr_code mr_subscription_push_renew(struct mr_job *job, const char *id, const char *day,
                                        struct mr_err *err)
{
    char what[MR_SUBSCRIPTION_UUID];

    mr_subscription_renew_uuid(id, day, what);
    return push(job, "billing.renew", what,
                json_pack("{s:s, s:s}", "subscription", id, "period", day), 0, err);
}

enum mr_code mr_subscription_push_dun(struct mr_job *job, const char *id, const char *start,
                                      unsigned step, int64_t in_s, struct mr_err *err)
{
    char what[MR_SUBSCRIPTION_UUID];

    mr_subscription_dun_uuid(id, start, step, what);
    return push(
        job, "billing.dun", what,
        json_pack("{s:s, s:s, s:i}", "subscription", id, "period", start, "step", (int)step),
        in_s, err);
}
