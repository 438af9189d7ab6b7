#include "jobs/report/definition.h"

#include "proto/base/mem.h"
#include "proto/options.h"
#include "proto/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

/* ---- the tables ---- */

#define PARAM(member) MR_OPTION_AT(struct mr_param, member)
#define COLUMN(member) MR_OPTION_AT(struct mr_report_column, member)
#define REPORT(member) MR_OPTION_AT(struct mr_report, member)

/* clang-format off */
static const struct mr_option param_rows[] = {
    {"type", &mr_option_choice, PARAM(type), "text", MR_REPORT_PARAM_TYPES, 0,
     "what a job may give"},
    {"required", &mr_option_bool, PARAM(required), "true", NULL, 0,
     "false: a job may leave it out, and the statement gets NULL"},
    {"default", &mr_option_text, PARAM(fallback), NULL, NULL, 0,
     "its value where a job leaves it out"},
    {"min", &mr_option_text, PARAM(min), NULL, NULL, 0, "of an integer, a date or a datetime"},
    {"max", &mr_option_text, PARAM(max), NULL, NULL, 0, "likewise"},
    {"choices", &mr_option_texts, MR_OPTION_LIST_AT(struct mr_param, choices, n_choices), NULL, NULL, 0,
     "all that a text may be"},
};
static const struct mr_option_table param_table = {param_rows, MR_COUNT(param_rows)};

static const struct mr_option column_rows[] = {
    {"title", &mr_option_text, COLUMN(title), NULL, NULL, 0, "stands in the file's first row"},
    {"type", &mr_option_choice, COLUMN(type), "text", MR_REPORT_COLUMN_TYPES, 0,
     "what its values are"},
};
static const struct mr_option_table column_table = {column_rows, MR_COUNT(column_rows)};
/* clang-format on */

static bool is_param_name(struct mr_bytes name)
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

static const struct mr_option_type params = {
    .name = "map of parameters",
    .read = mr_options_read_entries,
    .entries = &param_table,
    .is_name = is_param_name,
    .name_rule = "parameters are called by 1 to 64 of A-Z a-z 0-9 _, no digit in front",
};
static const struct mr_option_type columns = {
    .name = "map of columns",
    .read = mr_options_read_entries,
    .entries = &column_table,
    .is_name = is_column_name,
    .name_rule = "a column is called as in the result",
};

/* clang-format off */
static const struct mr_option report_rows[] = {
    {"title", &mr_option_text, REPORT(title), NULL, NULL, 0, "what the report is, for people"},
    {"sql", &mr_option_text, MR_OPTION_TREE, NULL, NULL, 0,
     "one SELECT; :name is the value of that parameter"},
    {"params", &params, MR_OPTION_TREE, NULL, NULL, 0, "parameters by name"},
    {"columns", &columns, MR_OPTION_TREE, NULL, NULL, 0,
     "columns of the file in their order, by their names in the result"},
    {"max_rows", &mr_option_count, REPORT(max_rows), NULL, "1..1000000000", 0,
     "with more, it fails (default: reports.max_rows)"},
    {"max_size", &mr_option_bytes, REPORT(max_bytes), NULL, "1KiB..1TiB", 0,
     "with a larger file, it fails (default: reports.max_size)"},
    {"timeout", &mr_option_ms, REPORT(timeout_ms), NULL, "100ms..1d", 0,
     "the statement is killed then (default: mysql.statement_timeout)"},
};
/* clang-format on */
static const struct mr_option_table report_table = {report_rows, MR_COUNT(report_rows)};

/* ---- reading ---- */

/* One definition on its way from the document into report. */
struct reading {
    const struct mr_yaml *root;
    struct mr_config_errors *errors;
    struct mr_report *report;
};

/* Where root.params.from.default and the like stand; the nearest that is there. */
static struct mr_place place_of(const struct reading *r, const char *group, const char *name,
                                const char *member)
{
    const struct mr_yaml *at = mr_yaml_get(r->root, group);
    const struct mr_yaml *entry = mr_yaml_get(at, name);
    const struct mr_yaml *value = mr_yaml_get(entry, member);

    if (value)
        return value->at;
    return entry ? entry->key_at : at ? at->at : r->root->at;
}

static void read_params(struct reading *r, json_t *entries)
{
    struct mr_report *report = r->report;
    const char *name;
    json_t *entry;

    report->params = mr_zalloc_array(json_object_size(entries) + 1, sizeof(*report->params));
    json_object_foreach(entries, name, entry)
    {
        struct mr_param *param = &report->params[report->n_params++];

        param->name = mr_strdup(name);
        mr_options_fill(&param_table, entry, param);
    }
}

static void read_columns(struct reading *r, json_t *entries)
{
    struct mr_report *report = r->report;
    const char *name;
    json_t *entry;

    if (json_object_size(entries) == 0)
        mr_config_errors_add(r->errors, place_of(r, "columns", "", ""),
                             "columns must say which columns the file has");
    report->columns = mr_zalloc_array(json_object_size(entries) + 1, sizeof(*report->columns));
    json_object_foreach(entries, name, entry)
    {
        struct mr_report_column *column = &report->columns[report->n_columns++];

        column->name = mr_strdup(name);
        mr_options_fill(&column_table, entry, column);
    }
}

/* ---- parameters, each by itself ---- */

