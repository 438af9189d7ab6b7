#include "tests/support/s3.h"

#include "proto/base/mem.h"

#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ARGS_MAX = 28 };

#define MODULES MR_SOURCE_ROOT "/build/tools/smithy/node_modules"

void mr_s3_start(struct mr_s3_peer *s3, const char *dir, const char *const *args)
{
    const char *all[ARGS_MAX] = {"--store",  s3->store,    "--modules", MODULES,
                                 "--bucket", MR_S3_BUCKET, "--secret",  MR_S3_SECRET};
    size_t n = 8;

    for (; args && *args; args++) {
        ck_assert_uint_lt(n + 1, ARGS_MAX);
        all[n++] = *args;
    }
    snprintf(s3->store, sizeof(s3->store), "%s/bucket", dir);
    snprintf(s3->spool, sizeof(s3->spool), "%s/spool", dir);
    mkdir(s3->spool, 0700);
    mr_peer_run(&s3->peer, "s3.js", dir, "s3", -1, all);
    snprintf(s3->options, sizeof(s3->options),
             "{ endpoint: \"http://127.0.0.1:%d\", path_style: true, bucket: " MR_S3_BUCKET
             ", region: eu-central-1, key: AKIAEXAMPLE, secret: \"" MR_S3_SECRET
             "\", spool: \"%s\", timeout: 2s, part_size: 5MiB }",
             s3->peer.port, s3->spool);
}

void mr_s3_stop(struct mr_s3_peer *s3)
{
    mr_peer_stop(&s3->peer);
}

static bool is(const json_t *line, const char *member, const char *want)
{
    const char *value = json_string_value(json_object_get(line, member));

    return !want || (value && strcmp(value, want) == 0);
}

/* Of the requests of that operation: all, or those that did something, or were answered with that error. */
static size_t count(const struct mr_s3_peer *s3, const char *op, bool effect, const char *error)
{
    json_t *lines = mr_peer_lines(&s3->peer), *line;
    size_t i, n = 0;

    json_array_foreach(lines, i, line) n +=
        is(line, "op", op) && is(line, "error", error) &&
        (!effect || json_is_true(json_object_get(line, "effect")));
    json_decref(lines);
    return n;
}

size_t mr_s3_count(const struct mr_s3_peer *s3, const char *op)
{
    return count(s3, op, false, NULL);
}

size_t mr_s3_effects(const struct mr_s3_peer *s3, const char *op)
{
    return count(s3, op, true, NULL);
}

size_t mr_s3_refusals(const struct mr_s3_peer *s3, const char *op, const char *error)
{
    return count(s3, op, false, error);
}

json_t *mr_s3_last(const struct mr_s3_peer *s3, const char *op)
{
    json_t *lines = mr_peer_lines(&s3->peer), *line, *last = NULL;
    size_t i;

    json_array_foreach(lines, i, line) if (is(line, "op", op)) last = line;
    ck_assert_msg(last != NULL, "no %s came", op);
    json_incref(last);
    json_decref(lines);
    return last;
}

static size_t count_files(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

size_t mr_s3_objects(const struct mr_s3_peer *s3)
{
    return count_files(s3->store);
}

size_t mr_s3_parts(const struct mr_s3_peer *s3)
{
    char folder[160];

    snprintf(folder, sizeof(folder), "%s/.parts", s3->store);
    return count_files(folder);
}

void mr_s3_object(const struct mr_s3_peer *s3, const char *name, char *out, size_t room)
{
    int len = snprintf(out, room, "%s/", s3->store);

    for (; *name; name++)
        len += snprintf(out + len, room - (size_t)len,
                        isalnum((unsigned char)*name) || strchr("-_.", *name) ? "%c" : "%%%02X",
                        (unsigned char)*name);
}
