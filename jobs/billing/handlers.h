/* The handlers of this module. */
#ifndef MR_JOBS_BILLING_HANDLERS_H
#define MR_JOBS_BILLING_HANDLERS_H

#include "worker/handler.h"

extern const struct mr_handler mr_billing_invoice, mr_billing_charge, mr_billing_credit,
    mr_billing_dun, mr_billing_refund, mr_billing_renew;

#endif
