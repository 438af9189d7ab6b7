#include "jobs/report/column.h"

#include "proto/base/mem.h"

#include <string.h>

#define COLUMN(member) MR_OPTION_AT(struct mr_report_column, member)

/* clang-format off */
static const struct mr_option rows[] = {
    {"title", &mr_option_text, COLUMN(title), NULL, NULL, 0, "stands in the file's first row"},
    {"type", &mr_option_choice, COLUMN(type), "text", MR_REPORT_PARAM_TYPES, 0,
     "what its values are"},
    {"decimals", &mr_option_int, COLUMN(decimals), "-1", "-1..12", 0,
     "places to which a number is rounded; -1: as it comes"},
    {"minor", &mr_option_count, COLUMN(minor), "0", "0..6", 0,
     "an integer counts the smallest unit: 2 for cents"},
    {"thousands", &mr_option_text, COLUMN(thousands), NULL, NULL, 0, "what parts the thousands of a number"},
    {"point", &mr_option_text, COLUMN(point), NULL, NULL, 0, "what stands before a number's decimals"},
    {"format", &mr_option_text, COLUMN(format), NULL, NULL, 0, "how a date is written: DD.MM.YYYY"},
    {"words", &mr_option_texts, MR_OPTION_LIST_AT(struct mr_report_column, words, n_words), NULL, NULL, 0,
     "what a boolean is written as: for true, for false"},
    {"total", &mr_option_choice, COLUMN(total), "none", MR_COLUMN_TOTALS, 0,
     "what stands in its total rows"},
    {"width", &mr_option_count, COLUMN(width), NULL, "1..200", 0,
     "how wide it is in an XLSX file, and its share of a PDF's page"},
};
/* clang-format on */
const struct mr_option_table mr_column_table = {rows, MR_COUNT(rows)};

bool mr_column_is_number(const struct mr_report_column *column)
{
    return mr_report_type_is_number(column->type);
}

const char *mr_column_title(const struct mr_report_column *column)
{
    return column->title ? column->title : column->name;
}

unsigned mr_column_width(const struct mr_report_column *column)
{
    static const unsigned usual[] = {
        [MR_REPORT_TEXT] = 24, [MR_REPORT_INTEGER] = 12,  [MR_REPORT_DECIMAL] = 14,
        [MR_REPORT_DATE] = 12, [MR_REPORT_DATETIME] = 20, [MR_REPORT_BOOLEAN] = 10,
    };

    return column->width ? (unsigned)column->width : usual[column->type];
}

static bool is_day(enum mr_report_type type)
{
    return type == MR_REPORT_DATE || type == MR_REPORT_DATETIME;
}

/* One character that is no part of a number. */
static bool is_mark(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && mr_str_utf8(text, len) == len && !strchr("0123456789-+eE\"\n\r", *text);
}

static bool is_total_of(enum mr_column_total total, enum mr_report_type type)
{
    if (total == MR_TOTAL_SUM || total == MR_TOTAL_AVG)
        return mr_report_type_is_number(type);
    if (total == MR_TOTAL_MIN || total == MR_TOTAL_MAX)
        return type != MR_REPORT_BOOLEAN;
    return true;
}

bool mr_column_is_wrong(const struct mr_report_column *c, const char **out_member,
                        const char **out_what)
{
    bool number = mr_column_is_number(c);
    const char *point = c->point ? c->point : ".";
    /* clang-format off */
    const struct {
        bool wrong;
        const char *member, *what;
    } rules[] = {
        {c->decimals >= 0 && !number, "decimals", "is for an integer or a decimal"},
        {c->minor && c->type != MR_REPORT_INTEGER, "minor", "is for an integer"},
        {c->thousands && !number, "thousands", "is for an integer or a decimal"},
        {c->thousands && !is_mark(c->thousands), "thousands", "must be one character, and no digit"},
        {c->point && !number, "point", "is for an integer or a decimal"},
        {c->point && strcmp(c->point, ",") && strcmp(c->point, "."), "point", "must be \",\" or \".\""},
        {c->thousands && strcmp(c->thousands, point) == 0, "thousands", "must not be what point is"},
        {c->format && !is_day(c->type), "format", "is for a date or a datetime"},
        {c->format && (!*c->format || strlen(c->format) > 40), "format", "must have 1 to 40 bytes"},
        {c->n_words && c->type != MR_REPORT_BOOLEAN, "words", "are for a boolean"},
        {c->n_words && c->n_words != 2, "words", "must be two: for true, for false"},
        {!is_total_of(c->total, c->type), "total", "cannot be that of values of this type"},
    };
    /* clang-format on */

    for (size_t i = 0; i < MR_COUNT(rules); i++)
        if (rules[i].wrong) {
            *out_member = rules[i].member;
            *out_what = rules[i].what;
            return true;
        }
    return false;
}
