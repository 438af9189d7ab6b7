#include "jobs/billing/mailing.h"

#include "jobs/billing/member.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_MAX = 320, NAME_MAX_BYTES = 100 };

/* ---- what the job says ---- */

/* A text that need not be there. */
static enum mr_code read_text(const json_t *email, const char *name, const char *place,
                              size_t max, const char **out, struct mr_err *err)
{
    json_t *value = json_object_get(email, name);

    return value ? mr_member_text(value, place, max, out, err) : MR_OK;
}

static enum mr_code read_email(json_t *email, struct mr_mailing *out, struct mr_err *err)
{
    struct mr_mailing mailing = {.wanted = true, .vars = json_object_get(email, "vars")};
    enum mr_code code = mr_member_object(email, "data.then.email",
                                         "an object {to, template, queue, vars}", err);

    if (code == MR_OK)
        code = read_text(email, "to", "data.then.email.to", ADDRESS_MAX, &mailing.to, err);
    if (code == MR_OK)
        code = read_text(email, "template", "data.then.email.template", NAME_MAX_BYTES,
                         &mailing.template, err);
    if (code == MR_OK)
        code = read_text(email, "queue", "data.then.email.queue", NAME_MAX_BYTES,
                         &mailing.queue, err);
    if (code == MR_OK && mailing.vars)
        code =
            mr_member_object(mailing.vars, "data.then.email.vars", "an object of values", err);
    if (code == MR_OK)
        *out = mailing;
    return code;
}

enum mr_code mr_mailing_read(json_t *data, struct mr_mailing *out, struct mr_err *err)
{
    json_t *mail = json_object_get(data, "mail"), *then = json_object_get(data, "then");

    if (mail && !json_is_boolean(mail))
        return mr_member_wrong(mail, "data.mail", "true or false", err);
    if (!then) {
        *out = (struct mr_mailing){.wanted = json_is_true(mail)};
        return MR_OK;
    }
    enum mr_code code = mr_member_object(then, "data.then", "an object {email}", err);
    if (code == MR_OK && (json_object_size(then) != 1 || !json_object_get(then, "email")))
        return mr_fail(err, MR_EINVAL,
                       "data.then must hold email and nothing else: an invoice is followed by "
                       "its mail");
    if (code == MR_OK)
        code = read_email(json_object_get(then, "email"), out, err);
    return code;
}

/* ---- what the mail is told ---- */

static json_t *money(int64_t minor, const struct mr_currency *currency)
{
    char printed[MR_MONEY_PRINT];

    mr_money_print(minor, currency, printed);
    return json_string(printed);
}

static json_t *lines_of(const struct mr_invoice *invoice)
{
    json_t *lines = json_array();

    for (size_t i = 0; i < invoice->n_lines; i++) {
        const struct mr_invoice_line *line = &invoice->lines[i];
        char rate[MR_TAX_PRINT];

        mr_money_print_rate(line->tax_bp, rate);
        json_array_append_new(lines,
                              json_pack("{s:s, s:I, s:o, s:s, s:o}", "text", line->text,
                                        "quantity", (json_int_t)line->quantity, "unit",
                                        money(line->unit_minor, invoice->currency), "tax", rate,
                                        "net", money(line->net_minor, invoice->currency)));
    }
    return lines;
}

/* A template tests what it may leave out by its being null. */
static json_t *vars_of(const struct mr_terms *terms, const struct mr_issued *issued)
{
    const struct mr_invoice *invoice = &issued->invoice;
    const char *due = *invoice->due ? invoice->due : NULL;
    json_t *vars = json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s}", "number", issued->printed,
                             "date", invoice->date, "due", due, "seller", terms->seller,
                             "notes", invoice->notes, "currency", invoice->currency->code);

    json_object_set_new(vars, "net", money(invoice->net_minor, invoice->currency));
    json_object_set_new(vars, "tax", money(invoice->tax_minor, invoice->currency));
    json_object_set_new(vars, "total", money(invoice->total_minor, invoice->currency));
    json_object_set_new(vars, "total_minor", json_integer(invoice->total_minor));
    json_object_set_new(vars, "lines", lines_of(invoice));
    json_object_set_new(vars, "customer",
                        json_pack("{s:s, s:s, s:s, s:s}", "id", invoice->customer, "name",
                                  issued->name, "email", issued->email, "address",
                                  issued->address));
    return vars;
}

/* "INV-2026-000042.pdf": a number may hold slashes, a file's name may not. */
static json_t *attachment_of(const struct mr_issued *issued)
{
    char *name = mr_asprintf("%s.pdf", issued->printed);

    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '-';
    json_t *attachment = json_pack("{s:s, s:s}", "name", name, "storage", issued->pdf_key);
    free(name);
    return attachment;
}

enum mr_code mr_mailing_compose(const struct mr_mailing *mailing, const struct mr_terms *terms,
                                const struct mr_issued *issued, json_t **out,
                                struct mr_err *err)
{
    const char *to = mailing->to ? mailing->to : issued->email;

    if (!*to)
        return mr_fail(err, MR_EINVAL,
                       "invoice %s is issued, but not mailed: customer %s has no email in "
                       "billing_customers; set it and retry this job",
                       issued->printed, issued->invoice.customer);
    json_t *vars = vars_of(terms, issued);
    if (mailing->vars)
        json_object_update(vars, mailing->vars);
    *out = json_pack("{s:s, s:s, s:o, s:[o]}", "to", to, "template",
                     mailing->template ? mailing->template : terms->mail_template, "vars", vars,
                     "attachments", attachment_of(issued));
    return MR_OK;
}
