/*
 * The payment provider's API, in Stripe's shape: asks for one charge or refund, or looks it up.
 *
 * The job's uuid is the provider's idempotency key and stands in the metadata: asked again under the same key the provider repeats
 * its answer and does nothing, and once it has forgotten the key the metadata still find what was done.
 */
#ifndef MR_JOBS_BILLING_PAYMENT_H
#define MR_JOBS_BILLING_PAYMENT_H

#include "jobs/billing/payment_answer.h"

/* Where it is; strings are borrowed. */
struct mr_payment_provider {
    struct mr_http_client *http;
    char *url; /* of its API: ".../v1" */
    const char *key, *ca_file;
    unsigned connections;
    struct mr_http_limits limits;
    uint64_t timeout_ms;
};

/* Blocks; on a thread, holding nothing that others wait for. */
void mr_payment_ask(const struct mr_payment_provider *provider,
                    const struct mr_payment *payment, struct mr_job *job,
                    struct mr_payment_answer *out);
void mr_payment_look_up(const struct mr_payment_provider *provider,
                        const struct mr_payment *payment, struct mr_job *job,
                        struct mr_payment_answer *out);

#endif
