/* What the payment provider's answers mean: taken, refused, unknown. Pure. */
#ifndef MR_JOBS_BILLING_PAYMENT_ANSWER_H
#define MR_JOBS_BILLING_PAYMENT_ANSWER_H

#include "jobs/services/http_client.h"

/* What is asked for, a charge or a refund; strings are borrowed. */
struct mr_payment {
    const char *uuid, *invoice; /* the invoice's printed number */
    const char *currency;       /* ISO 4217 */
    int64_t amount_minor;
    const char *source; /* of a charge: the card or account */
    const char *
        refund_of; /* the provider's name of the charge that is given back; NULL: this is a charge */
    const char *reason; /* of a refund */
};

enum mr_payment_end {
    MR_PAYMENT_PAID, /* the money was taken, or given back */
    MR_PAYMENT_REFUSED, /* it was not, and asking again under this key changes nothing: code, message */
    MR_PAYMENT_UNKNOWN, /* it may have been taken, or may yet be */
    MR_PAYMENT_OPEN,    /* only of a look-up: not taken as far as the provider knows */
    MR_PAYMENT_LATER, /* this request did nothing: come back, when the provider or our own limits say */
    MR_PAYMENT_UNABLE, /* this request did nothing: nobody there, or the configuration is wrong */
    MR_PAYMENT_CLASH, /* not of a look-up: the provider knows this key with other values, of an earlier request */
    MR_PAYMENT_ODD /* it contradicts what was asked for: a person must look */
};

struct mr_payment_answer {
    enum mr_payment_end end;
    int64_t after_ms;  /* LATER; -1 when the provider does not say */
    char id[256];      /* the provider's name of the charge or refund, "" when unknown */
    char code[100];    /* REFUSED: the provider's code */
    char message[500]; /* unless PAID: what happened, for a person; no card, no key */
};

/* The answer to a request for a charge or a refund. */
void mr_payment_read(const struct mr_http_answer *http, const struct mr_payment *payment,
                     struct mr_payment_answer *out);
/* The answer to a search for it. */
void mr_payment_read_search(const struct mr_http_answer *http, const struct mr_payment *payment,
                            struct mr_payment_answer *out);

#endif
