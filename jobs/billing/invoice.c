#include "jobs/billing/invoice.h"

#include "jobs/billing/member.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUSTOMER_MAX = 64,
    TEXT_MAX = 1000,
    NOTES_MAX = 4000,
    SERIES_MAX = MR_NUMBER_SERIES_MAX,
    DIGITS_MAX = 18,
    PLACE_MAX = 64
};

/* ---- a line ---- */

/* False where it is beyond int64. */
static bool sum_line(struct mr_invoice_line *line)
{
    if (!mr_money_times(line->unit_minor, line->quantity, &line->net_minor))
        return false;
    line->tax_minor = mr_money_tax(line->net_minor, line->tax_bp);
    return true;
}

static const char *place_of(char *out, size_t i, const char *member)
{
    snprintf(out, PLACE_MAX, "data.lines[%zu]%s", i, member);
    return out;
}

static enum mr_code read_line(json_t *value, size_t i, struct mr_invoice_line *line,
                              struct mr_err *err)
{
    char place[PLACE_MAX];
    const char *text = NULL;
    int64_t tax_bp = 0;

    enum mr_code code = mr_member_object(value, place_of(place, i, ""),
                                         "an object {text, quantity, unit_minor, tax_bp}", err);
    if (code == MR_OK)
        code = mr_member_text(json_object_get(value, "text"), place_of(place, i, ".text"),
                              TEXT_MAX, &text, err);
    if (code == MR_OK)
        code =
            mr_member_whole(json_object_get(value, "quantity"), place_of(place, i, ".quantity"),
                            "a whole number from 1 on", 1, INT64_MAX, &line->quantity, err);
    if (code == MR_OK)
        code = mr_member_whole(json_object_get(value, "unit_minor"),
                               place_of(place, i, ".unit_minor"),
                               "a whole number of minor units (cents)", INT64_MIN, INT64_MAX,
                               &line->unit_minor, err);
    if (code == MR_OK)
        code = mr_member_whole(json_object_get(value, "tax_bp"), place_of(place, i, ".tax_bp"),
                               "a whole number of basis points, 0 to 10000", 0, MR_TAX_BP_MAX,
                               &tax_bp, err);
    if (code != MR_OK)
        return code;
    line->tax_bp = (unsigned)tax_bp;
    line->text = mr_strdup(text);
    return MR_OK;
}

/* ---- the whole ---- */

/* False where it is beyond int64. */
static bool add_line(struct mr_invoice *invoice, const struct mr_invoice_line *line)
{
    return mr_money_add(invoice->net_minor, line->net_minor, &invoice->net_minor) &&
           mr_money_add(invoice->tax_minor, line->tax_minor, &invoice->tax_minor) &&
           mr_money_add(invoice->net_minor, invoice->tax_minor, &invoice->total_minor);
}

enum mr_code mr_invoice_sum(struct mr_invoice *invoice, struct mr_err *err)
{
    invoice->net_minor = invoice->tax_minor = invoice->total_minor = 0;
    for (size_t i = 0; i < invoice->n_lines; i++) {
        struct mr_invoice_line *line = &invoice->lines[i];

        if (!sum_line(line))
            return mr_fail(err, MR_EINVAL,
                           "data.lines[%zu]: %" PRId64 " times %" PRId64
                           " is beyond int64, the largest amount there is",
                           i, line->quantity, line->unit_minor);
        if (!add_line(invoice, line))
            return mr_fail(err, MR_EINVAL,
                           "data.lines: with lines[%zu] the sum is beyond int64, the largest "
                           "amount there is",
                           i);
    }
    return MR_OK;
}

static enum mr_code add_up(struct mr_invoice *invoice, struct mr_err *err)
{
    enum mr_code code = mr_invoice_sum(invoice, err);

    if (code == MR_OK && invoice->total_minor < 0)
        return mr_fail(err, MR_EINVAL,
                       "data.lines: the total is %" PRId64
                       ", below 0: what is owed to a customer is no invoice",
                       invoice->total_minor);
    return code;
}

static enum mr_code read_lines(json_t *value, struct mr_invoice *invoice, struct mr_err *err)
{
    size_t n = json_array_size(value);

    if (!json_is_array(value))
        return mr_member_wrong(value, "data.lines", "a list", err);
    if (n == 0 || n > MR_INVOICE_LINES)
        return mr_fail(err, MR_EINVAL, "data.lines must hold 1 to %u lines, not %zu",
                       MR_INVOICE_LINES, n);
    invoice->lines = mr_zalloc_array(n, sizeof(*invoice->lines));
    for (size_t i = 0; i < n; i++) {
        enum mr_code code = read_line(json_array_get(value, i), i, &invoice->lines[i], err);

        if (code != MR_OK)
            return code;
        invoice->n_lines++;
    }
    return add_up(invoice, err);
}

enum mr_code mr_invoice_check_series(const char *text, const char *place, struct mr_err *err)
{
    if (mr_number_is_series(text))
        return MR_OK;
    return mr_fail(err, MR_EINVAL, "%s must be 1 to %d of A-Z, 0-9 and \"-\", not \"%.40s\"",
                   place, SERIES_MAX, text);
}

