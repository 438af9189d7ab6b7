/* What of an invoice is paid, credited and given back: read under the invoice's lock, which everything that changes it takes first. */
#ifndef MR_JOBS_BILLING_BALANCE_H
#define MR_JOBS_BILLING_BALANCE_H

#include "jobs/services/mysql.h"

/* Sums of minor units, none below 0. */
struct mr_balance {
    int64_t paid, paying; /* by charges; by those that are not decided */
    int64_t refunded, refunding;
    int64_t credited_net, credited_tax,
        credited; /* by credit notes; the last is the two's sum */
};

/*
 * Locks the invoice to the end of the transaction, then reads. So it comes before any other statement that locks or reads: what is read behind the lock
 * was committed by whoever had it before.
 */
enum mr_code mr_balance_lock(struct mr_mysql_conn *conn, const char *invoice,
                             struct mr_balance *out, struct mr_err *err);
/* What the customer still owes of an invoice of this total; below 0 where more was paid than it is worth after its credit notes. */
int64_t mr_balance_open(const struct mr_balance *balance, int64_t total_minor);

#endif
