#include "jobs/report/format.h"

#include "jobs/report/decimal.h"

#include <string.h>

static bool has_no_format(const struct mr_report_column *c)
{
    return c->decimals < 0 && !c->minor && !c->thousands && !c->point && !c->format &&
           c->type != MR_REPORT_BOOLEAN;
}

bool mr_cell_is_plain(const struct mr_report_column *column, const struct mr_cell *cell)
{
    return !cell->bytes.at || cell->bare || has_no_format(column);
}

/* ---- numbers ---- */

/* ZEROFILL prints 007, and JSON has no such number. */
static struct mr_bytes without_zeros(struct mr_bytes text)
{
    while (text.len > 1 && text.at[0] == '0' && text.at[1] >= '0' && text.at[1] <= '9')
        text = (struct mr_bytes){text.at + 1, text.len - 1};
    return text;
}

static bool is_changed(const struct mr_report_column *column, const struct mr_cell *cell)
{
    return !cell->bare && (column->minor || column->decimals >= 0);
}

bool mr_cell_digits(const struct mr_report_column *column, const struct mr_cell *cell,
                    struct mr_buf *out)
{
    struct mr_decimal number;

    if (!cell->bytes.at || !mr_report_type_is_number(cell->type))
        return false;
    if (!is_changed(column, cell) || !mr_decimal_read(cell->bytes, &number)) {
        struct mr_bytes digits = without_zeros(cell->bytes);

        mr_buf_add(out, digits.at, digits.len);
        return true;
    }
    number.scale += (unsigned)column->minor;
    if (column->decimals >= 0)
        number = mr_decimal_round(number, (unsigned)column->decimals);
    else if (column->minor && number.scale > column->minor)
        number = mr_decimal_round(number, (unsigned)column->minor);
    mr_decimal_print(number, out);
    return true;
}

/* Puts marks between the thousands of the digits that stand in out from `from` on. */
static void mark(const struct mr_report_column *column, struct mr_buf *out, size_t from)
{
    struct mr_buf digits = {0};
    const char *point = column->point ? column->point : ".";

    mr_buf_add(&digits, out->at + from, out->len - from);
    out->len = from;
    const char *at = digits.at;
    if (*at == '-')
        mr_buf_char(out, *at++);
    size_t whole = strspn(at, "0123456789");
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0 && column->thousands)
            mr_buf_text(out, column->thousands);
        mr_buf_char(out, at[i]);
    }
    at += whole;
    if (*at == '.')
        mr_buf_text(out, point), at++;
    mr_buf_text(out, at);
    mr_buf_fini(&digits);
}

/* ---- days ---- */

/* Where in 2026-01-31 08:30:05 the part stands that a format calls by this name. */
static const struct {
    const char *name;
    unsigned at, len;
} parts[] = {
    {"YYYY", 0,  4},
    {"YY",   2,  2},
    {"MM",   5,  2},
    {"DD",   8,  2},
    {"hh",   11, 2},
    {"mm",   14, 2},
    {"ss",   17, 2},
};

static void print_day(const char *format, struct mr_bytes value, struct mr_buf *out)
{
    while (*format) {
        size_t i = 0, len;

        while (i < sizeof(parts) / sizeof(*parts) &&
               strncmp(format, parts[i].name, strlen(parts[i].name)) != 0)
            i++;
        if (i == sizeof(parts) / sizeof(*parts)) {
            mr_buf_char(out, *format++);
            continue;
        }
        len = strlen(parts[i].name);
        if (parts[i].at + parts[i].len <= value.len)
            mr_buf_add(out, value.at + parts[i].at, parts[i].len);
        else
            mr_buf_add(out, "00", 2); /* a date has no time */
        format += len;
    }
}

/* ---- the whole ---- */

bool mr_cell_is_true(const struct mr_cell *cell)
{
    return cell->bytes.at && !mr_bytes_is(cell->bytes, "0") &&
           !mr_bytes_is(cell->bytes, "false");
}

static void print_formatted(const struct mr_report_column *column, const struct mr_cell *cell,
                            struct mr_buf *out)
{
    size_t from = out->len;

    if (mr_cell_digits(column, cell, out)) {
        if (column->thousands || column->point)
            mark(column, out, from);
    } else if (cell->type == MR_REPORT_BOOLEAN) {
        bool yes = mr_cell_is_true(cell);

        mr_buf_text(out, column->n_words ? column->words[!yes] : yes ? "true" : "false");
    } else if (column->format && cell->type != MR_REPORT_TEXT) {
        print_day(column->format, cell->bytes, out);
    } else {
        mr_buf_add(out, cell->bytes.at, cell->bytes.len);
    }
}

void mr_cell_print(const struct mr_report_column *column, const struct mr_cell *cell,
                   struct mr_buf *out)
{
    if (!cell->bytes.at)
        return;
    if (mr_cell_is_plain(column, cell))
        mr_buf_add(out, cell->bytes.at, cell->bytes.len);
    else
        print_formatted(column, cell, out);
}
