/* billing.credit: a credit note with the next number of its series, in the books, and on paper; credit.h tells how, invoice_job.c does the same for invoices. */
#include "jobs/billing/books.h"
#include "jobs/billing/credit.h"
#include "jobs/billing/desk.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/trouble.h"
#include "jobs/services/members.h"

static enum mr_code open_desk(struct mr_host *host, void **out_state, struct mr_err *err)
{
    const char *series =
        mr_members_text(mr_host_config(host, "billing"), "credit_series", "CN");
    enum mr_code code = mr_invoice_check_series(series, "billing.credit_series", err);
    void *desk = NULL;

    if (code == MR_OK)
        code = mr_desk_open(host, &desk, err);
    if (code != MR_OK)
        return code;
    ((struct mr_desk *)desk)->terms.series = series;
    *out_state = desk;
    return MR_OK;
}

static struct mr_outcome issue(struct mr_desk *desk, struct mr_job *job,
                               struct mr_credit *credit)
{
    struct mr_err err = {0};
    enum mr_code code = mr_credit_issue(desk->mysql, job, &desk->terms, credit, &err);

    if (code == MR_OK) {
        credit->began = false; /* it stands: what is left can be done again, at no cost */
        code = mr_desk_finish(desk, job, credit->uuid, &err);
    }
    return code == MR_OK ? mr_outcome_done()
                         : mr_trouble_outcome(job, code, credit->began, &err);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct mr_desk *desk = state;
    struct mr_credit credit = {0};
    struct mr_err err = {0};

    if (mr_books_check_uuid(mr_job_uuid(job), &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    json_t *data = mr_job_data(job, &err);
    if (!data ||
        mr_credit_read(data, mr_job_uuid(job), desk->terms.series, &credit, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    struct mr_outcome outcome = issue(desk, job, &credit);
    mr_credit_fini(&credit);
    return outcome;
}

const struct mr_handler mr_billing_credit = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.credit",
    .open = open_desk,
    .close = mr_desk_close,
    .run = run,
};
