/* Issues an invoice: one transaction that gives it its number and books it, or nothing at all. */
#ifndef MR_JOBS_BILLING_ISSUE_H
#define MR_JOBS_BILLING_ISSUE_H

#include "jobs/billing/invoice.h"
#include "jobs/services/mysql.h"

/*
 * MR_OK: the invoice of this uuid is in the database, issued now or by an earlier attempt. MR_EINVAL: no such customer; the uuid was used for something
 * else. MR_EUNKNOWN: the connection broke inside COMMIT: the same call again finds out. out_began (untouched otherwise) turns true once the database
 * had begun to work.
 */
enum mr_code mr_issue(struct mr_mysql *mysql, struct mr_job *job, const char *uuid,
                      const struct mr_invoice *invoice, bool *out_began, struct mr_err *err);

#endif
