#include "jobs/services/csv.h"

#include "proto/base/mem.h"

#include <string.h>

static size_t count_digits(const char *at, size_t left)
{
    size_t n = 0;

    while (n < left && at[n] >= '0' && at[n] <= '9')
        n++;
    return n;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before the e. */
static bool is_number(struct mr_bytes text)
{
    const char *at = text.at, *end = text.at + text.len;

    if (at < end && (*at == '-' || *at == '+'))
        at++;
    size_t whole = count_digits(at, (size_t)(end - at)), part = 0;
    at += whole;
    if (at < end && *at == '.') {
        part = count_digits(at + 1, (size_t)(end - at - 1));
        at += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (at == end || (*at != 'e' && *at != 'E'))
        return at == end;
    at++;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    size_t power = count_digits(at, (size_t)(end - at));
    return power > 0 && at + power == end;
}

/* Spreadsheets run what begins so, whoever wrote it into the database. */
static bool is_formula(struct mr_bytes text)
{
    static const char *const beginnings[] = {
        "=",
        "+",
        "-",
        "@",
        "\t",
        "\r",
        "\n",
        "\xef\xbc\x9d",
        "\xef\xbc\x8b",
        "\xef\xbc\x8d",
        "\xef\xbc\xa0",
    };

    if (text.len == 0 || !strchr("=+-@\t\r\n\xef", text.at[0]))
        return false;
    for (size_t i = 0; i < MR_COUNT(beginnings); i++) {
        size_t len = strlen(beginnings[i]);

        if (text.len >= len && memcmp(text.at, beginnings[i], len) == 0)
            return true;
    }
    return false;
}

/* ---- fields ---- */

/* A byte that stands for itself wherever it stands, unless it is the separator. */
static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7f && c != '"';
}

/* Most fields are: letters, digits, dashes, and no blank at an end, which some readers drop where no quotes are. */
static bool is_as_it_is(struct mr_bytes text, char separator)
{
    bool plain = text.len > 0 && text.at[0] != ' ' && text.at[text.len - 1] != ' ';

    for (size_t i = 0; plain && i < text.len; i++)
        plain = is_plain((unsigned char)text.at[i]) && text.at[i] != separator;
    return plain;
}

static bool needs_quotes(struct mr_bytes text, char separator)
{
    if (text.len == 0 || text.at[0] == ' ' || text.at[text.len - 1] == ' ')
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == separator || text.at[i] == '"' || text.at[i] == '\r' ||
            text.at[i] == '\n')
            return true;
    return false;
}

static void add_text(struct mr_buf *out, struct mr_bytes text)
{
    size_t n,
        clean = 0; /* from here on nothing is written yet, and nothing to be changed was met */

    for (size_t i = 0; i < text.len; i += n ? n : 1) {
        n = text.at[i] ? mr_str_utf8(text.at + i, text.len - i) : 0;
        if (n > 0 && text.at[i] != '"')
            continue;
        mr_buf_add(out, text.at + clean, i - clean);
        mr_buf_text(out, n > 0 ? "\"\"" : "\xef\xbf\xbd");
        clean = i + 1;
    }
    mr_buf_add(out, text.at + clean, text.len - clean);
}

static bool needs_guard(const struct mr_csv_field *field)
{
    return field->kind != MR_CSV_FORMATTED && is_formula(field->bytes) &&
           !(field->kind == MR_CSV_NUMBER && is_number(field->bytes));
}

static void add_field(struct mr_buf *out, char separator, const struct mr_csv_field *field)
{
    bool guarded = needs_guard(field);

    if (!guarded && is_as_it_is(field->bytes, separator)) {
        mr_buf_add(out, field->bytes.at, field->bytes.len);
        return;
    }
    const char *quote = needs_quotes(field->bytes, separator) ? "\"" : "";
    mr_buf_text(out, quote);
    if (guarded)
        mr_buf_char(out, '\'');
    add_text(out, field->bytes);
    mr_buf_text(out, quote);
}

void mr_csv_row(struct mr_buf *out, char separator, const struct mr_csv_field *fields,
                unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            mr_buf_char(out, separator);
        if (fields[i].bytes.at)
            add_field(out, separator, &fields[i]);
        else if (n == 1)
            mr_buf_text(out, "\"\"");
    }
    mr_buf_text(out, "\r\n");
}
