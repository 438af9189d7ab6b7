#include "tests/support/lines.h"

#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL_BYTES = 4000 };

void mr_lines_init(struct mr_lines *lines, const char *path)
{
    snprintf(lines->path, sizeof(lines->path), "%s", path);
    lines->read = 0;
}

static bool holds_all(const char *line, const char *const *words)
{
    for (; *words; words++)
        if (!strstr(line, *words))
            return false;
    return true;
}

/* A line that does not end yet is read the next time. */
static bool find(struct mr_lines *lines, const char *const *words, char *out)
{
    char line[MR_LINE_MAX];
    bool found = false;
    FILE *log = fopen(lines->path, "re");

    if (!log)
        return false; /* the program has not begun */
    fseek(log, lines->read, SEEK_SET);
    while (!found && fgets(line, sizeof(line), log) && strchr(line, '\n')) {
        lines->read = ftell(log);
        found = holds_all(line, words);
    }
    fclose(log);
    if (found && out)
        memcpy(out, line, sizeof(line));
    return found;
}

static void fail_with_tail(const struct mr_lines *lines, const char *const *words)
{
    static char tail[TAIL_BYTES + 1];
    FILE *log = fopen(lines->path, "re");

    ck_assert_msg(log != NULL, "there is no log %s", lines->path);
    fseek(log, 0, SEEK_END);
    long size = ftell(log);
    fseek(log, size > TAIL_BYTES ? size - TAIL_BYTES : 0, SEEK_SET);
    tail[fread(tail, 1, TAIL_BYTES, log)] = '\0';
    fclose(log);
    ck_abort_msg("no line with '%s' '%s' came; the log ends:\n%s", words[0],
                 words[1] ? words[1] : "", tail);
}

void mr_lines_await(struct mr_lines *lines, const char *const *words, char *out)
{
    uint64_t until_ms = mr_wait_now_ms() + MR_LINES_WAIT_MS;

    while (!find(lines, words, out)) {
        if (mr_wait_now_ms() > until_ms)
            fail_with_tail(lines, words);
        mr_wait_a_moment();
    }
}

unsigned mr_lines_count(const struct mr_lines *lines, const char *text)
{
    char line[MR_LINE_MAX];
    unsigned n = 0;
    FILE *log = fopen(lines->path, "re");

    ck_assert_ptr_nonnull(log);
    while (fgets(line, sizeof(line), log))
        n += strstr(line, text) != NULL;
    fclose(log);
    return n;
}

long mr_lines_number(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    ck_assert_msg(at != NULL, "no %s in %s", key, line);
    return strtol(at + strlen(key), NULL, 10);
}
