/* What every billing job writes inside of its transaction: the inbox row that makes it happen once, and the ledger. */
#ifndef MR_JOBS_BILLING_BOOKS_H
#define MR_JOBS_BILLING_BOOKS_H

#include "jobs/services/mysql.h"

#define MR_BOOKS_UUID_MAX 64
#define MR_BOOKS_ACCOUNT 280 /* room for "receivable:" and a customer */

/* One side of an entry: debit above 0, credit below. */
struct mr_booking {
    const char *account;
    int64_t amount_minor;
};

/*
 * MR_EINVAL unless uuid can name an effect for ever: 1 to 64 of A-Z a-z 0-9 _ . : -. It becomes a key of ours and of the payment provider.
 */
enum mr_code mr_books_check_uuid(const char *uuid, struct mr_err *err);

/* The inbox row of this job. MR_EEXIST: its effect has happened already, and the transaction can only be rolled back. */
enum mr_code mr_books_receive(struct mr_mysql_conn *conn, const char *uuid, const char *job,
                              const char *result, struct mr_err *err);
/* Whether it has an inbox row. MR_EINVAL: the row is another kind of job's, so the uuid is not this one's alone. */
enum mr_code mr_books_seen(struct mr_mysql_conn *conn, const char *uuid, const char *job,
                           bool *out, struct mr_err *err);

/* An entry of n rows. MR_EFAULT, and nothing is written, unless they sum to 0: then this program is wrong. */
enum mr_code mr_books_enter(struct mr_mysql_conn *conn, const char *uuid, const char *currency,
                            const struct mr_booking *bookings, size_t n, struct mr_err *err);
/* Whether the ledger has rows of this uuid: its inbox row may have been pruned since. */
enum mr_code mr_books_entered(struct mr_mysql_conn *conn, const char *uuid, bool *out,
                              struct mr_err *err);
/* "receivable:<customer>"; out holds MR_BOOKS_ACCOUNT bytes. */
void mr_books_receivable(const char *customer, char *out);

#endif
