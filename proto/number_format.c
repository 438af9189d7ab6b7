#include "proto/number_format.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 12 };

enum field { SERIES, YEAR, NUMBER, FIELDS, NONE };

static const char *const names[FIELDS] = {
    [SERIES] = "series", [YEAR] = "year", [NUMBER] = "number"};

bool mr_number_is_series(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= MR_NUMBER_SERIES_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == len;
}

/* The field whose brace opens at `at`; out_end is behind its closing one, out_digits 1 unless it says more. NONE: it is none. */
static enum field field_at(const char *at, const char **out_end, int *out_digits)
{
    const char *close = strchr(at, '}');
    size_t len = close ? strcspn(at + 1, ":}") : 0;

    *out_end = close ? close + 1 : at + 1;
    *out_digits = 1;
    for (unsigned i = 0; close && i < FIELDS; i++) {
        if (strlen(names[i]) != len || memcmp(at + 1, names[i], len) != 0)
            continue;
        if (at[1 + len] == '}')
            return (enum field)i;
        char *end = NULL;
        long digits = isdigit((unsigned char)at[2 + len]) ? strtol(at + 2 + len, &end, 10) : 0;

        *out_digits = (int)digits;
        return i == NUMBER && end == close && digits >= 1 && digits <= DIGITS_MAX ? NUMBER
                                                                                  : NONE;
    }
    return NONE;
}

/* What is met while a format is walked. */
struct walk {
    bool seen[FIELDS];
    bool parted; /* something that no field can hold stands behind the last one */
};

static enum mr_code take_field(struct walk *walk, const char *at, const char **out_end,
                               struct mr_err *err)
{
    int digits;
    enum field field = field_at(at, out_end, &digits);

    if (field == NONE)
        return mr_fail(err, MR_EINVAL,
                       "knows {series}, {year}, {number} and {number:1} to {number:%d}, not "
                       "\"%.*s\"",
                       DIGITS_MAX, (int)(*out_end - at), at);
    if (walk->seen[field])
        return mr_fail(err, MR_EINVAL, "has {%s} twice", names[field]);
    if (!walk->parted)
        return mr_fail(err, MR_EINVAL,
                       "needs one of \"-\", \"_\", \".\", \"/\" before \"%.*s\": two numbers "
                       "could be printed alike",
                       (int)(*out_end - at), at);
    walk->seen[field] = true;
    walk->parted = false;
    return MR_OK;
}

static enum mr_code take_character(struct walk *walk, const char *at, struct mr_err *err)
{
    if (strchr("-_./", *at))
        walk->parted = true;
    else if (!isalnum((unsigned char)*at))
        return mr_fail(err, MR_EINVAL,
                       "takes letters, digits, \"-\", \"_\", \".\" and \"/\" beside its "
                       "fields, not what begins at \"%.*s\"",
                       (int)mr_str_cut(at, 8), at);
    return MR_OK;
}

enum mr_code mr_number_format_check(const char *format, bool yearly, struct mr_err *err)
{
    struct walk walk = {.parted = true};
    enum mr_code code = MR_OK;

    if (strlen(format) > MR_NUMBER_FORMAT_MAX)
        return mr_fail(err, MR_EINVAL, "must be at most %d bytes long, not %zu",
                       MR_NUMBER_FORMAT_MAX, strlen(format));
    for (const char *at = format; code == MR_OK && *at;) {
        if (*at == '{')
            code = take_field(&walk, at, &at, err);
        else
            code = take_character(&walk, at++, err);
    }
    if (code != MR_OK)
        return code;
    for (unsigned i = 0; i < FIELDS; i++)
        if (!walk.seen[i] && (i != YEAR || yearly))
            return mr_fail(err, MR_EINVAL, "must hold {%s}%s", names[i],
                           i == YEAR ? ", since the numbers of each year begin at 1"
                                     : ": without it two numbers would be printed alike");
    return MR_OK;
}

void mr_number_format_print(const char *format, const char *series, unsigned year,
                            int64_t number, char *out)
{
    size_t len = 0;

    while (*format && len < MR_NUMBER_PRINT - 1) {
        size_t room = MR_NUMBER_PRINT - len;
        const char *end = format + 1;
        int digits = 1, n = 1;

        switch (*format == '{' ? field_at(format, &end, &digits) : NONE) {
        case SERIES:
            n = snprintf(out + len, room, "%.*s", MR_NUMBER_SERIES_MAX, series);
            break;
        case YEAR:
            n = snprintf(out + len, room, "%04u", year);
            break;
        case NUMBER:
            n = snprintf(out + len, room, "%0*" PRId64, digits, number);
            break;
        default:
            out[len] = *format;
        }
        len += (size_t)n < room ? (size_t)n : room - 1;
        format = end;
    }
    out[len] = '\0';
}
