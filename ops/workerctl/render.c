#include "ops/workerctl/render.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

struct mr_table {
    size_t n_columns, n_rows;
    char **cells; /* row by row, the titles first */
    bool *right;
};

void mr_render_safe(const char *text, struct mr_buf *out)
{
    mbstate_t state = {0};

    while (*text) {
        wchar_t c = 0;
        size_t len = mbrtowc(&c, text, strlen(text), &state);

        if (len == (size_t)-1 || len == (size_t)-2 || !iswprint((wint_t)c)) {
            mr_buf_printf(out, "\\x%02x", (unsigned char)*text++);
            state = (mbstate_t){0};
        } else {
            mr_buf_add(out, text, len);
            text += len;
        }
    }
}

/* Cells are safe when they are measured, so every character has a width. */
static size_t columns(const char *text)
{
    mbstate_t state = {0};
    size_t sum = 0;

    for (size_t left = strlen(text); left > 0;) {
        wchar_t c = 0;
        size_t len = mbrtowc(&c, text, left, &state);
        int width = wcwidth(c);

        sum += width > 0 ? (size_t)width : 0;
        text += len;
        left -= len;
    }
    return sum;
}

static void add_row(struct mr_table *table, const char *const *cells)
{
    size_t n = table->n_columns;

    table->cells = mr_realloc(table->cells, (table->n_rows + 1) * n * sizeof(*table->cells));
    for (size_t i = 0; i < n; i++) {
        struct mr_buf safe = {0};

        mr_render_safe(cells[i] ? cells[i] : "-", &safe);
        table->cells[table->n_rows * n + i] = mr_buf_steal(&safe);
    }
    table->n_rows++;
}

struct mr_table *mr_table_new(const char *const *titles, size_t n)
{
    struct mr_table *table = mr_zalloc(sizeof(*table));
    const char **names = mr_zalloc_array(n, sizeof(*names));

    table->n_columns = n;
    table->right = mr_zalloc_array(n, sizeof(*table->right));
    for (size_t i = 0; i < n; i++) {
        table->right[i] = titles[i][0] == '>';
        names[i] = titles[i] + table->right[i];
    }
    add_row(table, names);
    free(names);
    return table;
}

void mr_table_add(struct mr_table *table, const char *const *cells)
{
    add_row(table, cells);
}

size_t mr_table_rows(const struct mr_table *table)
{
    return table->n_rows - 1;
}

static size_t widest(const struct mr_table *table, size_t column)
{
    size_t width = 0;

    for (size_t r = 0; r < table->n_rows; r++) {
        size_t has = columns(table->cells[r * table->n_columns + column]);

        width = has > width ? has : width;
    }
    return width;
}

static void pad(struct mr_buf *out, size_t n)
{
    while (n-- > 0)
        mr_buf_char(out, ' ');
}

/* Nothing is padded behind the last column: no line ends in blanks. */
static void print_row(const struct mr_table *table, size_t row, const size_t *widths,
                      struct mr_buf *out)
{
    for (size_t c = 0; c < table->n_columns; c++) {
        const char *cell = table->cells[row * table->n_columns + c];
        size_t room = widths[c] - columns(cell);

        pad(out, c ? 2 : 0);
        pad(out, table->right[c] ? room : 0);
        mr_buf_text(out, cell);
        pad(out, table->right[c] || c + 1 == table->n_columns ? 0 : room);
    }
    mr_buf_char(out, '\n');
}

void mr_table_print(const struct mr_table *table, struct mr_buf *out)
{
    size_t *widths = mr_zalloc_array(table->n_columns, sizeof(*widths));

    for (size_t c = 0; c < table->n_columns; c++)
        widths[c] = widest(table, c);
    for (size_t r = 0; r < table->n_rows; r++)
        print_row(table, r, widths, out);
    free(widths);
}

void mr_table_free(struct mr_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->right);
    free(table);
}

void mr_table_say(struct mr_table *table)
{
    struct mr_buf out = {0};

    mr_table_print(table, &out);
    mr_table_free(table);
    fputs(out.at ? out.at : "", stdout);
    mr_buf_fini(&out);
}

void mr_render_span(double seconds, char *out)
{
    static const struct {
        uint64_t s;
        char name;
    } units[] = {
        {86400, 'd'},
        {3600,  'h'},
        {60,    'm'},
        {1,     's'},
    };
    uint64_t left = seconds > 0 ? (uint64_t)seconds : 0;

    for (size_t u = 0; u < MR_COUNT(units); u++) {
        if (left < units[u].s && units[u].s > 1)
            continue;
        uint64_t rest = left % units[u].s;
        bool two = u + 1 < MR_COUNT(units) && rest / units[u + 1].s > 0;
        int len =
            snprintf(out, 32, "%llu%c", (unsigned long long)(left / units[u].s), units[u].name);
        if (two && len > 0)
            snprintf(out + len, 32 - (size_t)len, "%llu%c",
                     (unsigned long long)(rest / units[u + 1].s), units[u + 1].name);
        return;
    }
}
