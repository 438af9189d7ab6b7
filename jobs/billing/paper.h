/* The invoice on paper: a PDF under its number, drawn from what the database says and nothing else. */
#ifndef MR_JOBS_BILLING_PAPER_H
#define MR_JOBS_BILLING_PAPER_H

#include "jobs/billing/issued.h"
#include "jobs/services/pdf.h"
#include "jobs/services/storage.h"

struct mr_paper {
    struct mr_pdf_press *press;
    struct mr_storage *storage;
    const char *seller; /* who issues, as printed; NULL: not said */
    const char *notes;  /* printed below every invoice's own; NULL: nothing */
};

/*
 * Draws the invoice, with its lines, and stores it under its pdf_key, whole or not at all; the same invoice gives the same bytes. Codes as
 * in storage.h.
 */
enum mr_code mr_paper_make(const struct mr_paper *paper, const struct mr_issued *issued,
                           struct mr_job *job, struct mr_err *err);

#endif
