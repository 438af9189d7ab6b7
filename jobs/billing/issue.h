/* Issues an invoice: one transaction that gives it its number and books it, or nothing at all. */
#ifndef MR_JOBS_BILLING_ISSUE_H
#define MR_JOBS_BILLING_ISSUE_H

#include "jobs/billing/invoice.h"
#include "jobs/billing/terms.h"
#include "jobs/services/mysql.h"

/*
 * A job that does nothing else. MR_OK: the invoice of this uuid is in the database, issued now or by an earlier attempt. MR_EINVAL: no such customer; the uuid was
 * used for something else. MR_EUNKNOWN: the connection broke inside COMMIT: the same call again finds out. out_began (untouched otherwise) turns true once the
 * database had begun to work.
 */
enum mr_code mr_issue(struct mr_mysql *mysql, struct mr_job *job, const struct mr_terms *terms,
                      const char *uuid, const struct mr_invoice *invoice, bool *out_began,
                      struct mr_err *err);

/*
 * A part of the caller's transaction, for jobs that do more: the next number, the invoice with its lines, and its ledger rows, all under uuid. That it happens
 * once is the caller's affair: its own inbox row comes first (mr_books_receive). From the number on, the transaction holds the series, for which all
 * other invoices of it wait: so this comes last, and COMMIT soon. The date is the database's in the house's time zone, where the invoice says none.
 * A total below 0 is booked as it is: a credit note, in a series that is the caller's choice. MR_EINVAL: no such customer. MR_EFAULT: an invoice of this
 * uuid is there already, against the caller's inbox.
 */
enum mr_code mr_issue_within(struct mr_mysql_conn *conn, const struct mr_terms *terms,
                             const char *uuid, const struct mr_invoice *invoice,
                             struct mr_err *err);

#endif