static bool has_order(enum mr_report_type type)
{
    return type == MR_REPORT_INTEGER || type == MR_REPORT_DATE || type == MR_REPORT_DATETIME;
}

static void complain_of_param(struct reading *r, const struct mr_param *param,
                              const char *member, const char *what)
{
    mr_config_errors_add(r->errors, place_of(r, "params", param->name, member),
                         "params.%s.%s %s", param->name, member, what);
}

/*
 * Whether text, which stands there as member, can be a value of param. It is replaced by the value's own spelling, or, after a
 * complaint, by nothing.
 */
static void check_text(struct reading *r, const struct mr_param *param, const char *member,
                       char **text)
{
    struct mr_param_value value = {0};
    struct mr_err why;

    if (!*text)
        return;
    if (mr_param_read_text(param, *text, &value, &why) != MR_OK)
        complain_of_param(r, param, member, why.text);
    free(*text);
    *text = value.text.at;
}

static void check_param(struct reading *r, struct mr_param *param)
{
    struct mr_param bound = {.name = param->name, .type = param->type};
    const struct mr_yaml *entry = mr_yaml_get(mr_yaml_get(r->root, "params"), param->name);

    if ((param->min || param->max) && !has_order(param->type)) {
        complain_of_param(r, param, param->min ? "min" : "max",
                          "is for an integer, a date or a datetime");
        return;
    }
    check_text(r, &bound, "max", &param->max);
    bound.max = param->max;
    check_text(r, &bound, "min", &param->min);
    check_text(r, param, "default", &param->fallback);
    if (param->n_choices && param->type != MR_REPORT_TEXT)
        complain_of_param(r, param, "choices", "are for a text");
    if (param->fallback && param->required && mr_yaml_get(entry, "required"))
        complain_of_param(r, param, "required", "cannot be where there is a default");
}

/* ---- the statement and its parameters ---- */

static bool find_param(const struct mr_report *report, const char *name, unsigned *out)
{
    for (unsigned i = 0; i < report->n_params; i++)
        if (strcmp(report->params[i].name, name) == 0)
            return *out = i, true;
    return false;
}

static void complain_of_unknown(struct reading *r, const struct mr_statement_place *place)
{
    const struct mr_report *report = r->report;
    const char **names = mr_zalloc_array(report->n_params + 1, sizeof(*names));

    for (unsigned i = 0; i < report->n_params; i++)
        names[i] = report->params[i].name;
    const char *meant = mr_str_nearest(place->name, names, report->n_params);
    mr_config_errors_add(r->errors, place_of(r, "sql", "", ""),
                         "sql, line %u: :%s is not declared in params%s%s%s", place->line,
                         place->name, meant ? ": did you mean :" : "", meant ? meant : "",
                         meant ? "?" : "");
    free(names);
}

static void bind_places(struct reading *r)
{
    struct mr_report *report = r->report;
    const struct mr_statement *statement = &report->statement;
    bool *used = mr_zalloc_array(report->n_params + 1, sizeof(*used));

    report->bound = mr_zalloc_array(statement->n_places + 1, sizeof(*report->bound));
    for (unsigned i = 0; i < statement->n_places; i++) {
        if (find_param(report, statement->places[i].name, &report->bound[i]))
            used[report->bound[i]] = true;
        else
            complain_of_unknown(r, &statement->places[i]);
    }
    for (unsigned i = 0; i < report->n_params; i++) {
        const char *name = report->params[i].name;

        if (!used[i])
            mr_config_errors_add(r->errors, place_of(r, "params", name, ""),
                                 "params.%s is declared, and sql has no :%s", name, name);
    }
    free(used);
}

static void read_sql(struct reading *r, const char *sql)
{
    struct mr_place at = place_of(r, "sql", "", "");
    struct mr_err why;

    if (!sql)
        mr_config_errors_add(r->errors, at, "sql must say what the report selects");
    else if (mr_statement_parse(sql, &r->report->statement, &why) != MR_OK)
        mr_config_errors_add(r->errors, at, "sql, %s", why.text);
    else
        bind_places(r);
}

/* ---- the whole ---- */

static void read_report(struct reading *r)
{
    json_t *values = mr_options_read(&report_table, r->root, "", r->errors);

    mr_options_fill(&report_table, values, r->report);
    read_params(r, json_object_get(values, "params"));
    read_columns(r, json_object_get(values, "columns"));
    for (unsigned i = 0; i < r->report->n_params; i++)
        check_param(r, &r->report->params[i]);
    read_sql(r, json_string_value(json_object_get(values, "sql")));
    json_decref(values);
}

enum mr_code mr_report_parse(const char *bytes, size_t len, const char *origin,
                             struct mr_report *out, struct mr_config_errors *errors)
{
    struct mr_report report = {.origin = mr_strdup(origin)};
    struct mr_yaml *root = NULL;
    struct reading r = {.errors = errors, .report = &report};

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
    for (unsigned i = 0; i < report->n_params; i++) {
        free(report->params[i].name);
        mr_options_empty(&param_table, &report->params[i]);
    }
    for (unsigned i = 0; i < report->n_columns; i++) {
        free(report->columns[i].name);
        mr_options_empty(&column_table, &report->columns[i]);
    }
    free(report->origin);
    free(report->params);
    free(report->columns);
    free(report->bound);
    mr_options_empty(&report_table, report);
    mr_statement_fini(&report->statement);
    *report = (struct mr_report){0};
}
