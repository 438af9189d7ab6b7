/* What the house has laid down for every invoice: how it is numbered and dated, and when it is due. The section "billing" of the configuration. */
#ifndef MR_JOBS_BILLING_TERMS_H
#define MR_JOBS_BILLING_TERMS_H

#include "jobs/billing/day.h"

#include <jansson.h>

#define MR_TERMS_NO_DUE (-1)

/* Strings are borrowed from the configuration. */
struct mr_terms {
    const char *series; /* of invoices that name none */
    const char *number; /* how a number is printed, see proto/number_format.h */
    bool yearly;        /* the numbers of each year begin at 1 */
    struct mr_zone *zone;
    int due_days;      /* from the date on; MR_TERMS_NO_DUE: the invoice says nothing of it */
    const char *notes; /* printed below the lines of every invoice; NULL: nothing */
    const char *mail_template,
        *mail_queue;    /* of the mail that brings one; queue NULL: the job's own */
    const char *seller; /* who issues, as printed; NULL: not said */
};

/*
 * section may be NULL: the defaults. MR_EINVAL: what is wrong, with the option's name; start-up has checked all of it already, but
 * what became of the system's time zones. The caller ends out with mr_terms_fini.
 */
enum mr_code mr_terms_read(const json_t *section, struct mr_terms *out, struct mr_err *err);
void mr_terms_fini(struct mr_terms *terms);

#endif
