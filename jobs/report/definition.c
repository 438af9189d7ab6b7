#include "jobs/report/definition.h"

#include "jobs/report/definition_own.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

static const char *const format_words[] = {
    [MR_FORMAT_CSV] = "csv",
    [MR_FORMAT_JSONL] = "jsonl",
    [MR_FORMAT_XLSX] = "xlsx",
    [MR_FORMAT_PDF] = "pdf",
};

/* ---- the tables ---- */

bool mr_definition_is_name(struct mr_bytes name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || (*name.at >= '0' && *name.at <= '9'))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_')
            return false;
    }
    return true;
}

static bool is_column_name(struct mr_bytes name)
{
    return name.len > 0;
}

static const struct mr_option_type columns = {
    .name = "map of columns",
    .read = mr_options_read_entries,
    .entries = &mr_column_table,
    .is_name = is_column_name,
    .name_rule = "a column is called as in the result",
};

#define REPORT(member) MR_OPTION_AT(struct mr_report, member)

/* clang-format off */
static const struct mr_option report_rows[] = {
    {"title", &mr_option_text, REPORT(title), NULL, NULL, 0, "what the report is, for people"},
    {"sql", &mr_option_text, MR_OPTION_TREE, NULL, NULL, 0,
     "one SELECT; :name is the value of that parameter"},
    {"count", &mr_option_text, MR_OPTION_TREE, NULL, NULL, 0,
     "a SELECT whose first value is the number of rows, for the progress in percent"},
    {"params", &mr_definition_params, MR_OPTION_TREE, NULL, NULL, 0, "parameters by name"},
    {"columns", &columns, MR_OPTION_TREE, NULL, NULL, 0,
     "columns of the file in their order, by their names in the result"},
    {"format", &mr_option_texts, MR_OPTION_TREE, "csv", NULL, 0,
     "csv, jsonl, xlsx, pdf: the forms that a job may choose; the first is meant where it says nothing"},
    {"compress", &mr_option_choice, REPORT(compress), "none", MR_COMPRESS_WORDS, 0,
     "how the file is compressed, unless a job says otherwise"},
    {"csv.bom", &mr_option_bool, REPORT(bom), "false", NULL, 0,
     "true: with the mark by which spreadsheets know UTF-8"},
    {"csv.separator", &mr_option_choice, REPORT(separator), "comma", MR_REPORT_SEPARATORS, 0,
     "what stands between fields"},
    {"groups", &mr_option_texts, MR_OPTION_LIST_AT(struct mr_report, groups, n_groups), NULL, NULL, 0,
     "the leading columns by which the rows are grouped, a total row behind each group"},
    {"total", &mr_option_bool, REPORT(total), "true", NULL, 0,
     "false: no total row at the end, where columns have totals"},
    {"total_label", &mr_option_text, REPORT(total_label), "Total", NULL, 0, "what total rows are called"},
    {"charts", &mr_definition_charts, MR_OPTION_TREE, NULL, NULL, 0, "charts of a PDF or XLSX file, by name"},
    {"mail.to", &mr_option_texts, MR_OPTION_LIST_AT(struct mr_report, mail.to, mail.n_to), NULL, NULL, 0,
     "who gets the file by mail"},
    {"mail.subject", &mr_option_text, REPORT(mail.subject), NULL, NULL, 0, "of a mail without a template (default: the title)"},
    {"mail.template", &mr_option_text, REPORT(mail.template), NULL, NULL, 0, "as in email.send"},
    {"mail.queue", &mr_option_text, REPORT(mail.queue), NULL, NULL, 0, "where the mail's job goes (default: the report's own queue)"},
    {"mail.as", &mr_option_choice, REPORT(mail.as), "attachment", MR_REPORT_MAIL_AS, 0,
     "the file itself, or a link to it"},
    {"mail.expires", &mr_option_ms, REPORT(mail.expires_ms), "7d", "1s..7d", 0, "how long a link works"},
    {"archive.from", &mr_option_text, REPORT(archive.from), NULL, NULL, 0, "the table that old rows leave"},
    {"archive.to", &mr_option_text, REPORT(archive.to), NULL, NULL, 0, "the table that gets them"},
    {"archive.column", &mr_option_text, REPORT(archive.column), NULL, NULL, 0,
     "the date or time by which a row's age counts"},
    {"archive.older_than", &mr_option_ms, REPORT(archive.older_than_ms), NULL, "1m..36500d", 0,
     "rows of this age are moved"},
    {"archive.key", &mr_option_text, REPORT(archive.key), "id", NULL, 0,
     "the column that batches are ranges of; it leads an index and is never NULL"},
    {"archive.batch", &mr_option_count, REPORT(archive.batch), "1000", "1..100000", 0,
     "rows that one transaction moves"},
    {"archive.pause", &mr_option_ms, REPORT(archive.pause_ms), "50ms", "0..1m", 0,
     "between two batches"},
    {"archive.create", &mr_option_bool, REPORT(archive.create), "false", NULL, 0,
     "true: the second table is made like the first where it is missing"},
    {"max_rows", &mr_option_count, REPORT(max_rows), NULL, "1..1000000000", 0,
     "with more, it fails (default: reports.max_rows)"},
    {"max_size", &mr_option_bytes, REPORT(max_bytes), NULL, "1KiB..1TiB", 0,
     "with a larger file, it fails (default: reports.max_size)"},
    {"timeout", &mr_option_ms, REPORT(timeout_ms), NULL, "100ms..1d", 0,
     "the statement is killed then (default: mysql.statement_timeout)"},
};
/* clang-format on */
static const struct mr_option_table report_table = {report_rows, MR_COUNT(report_rows)};

