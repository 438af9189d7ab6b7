#include "jobs/billing/paper.h"

#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { GAP_PT = 14, NUMBER_MAX = 24 };

static enum mr_code on_bytes(void *arg, const void *bytes, size_t len, struct mr_err *err)
{
    return mr_storage_write(arg, bytes, len, err);
}

static void add_head(struct mr_pdf *pdf, const struct mr_paper *paper,
                     const struct mr_issued *issued)
{
    char title[MR_INVOICE_NUMBER + 16];

    if (paper->seller) {
        mr_pdf_text(pdf, MR_PDF_SMALL, paper->seller);
        mr_pdf_gap(pdf, GAP_PT);
    }
    mr_pdf_text(pdf, MR_PDF_NORMAL, issued->name);
    if (*issued->address)
        mr_pdf_text(pdf, MR_PDF_NORMAL, issued->address);
    mr_pdf_gap(pdf, GAP_PT);
    snprintf(title, sizeof(title), "%s %s", issued->credits ? "Credit note" : "Invoice",
             issued->printed);
    mr_pdf_text(pdf, MR_PDF_TITLE, title);
    mr_pdf_pair(pdf, "Number", issued->printed);
    mr_pdf_pair(pdf, "Date", issued->invoice.date);
    if (*issued->invoice.due)
        mr_pdf_pair(pdf, "Due", issued->invoice.due);
    mr_pdf_pair(pdf, "Customer", issued->invoice.customer);
    if (issued->credits) {
        mr_pdf_pair(pdf, "For invoice", issued->credits);
        mr_pdf_pair(pdf, "Reason", issued->reason);
    }
    mr_pdf_gap(pdf, GAP_PT);
}

/* On a credit note, which is below 0 in the books, amounts stand as on the invoice: its title tells who owes whom. */
static int64_t sign_of(const struct mr_issued *issued)
{
    return issued->credits ? -1 : 1;
}

static void add_line(struct mr_pdf *pdf, const struct mr_invoice *invoice, size_t i,
                     int64_t sign)
{
    const struct mr_invoice_line *line = &invoice->lines[i];
    char no[NUMBER_MAX], quantity[NUMBER_MAX], rate[MR_TAX_PRINT];
    char unit[MR_MONEY_PRINT], net[MR_MONEY_PRINT];
    const char *const cells[] = {no, line->text, quantity, unit, rate, net};

    snprintf(no, sizeof(no), "%zu", i + 1);
    snprintf(quantity, sizeof(quantity), "%" PRId64, line->quantity);
    mr_money_print_rate(line->tax_bp, rate);
    mr_money_print(sign * line->unit_minor, invoice->currency, unit);
    mr_money_print(sign * line->net_minor, invoice->currency, net);
    mr_pdf_row(pdf, MR_PDF_NORMAL, cells);
}

static void add_sum(struct mr_pdf *pdf, enum mr_pdf_style style, const char *name,
                    const struct mr_currency *currency, int64_t minor)
{
    char printed[MR_MONEY_PRINT];
    const char *const cells[] = {NULL, name, NULL, NULL, NULL, printed};

    mr_money_print(minor, currency, printed);
    mr_pdf_row(pdf, style, cells);
}

static void add_table(struct mr_pdf *pdf, const struct mr_issued *issued)
{
    static const struct mr_pdf_column columns[] = {
        {"No",       28, 0, MR_PDF_RIGHT},
        {"Text",     0,  1, MR_PDF_LEFT },
        {"Quantity", 56, 0, MR_PDF_RIGHT},
        {"Price",    96, 0, MR_PDF_RIGHT},
        {"Tax",      48, 0, MR_PDF_RIGHT},
        {"Net",      96, 0, MR_PDF_RIGHT},
    };

    const struct mr_invoice *invoice = &issued->invoice;
    int64_t sign = sign_of(issued);

    mr_pdf_table_begin(pdf, columns, MR_COUNT(columns));
    for (size_t i = 0; i < invoice->n_lines; i++)
        add_line(pdf, invoice, i, sign);
    add_sum(pdf, MR_PDF_BOLD, "Net", invoice->currency, sign * invoice->net_minor);
    add_sum(pdf, MR_PDF_NORMAL, "Tax", invoice->currency, sign * invoice->tax_minor);
    add_sum(pdf, MR_PDF_BOLD, "Total", invoice->currency, sign * invoice->total_minor);
    mr_pdf_table_end(pdf);
}

static void add_notes(struct mr_pdf *pdf, enum mr_pdf_style style, const char *notes)
{
    if (!notes)
        return;
    mr_pdf_gap(pdf, GAP_PT);
    mr_pdf_text(pdf, style, notes);
}

static enum mr_code draw(const struct mr_paper *paper, const struct mr_issued *issued,
                         struct mr_storage_file *file, struct mr_err *err)
{
    /* Midnight of the invoice's day, so that it is the same whenever it is drawn. */
    uint64_t made_at_ms = (uint64_t)mr_day_start_s(issued->invoice.date) * 1000;
    const struct mr_pdf_about about = {
        .title = issued->printed, .author = paper->seller, .made_at_ms = made_at_ms};
    struct mr_pdf *pdf = NULL;
    enum mr_code code = mr_pdf_new(paper->press, &about, on_bytes, file, &pdf, err);

    if (code != MR_OK)
        return code;
    add_head(pdf, paper, issued);
    add_table(pdf, issued);
    add_notes(pdf, MR_PDF_NORMAL, issued->invoice.notes);
    add_notes(pdf, MR_PDF_SMALL, paper->notes);
    return mr_pdf_finish(pdf, err);
}

enum mr_code mr_paper_make(const struct mr_paper *paper, const struct mr_issued *issued,
                           struct mr_job *job, struct mr_err *err)
{
    struct mr_storage_file *file = NULL;
    enum mr_code code = mr_storage_create(paper->storage, issued->pdf_key, job, &file, err);

    if (code != MR_OK)
        return code;
    code = draw(paper, issued, file, err);
    if (code == MR_OK)
        return mr_storage_keep(file, NULL, err);
    mr_storage_drop(file);
    return code;
}
