/* The recipients that a mail did not reach, while it reached others: jobs of their own, so that nobody gets it twice. */
#ifndef MR_JOBS_EMAIL_REST_H
#define MR_JOBS_EMAIL_REST_H

#include "jobs/email/transfer.h"
#include "proto/base/err.h"

#include <jansson.h>

struct mr_job;

/*
 * data.only, which such a job has and no producer writes: mail is the uuid that names the mail, to the addresses that are still to be
 * served. Borrowed from data.
 */
struct mr_rest_only {
    const char *mail;
    json_t *to; /* NULL: everybody */
};

/* MR_EINVAL: what is wrong with it. Without data.only, mail is uuid. */
enum mr_code mr_rest_read(json_t *data, const char *uuid, struct mr_rest_only *out,
                          struct mr_err *err);
/* Those of the n recipients whom only names, first; how many they are. The others stay behind them. */
unsigned mr_rest_choose(const struct mr_rest_only *only, char **recipients, unsigned n);

/*
 * Pushes one job for those who are refused for now, after again_ms, and one for those who are refused for good: it asks once more, alone,
 * and ends among the dead letters, where a person finds it. Their uuids follow from job's. MR_EINVAL: one could not be pushed.
 */
enum mr_code mr_rest_push(struct mr_job *job, json_t *data, const struct mr_rest_only *only,
                          const struct mr_smtp_mail *mail, const struct mr_smtp_result *result,
                          uint64_t again_ms, struct mr_err *err);

#endif
