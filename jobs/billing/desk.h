/* Where invoices are made: the database, the terms of the house, and the paper. One per handler that issues them. */
#ifndef MR_JOBS_BILLING_DESK_H
#define MR_JOBS_BILLING_DESK_H

#include "jobs/billing/mailing.h"
#include "jobs/billing/paper.h"
#include "jobs/billing/terms.h"
#include "jobs/services/mysql.h"
#include "worker/handler.h"

struct mr_desk {
    struct mr_host *host;
    struct mr_mysql *mysql;
    struct mr_paper paper;
    struct mr_terms terms;
};

/* For a handler's open, which may call it as it is. Without a place for the PDFs nothing can be issued: MR_EINVAL, as for what is wrong in "billing". */
enum mr_code mr_desk_open(struct mr_host *host, void **out_desk, struct mr_err *err);
void mr_desk_close(void *desk);

/*
 * What follows once an invoice is committed: its PDF is drawn, from what the database has, stored, and recorded, unless that has been done before. Repeat it until
 * it is MR_OK: the invoice stands, its PDF does not. Codes are the storage's and the database's. Blocks, for some milliseconds.
 */
enum mr_code mr_desk_finish(struct mr_desk *desk, struct mr_job *job, const char *uuid,
                            struct mr_err *err);

/*
 * The mail that brings it: an email.send job, put on its queue when, and only when, this job is done; mailing names it. Nothing when none is
 * wanted. After mr_desk_finish. MR_EINVAL: nobody to send it to.
 */
enum mr_code mr_desk_mail(struct mr_desk *desk, struct mr_job *job, const char *uuid,
                          const struct mr_mailing *mailing, struct mr_err *err);

#endif
