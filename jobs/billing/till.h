/* Where money comes in and goes out: the payment provider as configured, and the database that knows of every deal with it. */
#ifndef MR_JOBS_BILLING_TILL_H
#define MR_JOBS_BILLING_TILL_H

#include "jobs/billing/payment.h"
#include "jobs/services/mysql.h"

/* Strings are borrowed from the configuration, but the provider's url. */
struct mr_till {
    struct mr_host *host;
    struct mr_mysql *mysql;
    struct mr_payment_provider provider;
    int64_t key_life_ms; /* so long the provider surely remembers a key */
};

/* The open and close of a handler whose state is a till. */
enum mr_code mr_till_open(struct mr_host *host, void **out_state, struct mr_err *err);
void mr_till_close(void *state);

#endif
