/* Any data of an invoice: its sums are those of its lines, added up with room to spare; numbers are printed as they are told apart. */
#include "jobs/billing/invoice.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>

static void check_sums(const struct mr_invoice *invoice)
{
    __int128 net = 0, tax = 0;

    must(invoice->n_lines >= 1 && invoice->n_lines <= MR_INVOICE_LINES);
    for (size_t i = 0; i < invoice->n_lines; i++) {
        const struct mr_invoice_line *line = &invoice->lines[i];
        __int128 off =
            (__int128)line->net_minor * line->tax_bp - (__int128)line->tax_minor * 10000;

        must(line->net_minor == (__int128)line->quantity * line->unit_minor);
        must(off >= -5000 && off <= 5000); /* half a minor unit */
        must((off != 5000 && off != -5000) || line->tax_minor % 2 == 0);
        net += line->net_minor;
        tax += line->tax_minor;
    }
    must(invoice->net_minor == net && invoice->tax_minor == tax &&
         invoice->total_minor == net + tax);
    must(invoice->total_minor >= 0);
}

/* What is completed once is complete. */
static void check_number(const char *text)
{
    char full[MR_INVOICE_NUMBER], again[MR_INVOICE_NUMBER];

    if (!mr_invoice_full_number(text, full))
        return;
    must(mr_invoice_full_number(full, again) && strcmp(full, again) == 0);
}

/* A format that is let through prints no two numbers alike, not even where a series looks like another's numbers. */
static void check_format(const char *format)
{
    static const struct {
        const char *series;
        unsigned year;
        int64_t number;
    } numbers[] = {
        {"A",      2026, 1   },
        {"A",      2027, 1   },
        {"A",      2026, 2   },
        {"A",      2026, 2026},
        {"A-2026", 2026, 1   },
        {"A-1",    2026, 1   },
        {"1",      2026, 11  },
        {"11",     2026, 1   },
    };
    char a[MR_NUMBER_PRINT], b[MR_NUMBER_PRINT];

    if (mr_number_format_check(format, true, NULL) != MR_OK)
        return;
    for (size_t i = 0; i < MR_COUNT(numbers); i++)
        for (size_t k = 0; k < i; k++) {
            mr_number_format_print(format, numbers[i].series, numbers[i].year,
                                   numbers[i].number, a);
            mr_number_format_print(format, numbers[k].series, numbers[k].year,
                                   numbers[k].number, b);
            must(strcmp(a, b) != 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};
    char *text = mr_strndup((const char *)bytes, len);
    json_t *data = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    check_number(text);
    check_format(text);
    if (data && mr_invoice_read(data, "INV", &invoice, &err) == MR_OK) {
        check_sums(&invoice);
        mr_invoice_fini(&invoice);
    }
    must(!data || err.text[0] || invoice.n_lines == 0);
    json_decref(data);
    free(text);
    return 0;
}
