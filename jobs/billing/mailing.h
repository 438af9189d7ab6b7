/* The mail that brings an invoice: what a job says of it, and the email.send job that it becomes. Knows no database. */
#ifndef MR_JOBS_BILLING_MAILING_H
#define MR_JOBS_BILLING_MAILING_H

#include "jobs/billing/issued.h"
#include "jobs/billing/terms.h"

#include <jansson.h>

/* Strings and vars are borrowed from the job's data; NULL where it does not say. */
struct mr_mailing {
    bool wanted;
    const char *to, *template, *queue;
    json_t *vars;      /* more for the template */
    const char *uuid;  /* of the mail's job; NULL: this job's with ".mail" behind it */
    bool if_addressed; /* a customer without an address gets none, and that is no failure */
};

/* Reads data.mail (true) and data.then ({email: {to?, template?, queue?, vars?}}); neither: it is not wanted. MR_EINVAL: what is wrong, with its place. */
enum mr_code mr_mailing_read(json_t *data, struct mr_mailing *out, struct mr_err *err);
/*
 * The data of the email.send job: to whom, the template and its variables, and the PDF by its key in the storage. A new reference. MR_EINVAL: neither
 * the job nor the customer's row has an address.
 */
enum mr_code mr_mailing_compose(const struct mr_mailing *mailing, const struct mr_terms *terms,
                                const struct mr_issued *issued, json_t **out,
                                struct mr_err *err);

#endif
