#include "jobs/billing/terms.h"

#include "jobs/billing/invoice.h"
#include "proto/number_format.h"

enum { DAY_MS = 86400000 };

static const char *text_or(const json_t *section, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(section, name));

    return text ? text : otherwise;
}

enum mr_code mr_terms_read(const json_t *section, struct mr_terms *out, struct mr_err *err)
{
    const json_t *due = json_object_get(section, "due_ms");
    struct mr_err why;
    struct mr_terms terms = {
        .series = text_or(section, "series", "INV"),
        .number = text_or(section, "number", MR_INVOICE_FORMAT),
        .yearly = json_is_true(json_object_get(section, "yearly")),
        .due_days = due ? (int)(json_integer_value(due) / DAY_MS) : MR_TERMS_NO_DUE,
        .notes = text_or(section, "notes", NULL),
        .seller = text_or(section, "seller", NULL),
    };

    if (mr_invoice_check_series(terms.series, "billing.series", err) != MR_OK)
        return MR_EINVAL;
    if (mr_number_format_check(terms.number, terms.yearly, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "billing.number %s", why.text);
    if (mr_zone_open(text_or(section, "timezone", "UTC"), &terms.zone, &why) != MR_OK)
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
