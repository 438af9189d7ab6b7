#include "jobs/billing/terms.h"

#include "jobs/billing/invoice.h"
#include "jobs/services/members.h"
#include "proto/number_format.h"

enum { DAY_MS = 86400000 };

enum mr_code mr_terms_read(const json_t *section, struct mr_terms *out, struct mr_err *err)
{
    int64_t due_ms = mr_members_number(section, "due_ms", -1);
    struct mr_err why;
    struct mr_terms terms = {
        .series = mr_members_text(section, "series", "INV"),
        .number = mr_members_text(section, "number", MR_INVOICE_FORMAT),
        .yearly = json_is_true(json_object_get(section, "yearly")),
        .due_days = due_ms < 0 ? MR_TERMS_NO_DUE : (int)(due_ms / DAY_MS),
        .notes = mr_members_text(section, "notes", NULL),
        .mail_template = mr_members_text(section, "mail_template", "invoice"),
        .mail_queue = mr_members_text(section, "mail_queue", NULL),
        .seller = mr_members_text(section, "seller", NULL),
    };

    if (mr_invoice_check_series(terms.series, "billing.series", err) != MR_OK)
        return MR_EINVAL;
    if (mr_number_format_check(terms.number, terms.yearly, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "billing.number %s", why.text);
    if (mr_zone_open(mr_members_text(section, "timezone", "UTC"), &terms.zone, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "billing.timezone %s", why.text);
    *out = terms;
    return MR_OK;
}

void mr_terms_fini(struct mr_terms *terms)
{
    if (!terms)
        return;
    mr_zone_close(terms->zone);
    terms->zone = NULL;
}
