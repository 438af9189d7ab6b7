#include "jobs/billing/member.h"

#include <inttypes.h>
#include <string.h>

static const char *kind_of(const json_t *value)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",    [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
    };

    return kinds[json_typeof(value)];
}

/* Everything that is not there or of another type ends here, so that all say it alike. */
enum mr_code mr_member_wrong(json_t *value, const char *place, const char *wanted,
                             struct mr_err *err)
{
    if (!value)
        return mr_fail(err, MR_EINVAL, "%s is missing: it must be %s", place, wanted);
    return mr_fail(err, MR_EINVAL, "%s must be %s, not %s", place, wanted, kind_of(value));
}

/*
 * C0, DEL, C1, and what ends lines and paragraphs (U+2028, U+2029): nothing that paper shows in its place. jansson has checked that
 * it is UTF-8.
 */
static bool has_control(const char *text, size_t len, bool lines)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n' && lines)
            continue;
        if (c < ' ' || c == 0x7f)
            return true;
        if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)
            return true;
        if (strncmp(text + i, "\xe2\x80\xa8", 3) == 0 ||
            strncmp(text + i, "\xe2\x80\xa9", 3) == 0)
            return true;
    }
    return false;
}

static enum mr_code take_text(json_t *value, const char *place, size_t max, bool lines,
                              const char **out, struct mr_err *err)
{
    if (!json_is_string(value))
        return mr_member_wrong(value, place, "a string", err);
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (len == 0 || len > max)
        return mr_fail(err, MR_EINVAL, "%s must be 1 to %zu bytes long, not %zu", place, max,
                       len);
    if (has_control(text, len, lines))
        return mr_fail(err, MR_EINVAL, "%s must not hold control characters%s", place,
                       lines ? " but line ends" : " or line ends");
    *out = text;
    return MR_OK;
}

enum mr_code mr_member_text(json_t *value, const char *place, size_t max, const char **out,
                            struct mr_err *err)
{
    return take_text(value, place, max, false, out, err);
}

enum mr_code mr_member_lines(json_t *value, const char *place, size_t max, const char **out,
                             struct mr_err *err)
{
    return take_text(value, place, max, true, out, err);
}

enum mr_code mr_member_whole(json_t *value, const char *place, const char *wanted, int64_t min,
                             int64_t max, int64_t *out, struct mr_err *err)
{
    if (!json_is_integer(value))
        return mr_member_wrong(value, place, wanted, err);
    int64_t number = json_integer_value(value);

    if (number < min || number > max)
        return mr_fail(err, MR_EINVAL, "%s must be %s, not %" PRId64, place, wanted, number);
    *out = number;
    return MR_OK;
}

enum mr_code mr_member_object(json_t *value, const char *place, const char *wanted,
                              struct mr_err *err)
{
    return json_is_object(value) ? MR_OK : mr_member_wrong(value, place, wanted, err);
}

enum mr_code mr_member_currency(json_t *value, const char *place,
                                const struct mr_currency **out, struct mr_err *err)
{
    struct mr_err why;

    if (!json_is_string(value))
        return mr_member_wrong(value, place, "a code of ISO 4217, such as \"EUR\"", err);
    if (mr_currency_find(json_string_value(value), out, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "%s: %s", place, why.text);
    return MR_OK;
}
