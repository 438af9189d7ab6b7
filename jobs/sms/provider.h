/* The providers of one channel, in the order in which they are asked: what each is told, and what its answer says. */
#ifndef MR_JOBS_SMS_PROVIDER_H
#define MR_JOBS_SMS_PROVIDER_H

#include "jobs/sms/custom.h"
#include "jobs/sms/posting.h"
#include "jobs/sms/reply.h"

/* Strings are borrowed from options, but section and url. */
struct mr_provider {
    const char *name;         /* in logs and in millrace_notifications: "default", "acme" */
    char *section;            /* of its options, for people: "sms", "sms.providers.acme" */
    json_t *options;          /* its own, and those that it has from sms */
    const char *from;         /* its own sender on this channel; NULL: the message's */
    const char *prefix;       /* before numbers, as Twilio wants it: "" or "whatsapp:" */
    char *url;                /* of Twilio's shape */
    struct mr_custom *custom; /* NULL: of Twilio's shape */
    const char *account, *token, *ca_file;
    unsigned connections;
    uint64_t timeout_ms;
    struct mr_http_limits limits;
};

struct mr_providers {
    struct mr_provider *at;
    unsigned n;
};

/*
 * Those that carry channel ("sms", "whatsapp"), out of the section sms, which must outlive them. MR_EINVAL: there is none; MR_EFAULT: one of them is
 * wrong. err names the option.
 */
enum mr_code mr_providers_read(json_t *sms, const char *channel, struct mr_providers *out,
                               struct mr_err *err);
void mr_providers_fini(struct mr_providers *providers);
/* By its name; n when there is none. */
unsigned mr_providers_find(const struct mr_providers *providers, const char *name);

/* Who a message comes from when this provider sends it: borrowed. */
const char *mr_provider_sender(const struct mr_provider *provider,
                               const struct mr_message *message);
/* out is the caller's to fini, also on failure. MR_EINVAL: a value does not fit into the provider's template. */
enum mr_code mr_provider_write(const struct mr_provider *provider, const struct mr_order *order,
                               struct mr_posting *out, struct mr_err *err);
void mr_provider_read(const struct mr_provider *provider, const struct mr_http_answer *answer,
                      const struct mr_message *message, struct mr_reply *out);

#endif
