/* Any text as a report's SQL: with its names written back where the `?` stand, it reads the same again. */
#include "jobs/report/statement.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "tests/fuzz/must.h"

#include <string.h>

/* The bytes of what stands here and holds no parameter: quoted, a comment, or one byte. */
static size_t span(const char *at)
{
    const char *end = at + 1;

    if (*at == '#' ||
        (strncmp(at, "--", 2) == 0 && ((unsigned char)at[2] <= ' ' || at[2] == 0x7f)))
        return strcspn(at, "\n");
    if (strncmp(at, "/*", 2) == 0)
        return (size_t)(strstr(at + 2, "*/") + 2 - at);
    if (*at != '\'' && *at != '"' && *at != '`')
        return 1;
    while (*end != *at)
        end += *end == '\\' && *at != '`' ? 2 : 1;
    return (size_t)(end + 1 - at);
}

/* The statement with its names in it. The caller's. */
static char *write_back(const struct mr_statement *statement)
{
    struct mr_buf out = {0};
    unsigned n = 0;

    for (const char *at = statement->sql; *at;) {
        size_t len = span(at);

        must(*at != ';');
        if (*at == '?') {
            must(n < statement->n_places);
            mr_buf_printf(&out, ":%s", statement->places[n++].name);
        } else {
            mr_buf_add(&out, at, len);
        }
        at += len;
    }
    must(n == statement->n_places);
    return mr_buf_steal(&out);
}

static void check(const struct mr_statement *statement)
{
    struct mr_statement again = {0};
    struct mr_err err = {0};
    char *text = write_back(statement);

    must(mr_statement_parse(text, &again, &err) == MR_OK);
    must(strcmp(again.sql, statement->sql) == 0 && again.n_places == statement->n_places);
    for (unsigned i = 0; i < again.n_places; i++) {
        must(strcmp(again.places[i].name, statement->places[i].name) == 0);
        must(again.places[i].line == statement->places[i].line);
    }
    mr_statement_fini(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = mr_strndup((const char *)bytes, len);
    struct mr_statement statement = {0};
    struct mr_err err = {0};

    if (mr_statement_parse(text, &statement, &err) == MR_OK)
        check(&statement);
    else
        must(strncmp(err.text, "line ", 5) == 0 && !statement.sql);
    mr_statement_fini(&statement);
    free(text);
    return 0;
}
