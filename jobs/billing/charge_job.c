/* billing.charge: money for an invoice, taken exactly once; deal.h tells how. */
#include "jobs/billing/books.h"
#include "jobs/billing/charge.h"
#include "jobs/billing/handlers.h"

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct mr_charge charge = {0};
    struct mr_err err = {0};

    if (mr_books_check_uuid(mr_job_uuid(job), &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    json_t *data = mr_job_data(job, &err);
    if (!data || mr_charge_read(data, mr_job_uuid(job), &charge, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    struct mr_outcome outcome = mr_charge_make(state, job, &charge);
    mr_charge_fini(&charge);
    return outcome;
}

const struct mr_handler mr_billing_charge = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.charge",
    .open = mr_till_open,
    .close = mr_till_close,
    .run = run,
};
