/* Any data of an invoice: its sums are those of its lines, added up with room to spare; its number reads back. */
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

static void check_number(const char *series, int64_t number)
{
    char printed[MR_INVOICE_NUMBER], read[MR_INVOICE_NUMBER];
    int64_t again = 0;

    mr_invoice_number(series, number, printed);
    must(mr_invoice_parse_number(printed, read, &again));
    must(strcmp(read, series) == 0 && again == number);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};
    char series[MR_INVOICE_NUMBER], *text = mr_strndup((const char *)bytes, len);
    int64_t number = 0;
    json_t *data = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (mr_invoice_parse_number(text, series, &number))
        check_number(series, number);
    if (data && mr_invoice_read(data, "INV", &invoice, &err) == MR_OK) {
        check_sums(&invoice);
        check_number(invoice.series, 999999999999);
        mr_invoice_fini(&invoice);
    }
    must(!data || err.text[0] || invoice.n_lines == 0);
    json_decref(data);
    free(text);
    return 0;
}
