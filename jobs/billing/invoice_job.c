/*
 * billing.invoice: an invoice with the next number of its series, in the books, and on paper. The number is given and used in one transaction
 * together with the job's inbox row, so that no attempt gives a second one; the PDF follows, from what the database has, and
 * an attempt that finds it drawn and stored makes no other.
 */
#include "jobs/billing/books.h"
#include "jobs/billing/desk.h"
#include "jobs/billing/handlers.h"
#include "jobs/billing/issue.h"
#include "jobs/billing/trouble.h"

static struct mr_outcome issue(struct mr_desk *desk, struct mr_job *job,
                               const struct mr_invoice *invoice,
                               const struct mr_mailing *mailing)
{
    const char *uuid = mr_job_uuid(job);
    struct mr_err err = {0};
    bool began = false;
    enum mr_code code = mr_issue(desk->mysql, job, &desk->terms, uuid, invoice, &began, &err);

    if (code == MR_OK) {
        /* The invoice stands: what is left can wait, and be done again, at no cost. */
        began = false;
        code = mr_desk_finish(desk, job, uuid, &err);
    }
    if (code == MR_OK)
        code = mr_desk_mail(desk, job, uuid, mailing, &err);
    return code == MR_OK ? mr_outcome_done() : mr_trouble_outcome(job, code, began, &err);
}

static struct mr_outcome run(void *state, struct mr_job *job)
{
    struct mr_desk *desk = state;
    struct mr_mailing mailing = {0};
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};

    if (mr_books_check_uuid(mr_job_uuid(job), &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    json_t *data = mr_job_data(job, &err);
    if (!data || mr_mailing_read(data, &mailing, &err) != MR_OK ||
        mr_invoice_read(data, desk->terms.series, &invoice, &err) != MR_OK)
        return mr_outcome_fail("%s", err.text);
    struct mr_outcome outcome = issue(desk, job, &invoice, &mailing);
    mr_invoice_fini(&invoice);
    return outcome;
}

const struct mr_handler mr_billing_invoice = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "billing.invoice",
    .open = mr_desk_open,
    .close = mr_desk_close,
    .run = run,
};
