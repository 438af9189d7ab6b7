/* The invoice a job asks for: checked, and its sums. Knows no database and no paper. */
#ifndef MR_JOBS_BILLING_INVOICE_H
#define MR_JOBS_BILLING_INVOICE_H

#include "jobs/billing/day.h"
#include "jobs/billing/money.h"
#include "proto/number_format.h"

#include <jansson.h>
#include <stddef.h>

#define MR_INVOICE_LINES 1000u
#define MR_INVOICE_NUMBER MR_NUMBER_PRINT
#define MR_INVOICE_FORMAT                                                                      \
    "{series}-{number:6}" /* of numbers where billing.number is not said */

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
    char date[MR_DAY], due[MR_DAY]; /* "": as the terms of the house say */
    char *notes;                    /* printed below the lines; NULL: none */
    int64_t net_minor, tax_minor, total_minor;
};

/*
 * Reads data {customer, currency, lines: [{text, quantity, unit_minor, tax_bp}], series?, date?, due?, notes?}; default_series where it names none. MR_EINVAL:
 * what is wrong, with its place ("data.lines[3].unit_minor ..."). The caller frees out with mr_invoice_fini.
 */
enum mr_code mr_invoice_read(json_t *data, const char *default_series, struct mr_invoice *out,
                             struct mr_err *err);
void mr_invoice_fini(struct mr_invoice *invoice);
/* MR_EINVAL unless text can name a series; place says whose it is ("billing.series"). */
enum mr_code mr_invoice_check_series(const char *text, const char *place, struct mr_err *err);

/*
 * Sums lines that were set by hand: each net and tax, then the invoice's. MR_EINVAL: a sum is beyond int64. A total below 0 is the caller's affair: it is
 * a credit note's.
 */
enum mr_code mr_invoice_sum(struct mr_invoice *invoice, struct mr_err *err);

/*
 * Whether issued, as the database has it with its lines, is what was asked for. A day that was not asked for may be any: it came from the terms of the house.
 */
bool mr_invoice_is_same(const struct mr_invoice *issued, const struct mr_invoice *asked);

/*
 * The full number of one that was cut short ("INV-42" is INV-000042), as MR_INVOICE_FORMAT prints it; false when text is none. out holds MR_INVOICE_NUMBER bytes.
 */
bool mr_invoice_full_number(const char *text, char *out);

#endif
