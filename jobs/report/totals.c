#include "jobs/report/totals.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

void mr_totals_init(struct mr_totals *totals, const struct mr_report *report)
{
    totals->report = report;
    totals->columns = mr_zalloc_array(report->n_columns, sizeof(*totals->columns));
}

void mr_totals_fini(struct mr_totals *totals)
{
    for (unsigned i = 0; totals->columns && i < totals->report->n_columns; i++)
        mr_buf_fini(&totals->columns[i].text);
    free(totals->columns);
    *totals = (struct mr_totals){0};
}

void mr_totals_clear(struct mr_totals *totals)
{
    for (unsigned i = 0; i < totals->report->n_columns; i++) {
        struct mr_buf text = totals->columns[i].text;

        mr_buf_clear(&text);
        totals->columns[i] = (struct mr_total){.text = text};
    }
}

/* ---- adding ---- */

/* What has no room among 38 digits was never exact: a server's double, and so is what it is summed up to. */
static void sum(struct mr_total *total, const struct mr_cell *cell)
{
    struct mr_decimal number;

    total->real += strtod(cell->bytes.at, NULL);
    if (!total->rough && (!mr_decimal_read(cell->bytes, &number) ||
                          !mr_decimal_add(total->number, number, &total->number)))
        total->rough = true;
}

static int compare(const struct mr_cell *cell, const struct mr_buf *text)
{
    struct mr_bytes other = {text->at, text->len};
    struct mr_decimal one, two;

    if (mr_report_type_is_number(cell->type)) {
        if (mr_decimal_read(cell->bytes, &one) && mr_decimal_read(other, &two))
            return mr_decimal_compare(one, two);
        double a = strtod(cell->bytes.at, NULL), b = strtod(text->at, NULL);
        return a < b ? -1 : a > b;
    }
    size_t len = cell->bytes.len < other.len ? cell->bytes.len : other.len;
    int order = memcmp(cell->bytes.at, other.at, len);
    return order ? order : cell->bytes.len < other.len ? -1 : cell->bytes.len > other.len;
}

static void keep_best(struct mr_total *total, const struct mr_cell *cell, int wanted)
{
    if (total->n > 1 && compare(cell, &total->text) * wanted <= 0)
        return;
    mr_buf_clear(&total->text);
    mr_buf_add(&total->text, cell->bytes.at, cell->bytes.len);
}

static void add(struct mr_total *total, enum mr_column_total what, const struct mr_cell *cell)
{
    if (!cell->bytes.at || what == MR_TOTAL_NONE)
        return;
    total->n++;
    if (what == MR_TOTAL_SUM || what == MR_TOTAL_AVG)
        sum(total, cell);
    else if (what == MR_TOTAL_MIN)
        keep_best(total, cell, -1);
    else if (what == MR_TOTAL_MAX)
        keep_best(total, cell, 1);
}

void mr_totals_add(struct mr_totals *totals, const struct mr_cell *cells)
{
    for (unsigned i = 0; i < totals->report->n_columns; i++)
        add(&totals->columns[i], totals->report->columns[i].total, &cells[i]);
}

/* ---- reading ---- */

static void print_sum(struct mr_total *total, bool average)
{
    double real = average ? total->real / (double)total->n : total->real;

    mr_buf_clear(&total->text);
    if (total->rough)
        mr_buf_printf(&total->text, "%.15g", real);
    else
        mr_decimal_print(average ? mr_decimal_share(total->number, total->n) : total->number,
                         &total->text);
}

/* As in SQL: of no values, the count is 0 and everything else is nothing. */
static struct mr_cell read_one(struct mr_total *total, const struct mr_report_column *column)
{
    struct mr_cell cell = {.type = column->type};

    if (column->total == MR_TOTAL_COUNT) {
        mr_buf_clear(&total->text);
        mr_buf_u64(&total->text, total->n);
        cell.type = MR_REPORT_INTEGER;
        cell.bare = true;
    } else if (column->total == MR_TOTAL_NONE || total->n == 0) {
        return cell;
    } else if (column->total == MR_TOTAL_SUM || column->total == MR_TOTAL_AVG) {
        print_sum(total, column->total == MR_TOTAL_AVG);
        if (column->total == MR_TOTAL_AVG)
            cell.type = MR_REPORT_DECIMAL;
    }
    cell.bytes = (struct mr_bytes){total->text.at, total->text.len};
    return cell;
}

void mr_totals_read(struct mr_totals *totals, struct mr_cell *out)
{
    for (unsigned i = 0; i < totals->report->n_columns; i++)
        out[i] = read_one(&totals->columns[i], &totals->report->columns[i]);
}
