/* What a worker knows of one channel: its providers, its limits, and how a message on it is treated. */
#ifndef MR_JOBS_SMS_SERVICE_H
#define MR_JOBS_SMS_SERVICE_H

#include "jobs/services/errands.h"
#include "jobs/services/template_store.h"
#include "jobs/sms/message.h"
#include "jobs/sms/provider.h"
#include "jobs/sms/quota.h"
#include "jobs/sms/record.h"
#include "proto/base/random.h"

struct mr_host;
struct mr_job;

/* What differs between the two kinds of job. */
struct mr_service_kind {
    const char *channel, *from_option;
    bool segments;                    /* the channel is billed by them */
    const char *sent, *sent_segments; /* counters */
};

/* Strings are borrowed from the configuration. */
struct mr_service {
    struct mr_host *host;
    struct mr_http_client *http;
    struct mr_template_store *templates;
    const struct mr_service_kind *kind;
    struct mr_message_channel channel;
    struct mr_providers providers;
    struct mr_quota *per_number,
        *per_sender; /* NULL: as often as one likes, or counted in the record */
    const char *callback, *secret;
    bool hold;                  /* what nobody knows is a person's affair */
    struct mr_mysql *mysql;     /* NULL: no record is kept */
    struct mr_errands *errands; /* for what it does there */
    struct mr_record_policy policy;
    struct mr_random dice;
};

/* Only in a handler's open. err says which option is wrong. */
enum mr_code mr_service_new(struct mr_host *host, const struct mr_service_kind *kind,
                            struct mr_service **out, struct mr_err *err);
void mr_service_free(struct mr_service *service); /* NULL is accepted */

/* What the job asks for; out is the caller's to fini. MR_EINVAL: data is wrong; else a template, which can be mended. */
enum mr_code mr_service_read(const struct mr_service *service, struct mr_job *job,
                             struct mr_message *out, struct mr_err *err);
/* Takes one message out of the quotas of its number and its sender; else how long it has to wait. */
uint64_t mr_service_admit(struct mr_service *service, const struct mr_message *message);
/* Gives back what was taken for a message that nobody took. */
void mr_service_give_back(struct mr_service *service, const struct mr_message *message);

#endif
