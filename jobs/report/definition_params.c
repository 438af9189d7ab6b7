/* The parameters of a definition: each by itself, and in the statements that have their names. */
#include "jobs/report/definition_own.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PARAM(member) MR_OPTION_AT(struct mr_param, member)

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
/* clang-format on */
static const struct mr_option_table param_table = {param_rows, MR_COUNT(param_rows)};

const struct mr_option_type mr_definition_params = {
    .name = "map of parameters",
    .read = mr_options_read_entries,
    .entries = &param_table,
    .is_name = mr_definition_is_name,
    .name_rule = "parameters are called by 1 to 64 of A-Z a-z 0-9 _, no digit in front",
};

/* ---- parameters, each by itself ---- */

static bool has_order(enum mr_report_type type)
{
    return type == MR_REPORT_INTEGER || type == MR_REPORT_DATE || type == MR_REPORT_DATETIME;
}

static void complain_of_param(struct mr_reading *r, const struct mr_param *param,
                              const char *member, const char *what)
{
    mr_config_errors_add(r->errors, mr_reading_place(r, "params", param->name, member),
                         "params.%s.%s %s", param->name, member, what);
}

/*
 * Whether text, which stands there as member, can be a value of param. It is replaced by the value's own spelling, or, after a
 * complaint, by nothing.
 */
static void check_text(struct mr_reading *r, const struct mr_param *param, const char *member,
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

static void check_param(struct mr_reading *r, struct mr_param *param)
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

/* ---- the statements and their parameters ---- */

static bool find_param(const struct mr_report *report, const char *name, unsigned *out)
{
    for (unsigned i = 0; i < report->n_params; i++)
        if (strcmp(report->params[i].name, name) == 0)
            return *out = i, true;
    return false;
}

static void complain_of_unknown(struct mr_reading *r, const char *member,
                                const struct mr_statement_place *place)
{
    const struct mr_report *report = r->report;
    const char **names = mr_zalloc_array(report->n_params + 1, sizeof(*names));

    for (unsigned i = 0; i < report->n_params; i++)
        names[i] = report->params[i].name;
    const char *meant = mr_str_nearest(place->name, names, report->n_params);
    mr_config_errors_add(r->errors, mr_reading_place(r, member, "", ""),
                         "%s, line %u: :%s is not declared in params%s%s%s", member,
                         place->line, place->name, meant ? ": did you mean :" : "",
                         meant ? meant : "", meant ? "?" : "");
    free(names);
}

/* Finds each place's parameter, and marks which are used. */
static void bind_places(struct mr_reading *r, const char *member, struct mr_report_query *query,
                        bool *used)
{
    const struct mr_report *report = r->report;
    const struct mr_statement *statement = &query->statement;

    query->bound = mr_zalloc_array(statement->n_places + 1, sizeof(*query->bound));
    for (unsigned i = 0; i < statement->n_places; i++) {
        if (find_param(report, statement->places[i].name, &query->bound[i]))
            used[query->bound[i]] = true;
        else
            complain_of_unknown(r, member, &statement->places[i]);
    }
}

static void complain_of_unused(struct mr_reading *r, const bool *used)
{
    for (unsigned i = 0; i < r->report->n_params; i++) {
        const char *name = r->report->params[i].name;

        if (!used[i])
            mr_config_errors_add(r->errors, mr_reading_place(r, "params", name, ""),
                                 "params.%s is declared, and sql has no :%s", name, name);
    }
}

/* False where it could not be read. */
static bool read_query(struct mr_reading *r, const char *member, const char *sql,
                       struct mr_report_query *query, bool *used)
{
    struct mr_err why;

    if (mr_statement_parse(sql, &query->statement, &why) != MR_OK) {
        mr_config_errors_add(r->errors, mr_reading_place(r, member, "", ""), "%s, %s", member,
                             why.text);
        return false;
    }
    bind_places(r, member, query, used);
    return true;
}

void mr_reading_sql(struct mr_reading *r, const char *sql, const char *count)
{
    bool *used = mr_zalloc_array(r->report->n_params + 1, sizeof(*used));

    if (count)
        read_query(r, "count", count, &r->report->count, used);
    if (!sql)
        mr_config_errors_add(r->errors, mr_reading_place(r, "sql", "", ""),
                             "sql must say what the report selects");
    else if (read_query(r, "sql", sql, &r->report->rows, used))
        complain_of_unused(r, used);
    free(used);
}

/* ---- the whole ---- */

void mr_reading_params(struct mr_reading *r, const json_t *entries)
{
    struct mr_report *report = r->report;
    const char *name;
    json_t *entry;

    report->params = mr_zalloc_array(json_object_size(entries) + 1, sizeof(*report->params));
    json_object_foreach((json_t *)(uintptr_t)entries, name, entry)
    {
        struct mr_param *param = &report->params[report->n_params++];

        param->name = mr_strdup(name);
        mr_options_fill(&param_table, entry, param);
    }
    for (unsigned i = 0; i < report->n_params; i++)
        check_param(r, &report->params[i]);
}

void mr_definition_params_fini(struct mr_report *report)
{
    for (unsigned i = 0; i < report->n_params; i++) {
        free(report->params[i].name);
        mr_options_empty(&param_table, &report->params[i]);
    }
    free(report->params);
}
