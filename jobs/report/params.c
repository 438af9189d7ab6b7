#include "jobs/report/params.h"

#include "proto/base/mem.h"
#include "proto/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- a value as text, whoever gave it ---- */

static enum mr_code must_be(struct mr_err *err, const char *what)
{
    return mr_fail(err, MR_EINVAL, "must be %s", what);
}

/* ISO 8601's `T` and `Z` are the blank and the nothing of SQL; either way it is UTC. */
static void normalise(enum mr_report_type type, struct mr_buf *text)
{
    enum { AT_T = 10 };

    if (type != MR_REPORT_DATETIME || text->len <= AT_T)
        return;
    if (text->at[AT_T] == 'T')
        text->at[AT_T] = ' ';
    if (text->at[text->len - 1] == 'Z')
        text->at[--text->len] = '\0';
}

/* Texts of one of the ordered types; those of dates are ordered as their letters are. */
static int compare(enum mr_report_type type, const char *a, const char *b)
{
    int64_t one = 0, two = 0;

    if (type != MR_REPORT_INTEGER)
        return strcmp(a, b);
    mr_option_parse_int(a, &one);
    mr_option_parse_int(b, &two);
    return one < two ? -1 : one > two;
}

static enum mr_code check_bounds(const struct mr_param *param, const char *text,
                                 struct mr_err *err)
{
    if (param->min && compare(param->type, text, param->min) < 0)
        return mr_fail(err, MR_EINVAL, "must be %s or more", param->min);
    if (param->max && compare(param->type, text, param->max) > 0)
        return mr_fail(err, MR_EINVAL, "must be %s or less", param->max);
    return MR_OK;
}

static enum mr_code check_choices(const struct mr_param *param, struct mr_bytes text,
                                  struct mr_err *err)
{
    struct mr_buf known = {0};

    for (unsigned i = 0; i < param->n_choices; i++) {
        if (mr_bytes_is(text, param->choices[i]))
            return mr_buf_fini(&known), MR_OK;
        mr_buf_printf(&known, "%s%s", i ? ", " : "one of ", param->choices[i]);
    }
    if (param->n_choices)
        must_be(err, known.at);
    mr_buf_fini(&known);
    return param->n_choices ? MR_EINVAL : MR_OK;
}

/* Text keeps its digits: the server makes of it what the statement compares it with. */
static struct mr_sql_value bind(enum mr_report_type type, const struct mr_buf *text,
                                int64_t number)
{
    if (type == MR_REPORT_INTEGER)
        return (struct mr_sql_value){.type = MR_SQL_INT, .integer = number};
    if (type == MR_REPORT_BOOLEAN)
        return (struct mr_sql_value){.type = MR_SQL_INT, .integer = *text->at == 't'};
    return (struct mr_sql_value){
        .type = MR_SQL_TEXT, .text = {text->at, text->len}
    };
}

/* Takes text, also when it fails. */
static enum mr_code finish(const struct mr_param *param, struct mr_buf *text,
                           struct mr_param_value *out, struct mr_err *err)
{
    int64_t number = 0;
    enum mr_code code = MR_OK;

    normalise(param->type, text);
    struct mr_bytes bytes = {text->at, text->len};
    if (!mr_report_type_holds(param->type, bytes))
        code = must_be(err, mr_report_type_words(param->type));
    else if (param->type == MR_REPORT_INTEGER && !mr_option_parse_int(text->at, &number))
        code = must_be(err, "a whole number within 64 bits");
    else
        code = check_bounds(param, text->at, err);
    if (code == MR_OK)
        code = check_choices(param, bytes, err);
    if (code != MR_OK) {
        mr_buf_fini(text);
        return code;
    }
    out->text = *text;
    out->sql = bind(param->type, text, number);
    return MR_OK;
}

enum mr_code mr_param_read_text(const struct mr_param *param, const char *text,
                                struct mr_param_value *out, struct mr_err *err)
{
    struct mr_buf copy = {0};

    mr_buf_text(&copy, text);
    return finish(param, &copy, out, err);
}

/* ---- what a job gives ---- */

/*
 * A number in JSON that is no integer has been a double already, and has lost digits that money may need: a decimal comes as text.
 */
