/* billing.refund: money of a charge given back, exactly once; deal.h tells how. */
#include "jobs/billing/books.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/refund.h"

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct mr_refund refund = {0};
    struct mr_err err = {0};

    if (mr_books_check_uuid(mr_job_uuid(job), &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    json_t *data = mr_job_data(job, &err);
    if (!data || mr_refund_read(data, mr_job_uuid(job), &refund, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    struct mr_outcome outcome = mr_refund_make(state, job, &refund);
    mr_refund_fini(&refund);
    return outcome;
}

const struct mr_handler mr_billing_refund = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.refund",
    .open = mr_till_open,
    .close = mr_till_close,
    .run = run,
};
