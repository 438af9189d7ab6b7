/* The mails of dunning: jobs email.send with a template of the house, each under a name that lets it come once. */
#ifndef MR_JOBS_BILLING_NOTICE_H
#define MR_JOBS_BILLING_NOTICE_H

#include "jobs/billing/subscription.h"
#include "jobs/billing/terms.h"
#include "worker/handler.h"

/* Strings are borrowed from the configuration; NULL: no such mail. */
struct mr_notice {
    const char *refused, *suspended; /* billing.dunning_mail, billing.suspended_mail */
    struct mr_terms terms;
};

/* MR_EINVAL: what is wrong in "billing", or a template that is not in templates.dir. The caller ends out with mr_notice_fini. */
enum mr_code mr_notice_read(struct mr_host *host, struct mr_notice *out, struct mr_err *err);
void mr_notice_fini(struct mr_notice *notice);

/* MR_EINVAL unless the template of this name, which may be NULL, is in templates.dir; option says who names it. */
enum mr_code mr_notice_check_template(struct mr_host *host, const char *name,
                                      const char *option, struct mr_err *err);

/* What a mail tells; borrowed. */
struct mr_notice_of {
    const char *subscription;
    const struct mr_period *period;
    unsigned step;
    const char *uuid;  /* of the step; the mail's has ".mail" behind it */
    int64_t next_at_s; /* the next charge, where one follows; unix time */
};

/* Pushes it, unless it is not configured or the customer has no address. Codes are those of the database and of mr_job_push. */
enum mr_code mr_notice_push(const struct mr_notice *notice, struct mr_mysql *mysql,
                            struct mr_job *job, enum mr_dunning_mail mail,
                            const struct mr_notice_of *about, struct mr_err *err);

#endif
