/* The invoice a job asks for: checked, and its sums. Knows no database and no paper. */
#ifndef MR_JOBS_BILLING_INVOICE_H
#define MR_JOBS_BILLING_INVOICE_H

#include "jobs/billing/money.h"

#include <jansson.h>
#include <stddef.h>

#define MR_INVOICE_LINES 1000u
#define MR_INVOICE_NUMBER 48 /* room for a printed number */

struct mr_invoice_line {
    char *text;
    int64_t quantity, unit_minor; /* unit_minor is below 0 for a discount */
    unsigned tax_bp;
    int64_t net_minor, tax_minor;
};

/* Strings and lines are owned. */
struct mr_invoice {
    char *customer;
    char *series;
    const struct mr_currency *currency;
    struct mr_invoice_line *lines;
    size_t n_lines;
    int64_t net_minor, tax_minor, total_minor;
};

/*
 * Reads data {customer, currency, lines: [{text, quantity, unit_minor, tax_bp}], series?}; default_series where it names none. MR_EINVAL:
 * what is wrong, with its place ("data.lines[3].unit_minor ..."). The caller frees out with mr_invoice_fini.
 */
enum mr_code mr_invoice_read(json_t *data, const char *default_series, struct mr_invoice *out,
                             struct mr_err *err);
void mr_invoice_fini(struct mr_invoice *invoice);
/* MR_EINVAL unless text can name a series; place says whose it is ("billing.series"). */
enum mr_code mr_invoice_check_series(const char *text, const char *place, struct mr_err *err);

/* A number as people write it: "INV-000042". out holds MR_INVOICE_NUMBER bytes. */
void mr_invoice_number(const char *series, int64_t number, char *out);
/* The other way: false when text is none; series holds MR_INVOICE_NUMBER bytes. Zeros in front may be missing. */
bool mr_invoice_parse_number(const char *text, char *series, int64_t *number);

#endif