/* ---- what the parts share ---- */

struct mr_place mr_reading_place(const struct mr_reading *r, const char *group,
                                 const char *name, const char *member)
{
    const struct mr_yaml *at = mr_yaml_get(r->root, group);
    const struct mr_yaml *entry = mr_yaml_get(at, name);
    const struct mr_yaml *value = mr_yaml_get(entry, member);

    if (value)
        return value->at;
    return entry ? entry->key_at : at ? at->at : r->root->at;
}

bool mr_reading_column(struct mr_reading *r, struct mr_place at, const char *member,
                       const char *name, unsigned *out)
{
    const struct mr_report *report = r->report;
    const char **names = mr_zalloc_array(report->n_columns + 1, sizeof(*names));
    bool found = false;

    for (unsigned i = 0; i < report->n_columns; i++) {
        names[i] = report->columns[i].name;
        if (!found && strcmp(names[i], name) == 0) {
            *out = i;
            found = true;
        }
    }
    const char *meant = found ? NULL : mr_str_nearest(name, names, report->n_columns);
    if (!found)
        mr_config_errors_add(r->errors, at, "%s: there is no column \"%s\"%s%s%s", member, name,
                             meant ? ": did you mean \"" : "", meant ? meant : "",
                             meant ? "\"?" : "");
    free(names);
    return found;
}

/* ---- columns and their groups ---- */

static void check_column(struct mr_reading *r, const struct mr_report_column *column)
{
    const char *member, *what;

    if (mr_column_is_wrong(column, &member, &what))
        mr_config_errors_add(r->errors, mr_reading_place(r, "columns", column->name, member),
                             "columns.%s.%s %s", column->name, member, what);
    r->report->has_totals = r->report->has_totals || column->total != MR_TOTAL_NONE;
}

static void read_columns(struct mr_reading *r, json_t *entries)
{
    struct mr_report *report = r->report;
    const char *name;
    json_t *entry;

    if (json_object_size(entries) == 0)
        mr_config_errors_add(r->errors, mr_reading_place(r, "columns", "", ""),
                             "columns must say which columns the file has");
    report->columns = mr_zalloc_array(json_object_size(entries) + 1, sizeof(*report->columns));
    json_object_foreach(entries, name, entry)
    {
        struct mr_report_column *column = &report->columns[report->n_columns++];

        column->name = mr_strdup(name);
        mr_options_fill(&mr_column_table, entry, column);
        check_column(r, column);
    }
}

