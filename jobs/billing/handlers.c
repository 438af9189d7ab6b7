#include "jobs/billing/handlers.h"

const struct mr_handler *const mr_handlers[] = {
    &mr_billing_invoice,
    &mr_billing_charge,
    &mr_billing_credit,
    &mr_billing_dun,
    &mr_billing_refund,
    &mr_billing_renew,
    NULL,
};
