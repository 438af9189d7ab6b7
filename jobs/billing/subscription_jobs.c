#include "jobs/billing/subscription_jobs.h"

/* Takes data. */
static enum mr_code push(struct mr_job *job, const char *name, const char *uuid, json_t *data,
                         int64_t in_s, struct mr_err *err)
{
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
    char uuid[MR_SUBSCRIPTION_UUID];

    mr_subscription_renew_uuid(id, day, uuid);
    return push(job, "billing.renew", uuid,
                json_pack("{s:s, s:s}", "subscription", id, "period", day), 0, err);
}

enum mr_code mr_subscription_push_dun(struct mr_job *job, const char *id, const char *start,
                                      unsigned step, int64_t in_s, struct mr_err *err)
{
    char uuid[MR_SUBSCRIPTION_UUID];

    mr_subscription_dun_uuid(id, start, step, uuid);
    return push(
        job, "billing.dun", uuid,
        json_pack("{s:s, s:s, s:i}", "subscription", id, "period", start, "step", (int)step),
        in_s, err);
}
