/* An invoice as the database has it: what paper shows, and what a charge pays. */
#ifndef MR_JOBS_BILLING_ISSUED_H
#define MR_JOBS_BILLING_ISSUED_H

#include "jobs/billing/invoice.h"
#include "jobs/services/mysql.h"

/* Zero-initialised is empty. Strings are owned. */
struct mr_issued {
    char *uuid;
    char *printed;                /* its number: "INV-000042" */
    char *pdf_key;                /* under storage.path */
    bool drawn;                   /* the PDF has been stored once */
    char *name, *address, *email; /* of the customer; "" when there is none */
    /* Of a credit note: which invoice it credits, its uuid and number, and why; NULL: it is an invoice. */
    char *credits_uuid, *credits, *reason;
    struct mr_invoice invoice; /* its date is set; its lines only after mr_issued_read_lines */
};

/*
 * The invoice of this uuid; MR_ENOTFOUND when there is none. A uuid is the name of the job that issued it.
 */
enum mr_code mr_issued_find(struct mr_mysql_conn *conn, const char *uuid, struct mr_issued *out,
                            struct mr_err *err);
/* The same by what a person would call it: its uuid, else its number as printed, else as mr_invoice_full_number completes it. */
enum mr_code mr_issued_find_named(struct mr_mysql_conn *conn, const char *name,
                                  struct mr_issued *out, struct mr_err *err);
enum mr_code mr_issued_read_lines(struct mr_mysql_conn *conn, struct mr_issued *issued,
                                  struct mr_err *err);
void mr_issued_fini(struct mr_issued *issued);

/* The value of an integer's column; 0 for SQL's NULL. */
int64_t mr_issued_integer(struct mr_bytes value);

#endif
