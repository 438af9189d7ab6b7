#include "jobs/report/types.h"

#include "proto/base/mem.h"

#include <string.h>

enum { INTEGER_MAX = 20, FRACTION_MAX = 6, DATE_LEN = 10, TIME_LEN = 8 };

static size_t digits(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return (size_t)(at - from);
}

/* At most 20 characters, as the server prints any of its 64 bits. */
static bool is_integer(struct mr_bytes text)
{
    size_t sign = text.len > 0 && *text.at == '-';

    return text.len > sign && text.len <= INTEGER_MAX &&
           sign + digits(text.at + sign, text.at + text.len) == text.len;
}

/* -12.50; also 1.5e-7, as servers print doubles. */
static bool is_decimal(struct mr_bytes text)
{
    const char *at = text.at, *end = text.at + text.len;

    at += at < end && *at == '-';
    size_t whole = digits(at, end);
    if (whole == 0)
        return false;
    at += whole;
    if (at < end && *at == '.') {
        size_t fraction = digits(++at, end);

        if (fraction == 0)
            return false;
        at += fraction;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '-' || *at == '+');
        size_t exponent = digits(at, end);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == end;
}

static unsigned number_at(const char *at, size_t n)
{
    unsigned number = 0;

    for (size_t i = 0; i < n; i++)
        number = number * 10 + (unsigned)(at[i] - '0');
    return number;
}

/* Whether text has digits where shape has a 0, and shape's own characters elsewhere. */
static bool has_shape(const char *text, const char *shape)
{
    for (; *shape; text++, shape++)
        if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
            return false;
    return true;
}

static bool is_day(const char *text)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (!has_shape(text, "0000-00-00"))
        return false;
    unsigned year = number_at(text, 4), month = number_at(text + 5, 2);
    unsigned day = number_at(text + 8, 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year == 0 || month < 1 || month > 12)
        return false;
    return day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static bool is_date(struct mr_bytes text)
{
    return text.len == DATE_LEN && is_day(text.at);
}

static bool is_time(const char *text)
{
    return has_shape(text, "00:00:00") && number_at(text, 2) < 24 &&
           number_at(text + 3, 2) < 60 && number_at(text + 6, 2) < 60;
}

static bool is_datetime(struct mr_bytes text)
{
    size_t seconds = DATE_LEN + 1 + TIME_LEN;

    if (text.len < seconds || !is_day(text.at) || text.at[DATE_LEN] != ' ' ||
        !is_time(text.at + DATE_LEN + 1))
        return false;
    if (text.len == seconds)
        return true;
    size_t fraction = digits(text.at + seconds + 1, text.at + text.len);
    return text.at[seconds] == '.' && fraction >= 1 && fraction <= FRACTION_MAX &&
           seconds + 1 + fraction == text.len;
}

bool mr_report_type_holds(enum mr_report_type type, struct mr_bytes text)
{
    switch (type) {
    case MR_REPORT_TEXT:
        return true;
    case MR_REPORT_INTEGER:
        return is_integer(text);
    case MR_REPORT_DECIMAL:
        return is_decimal(text);
    case MR_REPORT_DATE:
        return is_date(text);
    case MR_REPORT_DATETIME:
        return is_datetime(text);
    case MR_REPORT_BOOLEAN:
        return mr_bytes_is(text, "true") || mr_bytes_is(text, "false");
    }
    return false;
}

const char *mr_report_type_words(enum mr_report_type type)
{
    static const char *const words[] = {
        [MR_REPORT_TEXT] = "text",
        [MR_REPORT_INTEGER] = "a whole number",
        [MR_REPORT_DECIMAL] = "a decimal number such as \"12.50\"",
        [MR_REPORT_DATE] = "a date such as 2026-01-31",
        [MR_REPORT_DATETIME] = "a date and time such as 2026-01-31 08:30:00",
        [MR_REPORT_BOOLEAN] = "true or false",
    };

    return (size_t)type < MR_COUNT(words) ? words[type] : "known";
}

bool mr_report_type_is_number(enum mr_report_type type)
{
    return type == MR_REPORT_INTEGER || type == MR_REPORT_DECIMAL;
}
