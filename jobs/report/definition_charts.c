/* The charts of a definition. */
#include "jobs/report/definition_own.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CHART(member) MR_OPTION_AT(struct mr_report_chart, member)

/* clang-format off */
static const struct mr_option chart_rows[] = {
    {"type", &mr_option_choice, CHART(kind), "bar", MR_CHART_KINDS, 0, "what it looks like"},
    {"title", &mr_option_text, CHART(title), NULL, NULL, 0, "stands above it"},
    {"x", &mr_option_text, CHART(x), NULL, NULL, 0, "the column that labels its points"},
    {"y", &mr_option_texts, MR_OPTION_LIST_AT(struct mr_report_chart, y, n_y), NULL, NULL, 0,
     "columns of numbers, a series each"},
    {"points", &mr_option_count, CHART(max_points), "30", "1..200", 0,
     "it has at most so many; a pie sums up the rest"},
};
/* clang-format on */
static const struct mr_option_table chart_table = {chart_rows, MR_COUNT(chart_rows)};

const struct mr_option_type mr_definition_charts = {
    .name = "map of charts",
    .read = mr_options_read_entries,
    .entries = &chart_table,
    .is_name = mr_definition_is_name,
    .name_rule = "charts are called by 1 to 64 of A-Z a-z 0-9 _, no digit in front",
};

static void complain(struct mr_reading *r, const struct mr_report_chart *chart,
                     const char *member, const char *what)
{
    mr_config_errors_add(r->errors, mr_reading_place(r, "charts", chart->name, member),
                         "charts.%s.%s %s", chart->name, member, what);
}

static void check_x(struct mr_reading *r, struct mr_report_chart *chart)
{
    struct mr_place at = mr_reading_place(r, "charts", chart->name, "x");

    if (!chart->x) {
        complain(r, chart, "x", "must name the column of its labels");
        return;
    }
    if (!mr_reading_column(r, at, "x", chart->x, &chart->x_at))
        return;
    for (unsigned i = 0; i < r->report->n_groups; i++)
        if (strcmp(r->report->groups[i], chart->x) == 0)
            chart->level = i + 1;
}

static void check_series(struct mr_reading *r, struct mr_report_chart *chart, unsigned i)
{
    struct mr_place at = mr_reading_place(r, "charts", chart->name, "y");

    if (!mr_reading_column(r, at, "y", chart->y[i], &chart->y_at[i]))
        return;
    const struct mr_report_column *column = &r->report->columns[chart->y_at[i]];
    bool counted = chart->level && column->total == MR_TOTAL_COUNT;
    if (!mr_column_is_number(column) && !counted)
        complain(r, chart, "y", "must name columns of numbers");
    else if (chart->level && column->total == MR_TOTAL_NONE)
        complain(r, chart, "y", "must name columns with a total, as x is a group");
}

static void check_chart(struct mr_reading *r, struct mr_report_chart *chart)
{
    check_x(r, chart);
    if (chart->n_y == 0)
        complain(r, chart, "y", "must name the columns of its numbers");
    else if (chart->n_y > MR_CHART_SERIES_MAX)
        complain(r, chart, "y", "must be at most 8 columns");
    else if (chart->kind == MR_CHART_PIE && chart->n_y > 1)
        complain(r, chart, "y", "of a pie must be one column");
    else
        for (unsigned i = 0; i < chart->n_y; i++)
            check_series(r, chart, i);
}

void mr_reading_charts(struct mr_reading *r, const json_t *entries)
{
    struct mr_report *report = r->report;
    const char *name;
    json_t *entry;

    report->charts = mr_zalloc_array(json_object_size(entries) + 1, sizeof(*report->charts));
    json_object_foreach((json_t *)(uintptr_t)entries, name, entry)
    {
        struct mr_report_chart *chart = &report->charts[report->n_charts++];

        chart->name = mr_strdup(name);
        mr_options_fill(&chart_table, entry, chart);
        check_chart(r, chart);
    }
}

void mr_definition_charts_fini(struct mr_report *report)
{
    for (unsigned i = 0; i < report->n_charts; i++) {
        free(report->charts[i].name);
        mr_options_empty(&chart_table, &report->charts[i]);
    }
    free(report->charts);
}
