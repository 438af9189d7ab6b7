#include "ops/workerctl/migrate.h"

#include <string.h>

/* ---- comparing ---- */

static struct mr_migration_row pair(const struct mr_migration *migration,
                                    const struct mr_applied *applied)
{
    struct mr_migration_row row = {MR_MIGRATION_PENDING, migration, applied};

    if (!migration)
        row.state = MR_MIGRATION_UNKNOWN;
    else if (applied)
        row.state = strcmp(migration->checksum, applied->checksum) == 0 ? MR_MIGRATION_APPLIED
                                                                        : MR_MIGRATION_CHANGED;
    return row;
}

size_t mr_migrate_compare(const struct mr_migration *migrations, size_t n,
                          const struct mr_applied *applied, size_t n_applied,
                          struct mr_migration_row *out)
{
    size_t i = 0, k = 0, rows = 0;

    while (i < n || k < n_applied) {
        const struct mr_migration *ours = i < n ? &migrations[i] : NULL;
        const struct mr_applied *theirs = k < n_applied ? &applied[k] : NULL;

        if (ours && theirs && ours->number != theirs->number) {
            if (ours->number < theirs->number)
                theirs = NULL;
            else
                ours = NULL;
        }
        out[rows++] = pair(ours, theirs);
        i += ours != NULL;
        k += theirs != NULL;
    }
    return rows;
}

/* ---- splitting ---- */

/* "-- " counts only with something blank behind it: 1--1 is arithmetic. */
static bool is_line_comment(const char *at)
{
    return *at == '#' || (at[0] == '-' && at[1] == '-' && (unsigned char)at[2] <= ' ');
}

/* What stands in the server's own comments, of the form slash-star-bang, is run. */
static bool is_block_comment(const char *at)
{
    return at[0] == '/' && at[1] == '*' && at[2] != '!';
}

static const char *skip_line(const char *at)
{
    return at + strcspn(at, "\n");
}

/* Behind what opens at `at`; NULL when it is not closed. A doubled quote closes and opens again, which comes to the same. */
static const char *skip_quoted(const char *at)
{
    char quote = *at++;

    for (; *at && *at != quote; at++)
        if (*at == '\\' && quote != '`' && at[1])
            at++;
    return *at ? at + 1 : NULL;
}

static const char *skip_block(const char *at)
{
    const char *end = strstr(at + 2, "*/");

    return end ? end + 2 : NULL;
}

/* One step: over a quoted text, a comment, or a character; NULL when something is not closed. */
static const char *step(const char *at)
{
    if (*at == '\'' || *at == '"' || *at == '`')
        return skip_quoted(at);
    if (is_line_comment(at))
        return skip_line(at);
    if (at[0] == '/' && at[1] == '*')
        return skip_block(at);
    return at + 1;
}

static bool is_between(const char *at)
{
    return (*at > 0 && *at <= ' ') || *at == ';' || is_line_comment(at) || is_block_comment(at);
}

static unsigned lines_in(const char *from, const char *to)
{
    unsigned n = 0;

    for (; from < to; from++)
        n += *from == '\n';
    return n;
}

static enum mr_code not_closed(unsigned line, struct mr_err *err)
{
    return mr_fail(err, MR_EINVAL,
                   "line %u: a quote or a comment that begins here does not end", line);
}

/* Moves to the next character of a statement, or to the end. */
static enum mr_code skip_between(struct mr_migration_reader *reader, struct mr_err *err)
{
    while (*reader->at && is_between(reader->at)) {
        const char *next = step(reader->at);

        if (!next)
            return not_closed(reader->line, err);
        reader->line += lines_in(reader->at, next);
        reader->at = next;
    }
    return MR_OK;
}

enum mr_code mr_migrate_next(struct mr_migration_reader *reader,
                             struct mr_migration_statement *out, struct mr_err *err)
{
    enum mr_code code = skip_between(reader, err);

    if (code != MR_OK || *reader->at == '\0')
        return code != MR_OK ? code : MR_ENOTFOUND;
    const char *begin = reader->at, *at = begin;

    while (*at && *at != ';') {
        const char *next = step(at);

        if (!next)
            return not_closed(reader->line + lines_in(begin, at), err);
        at = next;
    }
    out->line = reader->line;
    out->text = (struct mr_bytes){begin, (size_t)(at - begin)};
    while (out->text.len > 0 && (unsigned char)begin[out->text.len - 1] <= ' ')
        out->text.len--;
    reader->line += lines_in(begin, at);
    reader->at = at;
    return MR_OK;
}

unsigned mr_migrate_count(const char *text)
{
    struct mr_migration_reader reader = {text, 1};
    struct mr_migration_statement statement;
    enum mr_code code;
    unsigned n = 0;

    while ((code = mr_migrate_next(&reader, &statement, NULL)) == MR_OK)
        n++;
    return code == MR_ENOTFOUND ? n : 0;
}