static bool to_text(const struct mr_param *param, const json_t *given, struct mr_buf *out)
{
    enum mr_report_type type = param->type;

    if (json_is_boolean(given) && type == MR_REPORT_BOOLEAN)
        mr_buf_text(out, json_is_true(given) ? "true" : "false");
    else if (json_is_integer(given) && mr_report_type_is_number(type))
        mr_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(given));
    else if (json_is_string(given) && type != MR_REPORT_INTEGER && type != MR_REPORT_BOOLEAN)
        mr_buf_add(out, json_string_value(given), json_string_length(given));
    else
        return false;
    return true;
}

static enum mr_code read_given(const struct mr_param *param, const json_t *given,
                               struct mr_param_value *out, struct mr_err *err)
{
    struct mr_buf text = {0};

    if (to_text(param, given, &text))
        return finish(param, &text, out, err);
    return must_be(err, mr_report_type_words(param->type));
}

static enum mr_code read_one(const struct mr_param *param, const json_t *given,
                             struct mr_param_value *out, struct mr_err *err)
{
    struct mr_err why = {0};
    enum mr_code code = MR_OK;

    if (given && !json_is_null(given))
        code = read_given(param, given, out, &why);
    else if (param->fallback)
        code = mr_param_read_text(param, param->fallback, out, &why);
    else if (param->required)
        code = mr_fail(&why, MR_EINVAL, "is missing: it must be %s",
                       mr_report_type_words(param->type));
    if (code != MR_OK)
        return mr_fail(err, code, "data.params.%s %s", param->name, why.text);
    return MR_OK;
}

static bool is_known(const struct mr_param *params, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(params[i].name, name) == 0)
            return true;
    return false;
}

/* "did you mean from?", or all there are. */
static void suggest(const struct mr_param *params, unsigned n, const char *name,
                    struct mr_buf *out)
{
    const char **names = mr_zalloc_array(n + 1, sizeof(*names));

    for (unsigned i = 0; i < n; i++)
        names[i] = params[i].name;
    const char *meant = mr_str_nearest(name, names, n);
    if (meant)
        mr_buf_printf(out, "did you mean %s?", meant);
    else
        mr_buf_text(out, n ? "it has " : "it has none");
    for (unsigned i = 0; !meant && i < n; i++)
        mr_buf_printf(out, "%s%s", i ? ", " : "", names[i]);
    free(names);
}

/* A name may be any text of a payload's: so much of it is shown as helps to find it. */
static enum mr_code complain_of_unknown(const struct mr_param *params, unsigned n,
                                        const char *name, struct mr_err *err)
{
    struct mr_buf hint = {0};

    suggest(params, n, name, &hint);
    mr_fail(err, MR_EINVAL, "data.params.%.*s is no parameter of this report: %s",
            (int)mr_str_cut(name, 64), name, hint.at);
    mr_buf_fini(&hint);
    return MR_EINVAL;
}

static enum mr_code check_names(const struct mr_param *params, unsigned n, const json_t *given,
                                struct mr_err *err)
{
    const char *name;
    json_t *value;

    if (given && !json_is_null(given) && !json_is_object(given))
        return mr_fail(err, MR_EINVAL, "data.params must be an object");
    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        if (!is_known(params, n, name))
            return complain_of_unknown(params, n, name, err);
    }
    return MR_OK;
}

enum mr_code mr_params_read(const struct mr_param *params, unsigned n, const json_t *given,
                            struct mr_param_value **out, struct mr_err *err)
{
    enum mr_code code = check_names(params, n, given, err);

    if (code != MR_OK)
        return code;
    struct mr_param_value *values = mr_zalloc_array(n + 1, sizeof(*values));
    for (unsigned i = 0; code == MR_OK && i < n; i++)
        code = read_one(&params[i], json_object_get(given, params[i].name), &values[i], err);
    if (code == MR_OK)
        *out = values;
    else
        mr_params_free(values, n);
    return code;
}

void mr_params_free(struct mr_param_value *values, unsigned n)
{
    for (unsigned i = 0; values && i < n; i++)
        mr_buf_fini(&values[i].text);
    free(values);
}
