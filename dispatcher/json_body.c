#include "dispatcher/json_body.h"

#include "proto/base/mem.h"

#include <string.h>

enum { MEMBERS_MAX = 16 };

json_t *mr_body_parse(struct mr_bytes body, struct mr_err *err)
{
    json_error_t why;

    if (body.len == 0)
        return json_object();
    json_t *json = json_loadb(body.at, body.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
    if (!json)
        mr_fail(err, MR_EINVAL, "the body is not JSON: line %d column %d: %s", why.line,
                why.column, why.text);
    return json;
}

static const char *type_words(enum mr_member_type type)
{
    static const char *const words[] = {
        [MR_MEMBER_INTEGER] = "a whole number", [MR_MEMBER_NUMBER] = "a number",
        [MR_MEMBER_TEXT] = "a string",          [MR_MEMBER_TRUE] = "true",
        [MR_MEMBER_ARRAY] = "an array",         [MR_MEMBER_OBJECT] = "an object",
        [MR_MEMBER_ANY] = "any value",
    };

    return words[type];
}

static bool has_type(const json_t *value, enum mr_member_type type)
{
    switch (type) {
    case MR_MEMBER_INTEGER:
        return json_is_integer(value);
    case MR_MEMBER_NUMBER:
        return json_is_number(value);
    case MR_MEMBER_TEXT:
        return json_is_string(value) &&
               strlen(json_string_value(value)) == json_string_length(value);
    case MR_MEMBER_TRUE:
        return json_is_true(value);
    case MR_MEMBER_ARRAY:
        return json_is_array(value);
    case MR_MEMBER_OBJECT:
        return json_is_object(value);
    case MR_MEMBER_ANY:
        return true;
    }
    return false;
}

static void store(const struct mr_member *member, json_t *value, void *out)
{
    char *field = (char *)out + member->offset;
    const char *text = json_string_value(value);
    double number = json_number_value(value);
    long long integer = json_integer_value(value);
    bool yes = true;

    switch (member->type) {
    case MR_MEMBER_INTEGER:
        memcpy(field, &integer, sizeof(integer));
        break;
    case MR_MEMBER_NUMBER:
        memcpy(field, &number, sizeof(number));
        break;
    case MR_MEMBER_TEXT:
        memcpy(field, &text, sizeof(text));
        break;
    case MR_MEMBER_TRUE:
        memcpy(field, &yes, sizeof(yes));
        break;
    default:
        memcpy(field, &value, sizeof(value));
        break;
    }
}

static enum mr_code take(const struct mr_member *member, const char *where, json_t *value,
                         void *out, struct mr_err *err)
{
    bool absent = !value || (json_is_null(value) && member->type != MR_MEMBER_ANY);

    if (absent && member->needed)
        return mr_fail(err, MR_EINVAL, "%s%s is missing", where, member->name);
    if (absent)
        return MR_OK;
    if (!has_type(value, member->type))
        return mr_fail(err, MR_EINVAL, "%s%s must be %s", where, member->name,
                       type_words(member->type));
    bool counted = member->type == MR_MEMBER_INTEGER || member->type == MR_MEMBER_NUMBER;
    double number = json_number_value(value);
    if (counted && !(number >= member->min && number <= member->max))
        return mr_fail(err, MR_EINVAL, "%s%s must be %.15g to %.15g", where, member->name,
                       member->min, member->max);
    store(member, value, out);
    return MR_OK;
}

static enum mr_code refuse_unknown(const json_t *object, const char *where,
                                   const struct mr_member *members, size_t n,
                                   struct mr_err *err)
{
    const char *names[MEMBERS_MAX];
    const char *key;
    json_t *value;

    for (size_t i = 0; i < n && i < MEMBERS_MAX; i++)
        names[i] = members[i].name;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const char *near = mr_str_nearest(key, names, n);
        bool known = false;

        for (size_t i = 0; i < n; i++)
            known = known || strcmp(names[i], key) == 0;
        if (!known)
            return mr_fail(err, MR_EINVAL, "%s'%.100s' is not known here%s%s%s", where, key,
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return MR_OK;
}

enum mr_code mr_body_read(const json_t *object, const char *where,
                          const struct mr_member *members, size_t n, void *out,
                          struct mr_err *err)
{
    if (!json_is_object(object))
        return mr_fail(err, MR_EINVAL, "%sa JSON object is needed", where);
    enum mr_code code = refuse_unknown(object, where, members, n, err);
    for (size_t i = 0; i < n && code == MR_OK; i++)
        code = take(&members[i], where, json_object_get(object, members[i].name), out, err);
    return code;
}
