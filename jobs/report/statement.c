#include "jobs/report/statement.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The text being read; what it comes to is in sql and statement. */
struct scan {
    const char *at;
    unsigned line;
    struct mr_buf sql;
    struct mr_statement statement;
    bool begun; /* its first word has been seen */
    bool ended; /* its `;` has been seen */
    struct mr_err *err;
};

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What MySQL takes into an unquoted identifier. */
static bool is_word(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool refuse(struct scan *s, unsigned line, const char *what)
{
    mr_fail(s->err, MR_EINVAL, "line %u: %s", line, what);
    return false;
}

/* Copies n bytes as they are, which end before the text does. */
static void copy(struct scan *s, size_t n)
{
    mr_buf_add(&s->sql, s->at, n);
    for (; n > 0; n--)
        s->line += *s->at++ == '\n';
}

/* 'text', "text" or `name`: ends at its quote, unless that is doubled or, in text, escaped. */
static bool copy_quoted(struct scan *s)
{
    char quote = *s->at;
    unsigned line = s->line;
    size_t n = 1;

    for (; s->at[n] && s->at[n] != quote; n++)
        if (s->at[n] == '\\' && quote != '`' && s->at[n + 1])
            n++;
    if (!s->at[n])
        return refuse(s, line, "a quote is opened and never closed");
    copy(s, n + 1); /* a doubled quote opens the next piece at once */
    return true;
}

/* The server takes any blank or control byte behind the two dashes; without one they are two signs. */
static bool begins_line_comment(const char *at)
{
    return *at == '#' ||
           (at[0] == '-' && at[1] == '-' && ((unsigned char)at[2] <= ' ' || at[2] == 0x7f));
}

/* What a comment with `!` holds is run by the server: it could hide a statement from us. */
static bool copy_comment(struct scan *s)
{
    const char *end = strstr(s->at + 2, "*/");

    if (s->at[2] == '!' || (s->at[2] == 'M' && s->at[3] == '!'))
        return refuse(s, s->line, "a comment that the server runs (/*!) is not allowed");
    if (!end)
        return refuse(s, s->line, "a comment is opened and never closed");
    copy(s, (size_t)(end + 2 - s->at));
    return true;
}

static bool is_same(const char *word, size_t len, const char *keyword)
{
    return len == strlen(keyword) && strncasecmp(word, keyword, len) == 0;
}

static size_t word_len(const char *at)
{
    size_t len = 0;

    while (is_word(at[len]))
        len++;
    return len;
}

static const char begins_wrong[] = "a report begins with SELECT or WITH";

static bool copy_word(struct scan *s)
{
    size_t len = word_len(s->at);

    if (!s->begun && !is_same(s->at, len, "SELECT") && !is_same(s->at, len, "WITH"))
        return refuse(s, s->line, begins_wrong);
    if (is_same(s->at, len, "INTO"))
        return refuse(s, s->line, "a report writes nothing: INTO is not allowed");
    s->begun = true;
    copy(s, len);
    return true;
}

static bool add_place(struct scan *s)
{
    struct mr_statement *statement = &s->statement;
    size_t len = word_len(++s->at);

    if (statement->n_places == MR_STATEMENT_PLACES_MAX)
        return refuse(s, s->line, "there are more than 1000 parameters");
    statement->places =
        mr_realloc(statement->places, (statement->n_places + 1) * sizeof(*statement->places));
    statement->places[statement->n_places++] =
        (struct mr_statement_place){mr_strndup(s->at, len), s->line};
    s->at += len;
    mr_buf_char(&s->sql, '?');
    return true;
}

static bool copy_sign(struct scan *s)
{
    if (*s->at == '?')
        return refuse(s, s->line, "a parameter has a name: write :name for `?`");
    /* `::` and `:=` are whole, so that what follows them is no name. */
    copy(s, *s->at == ':' && (s->at[1] == ':' || s->at[1] == '=') ? 2 : 1);
    return true;
}

/* Takes what stands at s->at, at least a byte of it; false after a refusal. */
static bool step(struct scan *s)
{
    char c = *s->at;

    if (is_blank(c)) {
        copy(s, 1);
        return true;
    }
    if (begins_line_comment(s->at)) {
        copy(s, strcspn(s->at, "\n"));
        return true;
    }
    if (c == '/' && s->at[1] == '*')
        return copy_comment(s);
    if (s->ended)
        return refuse(s, s->line, "a report is one statement: nothing may follow its `;`");
    if (is_word(c))
        return copy_word(s);
    if (!s->begun && c != '(')
        return refuse(s, s->line, begins_wrong);
    if (c == ';') {
        s->ended = true; /* only blanks and comments may follow */
        s->at++;
        return true;
    }
    if (c == ':' && is_word_start(s->at[1]))
        return add_place(s);
    if (c == '\'' || c == '"' || c == '`')
        return copy_quoted(s);
    return copy_sign(s);
}

enum mr_code mr_statement_parse(const char *text, struct mr_statement *out, struct mr_err *err)
{
    struct scan s = {.at = text, .line = 1, .err = err};
    bool good = true;

    while (good && *s.at)
        good = step(&s);
    if (good && !s.begun)
        good = refuse(&s, s.line, "there is no statement");
    if (good) {
        s.statement.sql = mr_buf_steal(&s.sql);
        *out = s.statement;
        return MR_OK;
    }
    mr_buf_fini(&s.sql);
    mr_statement_fini(&s.statement);
    return MR_EINVAL;
}

void mr_statement_fini(struct mr_statement *statement)
{
    for (unsigned i = 0; i < statement->n_places; i++)
        free(statement->places[i].name);
    free(statement->places);
    free(statement->sql);
    *statement = (struct mr_statement){0};
}