/* A group is what stands together: its columns lead, in their order. */
static void check_groups(struct mr_reading *r)
{
    const struct mr_report *report = r->report;
    struct mr_place at = mr_reading_place(r, "groups", "", "");
    unsigned column;

    if (report->n_groups > MR_REPORT_GROUPS_MAX)
        mr_config_errors_add(r->errors, at, "groups must be at most %d", MR_REPORT_GROUPS_MAX);
    for (unsigned i = 0; i < report->n_groups; i++)
        if (mr_reading_column(r, at, "groups", report->groups[i], &column) && column != i)
            mr_config_errors_add(r->errors, at,
                                 "groups must be the first columns, in their order: column %u "
                                 "is not \"%s\"",
                                 i + 1, report->groups[i]);
        else if (column == i && report->columns[i].total != MR_TOTAL_NONE)
            mr_config_errors_add(
                r->errors, mr_reading_place(r, "columns", report->groups[i], "total"),
                "columns.%s.total cannot be where rows are grouped by it", report->groups[i]);
    if (report->n_groups && !report->has_totals)
        mr_config_errors_add(r->errors, at,
                             "groups need a column with a total: nothing would stand in "
                             "their rows");
}

/* ---- forms ---- */

bool mr_report_format_read(const char *text, enum mr_report_format *out)
{
    for (unsigned i = 0; i < MR_COUNT(format_words); i++)
        if (strcmp(format_words[i], text) == 0)
            return *out = (enum mr_report_format)i, true;
    return false;
}

const char *mr_report_format_word(enum mr_report_format format)
{
    return format_words[format];
}

bool mr_report_allows(const struct mr_report *report, enum mr_report_format format)
{
    for (unsigned i = 0; i < report->n_formats; i++)
        if (report->formats[i] == format)
            return true;
    return false;
}

static void read_formats(struct mr_reading *r, const json_t *words)
{
    struct mr_report *report = r->report;
    struct mr_place at = mr_reading_place(r, "format", "", "");
    enum mr_report_format format;
    size_t i;
    json_t *word;

    json_array_foreach(words, i, word)
    {
        const char *text = json_string_value(word);

        if (!mr_report_format_read(text, &format))
            mr_config_errors_add(r->errors, at,
                                 "format must be of csv, jsonl, xlsx, pdf, got \"%s\"", text);
        else if (!mr_report_allows(report, format))
            report->formats[report->n_formats++] = format;
    }
    if (json_array_size(words) == 0)
        mr_config_errors_add(r->errors, at, "format must say which forms there are");
}

/* ---- the whole ---- */

/* What is read, and into what. */
static void read_rows(struct mr_reading *r, const json_t *values)
{
    mr_reading_params(r, json_object_get(values, "params"));
    read_columns(r, json_object_get(values, "columns"));
    check_groups(r);
    read_formats(r, json_object_get(values, "format"));
    mr_reading_charts(r, json_object_get(values, "charts"));
    mr_reading_sql(r, json_string_value(json_object_get(values, "sql")),
                   json_string_value(json_object_get(values, "count")));
}

static void read_report(struct mr_reading *r)
{
    json_t *values = mr_options_read(&report_table, r->root, "", r->errors);

    mr_options_fill(&report_table, values, r->report);
    if (mr_yaml_get(r->root, "archive"))
        mr_reading_archive(r);
    else
        read_rows(r, values);
    json_decref(values);
}

enum mr_code mr_report_parse(const char *bytes, size_t len, const char *origin,
                             struct mr_report *out, struct mr_config_errors *errors)
{
    struct mr_report report = {.origin = mr_strdup(origin)};
    struct mr_yaml *root = NULL;
    struct mr_reading r = {.errors = errors, .report = &report};

    if (mr_yaml_parse(bytes, len, origin, &root, errors) == MR_OK) {
        r.root = root;
        read_report(&r);
        mr_yaml_free(root);
    }
    if (errors->n_lines) {
        mr_report_fini(&report);
        return MR_EINVAL;
    }
    *out = report;
    return MR_OK;
}

void mr_report_fini(struct mr_report *report)
{
    for (unsigned i = 0; i < report->n_columns; i++) {
        free(report->columns[i].name);
        mr_options_empty(&mr_column_table, &report->columns[i]);
    }
    free(report->columns);
    free(report->origin);
    mr_definition_params_fini(report);
    mr_definition_charts_fini(report);
    free(report->rows.bound);
    free(report->count.bound);
    mr_statement_fini(&report->rows.statement);
    mr_statement_fini(&report->count.statement);
    mr_options_empty(&report_table, report);
    *report = (struct mr_report){0};
}