static enum mr_code read_series(json_t *value, const char *default_series, char **out,
                                struct mr_err *err)
{
    const char *place = "data.series", *series = json_string_value(value);

    if (!value || json_is_null(value)) {
        place = "billing.series";
        series = default_series;
    } else if (!series) {
        return mr_member_wrong(value, place, "a string", err);
    }
    enum mr_code code = mr_invoice_check_series(series, place, err);
    if (code == MR_OK)
        *out = mr_strdup(series);
    return code;
}

static enum mr_code read_day(json_t *value, const char *place, char *out, struct mr_err *err)
{
    const char *text = json_string_value(value);

    if (!value || json_is_null(value))
        return MR_OK;
    if (!text)
        return mr_member_wrong(value, place, "a day such as \"2026-12-31\"", err);
    if (!mr_day_is(text))
        return mr_fail(err, MR_EINVAL,
                       "%s must be a day of the calendar such as \"2026-12-31\", not \"%.20s\"",
                       place, text);
    memcpy(out, text, MR_DAY);
    return MR_OK;
}

static enum mr_code read_days(json_t *data, struct mr_invoice *invoice, struct mr_err *err)
{
    enum mr_code code =
        read_day(json_object_get(data, "date"), "data.date", invoice->date, err);

    if (code == MR_OK)
        code = read_day(json_object_get(data, "due"), "data.due", invoice->due, err);
    return code;
}

static enum mr_code read_notes(json_t *value, char **out, struct mr_err *err)
{
    const char *notes = NULL;

    if (!value || json_is_null(value))
        return MR_OK;
    enum mr_code code = mr_member_lines(value, "data.notes", NOTES_MAX, &notes, err);
    if (code == MR_OK)
        *out = mr_strdup(notes);
    return code;
}

enum mr_code mr_invoice_read(json_t *data, const char *default_series, struct mr_invoice *out,
                             struct mr_err *err)
{
    struct mr_invoice invoice = {0};
    const char *customer = NULL;

    enum mr_code code =
        mr_member_object(data, "data", "an object {customer, currency, lines}", err);
    if (code == MR_OK)
        code = mr_member_text(json_object_get(data, "customer"), "data.customer", CUSTOMER_MAX,
                              &customer, err);
    if (code == MR_OK)
        code = mr_member_currency(json_object_get(data, "currency"), "data.currency",
                                  &invoice.currency, err);
    if (code == MR_OK)
        code =
            read_series(json_object_get(data, "series"), default_series, &invoice.series, err);
    if (code == MR_OK)
        code = read_days(data, &invoice, err);
    if (code == MR_OK)
        code = read_notes(json_object_get(data, "notes"), &invoice.notes, err);
    if (code == MR_OK)
        code = read_lines(json_object_get(data, "lines"), &invoice, err);
    if (code != MR_OK) {
        mr_invoice_fini(&invoice);
        return code;
    }
    invoice.customer = mr_strdup(customer);
    *out = invoice;
    return MR_OK;
}

void mr_invoice_fini(struct mr_invoice *invoice)
{
    if (!invoice)
        return;
    for (size_t i = 0; i < invoice->n_lines; i++)
        free(invoice->lines[i].text);
    free(invoice->lines);
    free(invoice->customer);
    free(invoice->series);
    free(invoice->notes);
    *invoice = (struct mr_invoice){0};
}

/* ---- compared ---- */

static bool is_same_line(const struct mr_invoice_line *a, const struct mr_invoice_line *b)
{
    return a->quantity == b->quantity && a->unit_minor == b->unit_minor &&
           a->tax_bp == b->tax_bp && strcmp(a->text, b->text) == 0;
}

static bool is_same_day(const char *issued, const char *asked)
{
    return !*asked || strcmp(issued, asked) == 0;
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The sums follow from the lines. */
bool mr_invoice_is_same(const struct mr_invoice *issued, const struct mr_invoice *asked)
{
    bool same =
        issued->n_lines == asked->n_lines && issued->currency == asked->currency &&
        strcmp(issued->customer, asked->customer) == 0 &&
        strcmp(issued->series, asked->series) == 0 && is_same_day(issued->date, asked->date) &&
        is_same_day(issued->due, asked->due) && is_same_text(issued->notes, asked->notes);

    for (size_t i = 0; same && i < asked->n_lines; i++)
        same = is_same_line(&issued->lines[i], &asked->lines[i]);
    return same;
}

/* ---- numbers ---- */

bool mr_invoice_full_number(const char *text, char *out)
{
    const char *dash = strrchr(text, '-');
    size_t len = dash ? (size_t)(dash - text) : 0;
    size_t digits = dash ? strlen(dash + 1) : 0;
    char series[SERIES_MAX + 1];

    if (len == 0 || len > SERIES_MAX || digits == 0 || digits > DIGITS_MAX ||
        strspn(dash + 1, "0123456789") != digits)
        return false;
    memcpy(series, text, len);
    series[len] = '\0';
    if (!mr_number_is_series(series))
        return false;
    mr_number_format_print(MR_INVOICE_FORMAT, series, 0, strtoll(dash + 1, NULL, 10), out);
    return true;
}
