#include "tests/support/desk.h"

#include "proto/base/str.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void mr_desk_define(struct mr_desk *desk, const char *name, const char *definition)
{
    char file[40];

    snprintf(file, sizeof(file), "%s.yaml", name);
    mr_scratch_put(desk->definitions, file, definition);
}

void mr_desk_start(struct mr_desk *desk, const char *const *extra)
{
    mr_mill_start(&desk->mill, desk->yaml, NULL);
    mr_mariadb_start(&desk->db, extra);
    mr_mariadb_schema(&desk->db);
    snprintf(desk->definitions, sizeof(desk->definitions), "%s/reports", desk->mill.redis.dir);
    snprintf(desk->files, sizeof(desk->files), "%s/files", desk->mill.redis.dir);
    ck_assert_int_eq(mkdir(desk->definitions, 0700), 0);
    ck_assert_int_eq(mkdir(desk->files, 0700), 0);
    snprintf(
        desk->yaml, sizeof(desk->yaml),
        "pools: { main: { queues: [main, other], concurrency: 4, backoff: 50ms..100ms } }\n"
        "storage: { path: %s, url: \"https://files.example.org\" }\n"
        "reports: { dir: %s, max_rows: 20000000 }\n"
        "%s",
        desk->files, desk->definitions, desk->db.yaml);
}

void mr_desk_start_with(struct mr_desk *desk, const char *name, const char *definition)
{
    mr_desk_start(desk, NULL);
    mr_desk_define(desk, name, definition);
    mr_mill_dispatch(&desk->mill, 0, 1);
}

void mr_desk_stop(struct mr_desk *desk)
{
    mr_mill_stop(&desk->mill);
    mr_mariadb_stop(&desk->db);
}

void mr_desk_push(struct mr_desk *desk, const char *uuid, const char *report,
                  const char *params, const char *more, const char *header)
{
    struct mr_buf job = {0};

    mr_buf_text(&job, "{\"job\":\"report.generate\",");
    if (uuid)
        mr_buf_printf(&job, "\"uuid\":\"%s\",", uuid);
    mr_buf_printf(&job, "%s\"data\":{\"report\":\"%s\",\"params\":%s%s}}", header, report,
                  params, more);
    mr_mill_push_raw(&desk->mill, "main", job.at, job.len);
    mr_buf_fini(&job);
}

void mr_desk_await_done(struct mr_desk *desk)
{
    mr_wait_for(mr_mill_is_empty(&desk->mill, "main"), 50000);
    if (mr_mill_dead(&desk->mill, "main") > 0)
        mr_proc_show(&desk->mill.dispatchers[0]);
    ck_assert_int_eq(mr_mill_dead(&desk->mill, "main"), 0);
}

const char *mr_desk_path(const struct mr_desk *desk, const char *report, const char *uuid,
                         const char *ending)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/reports/%s-%s%s", desk->files, report, uuid, ending);
    return path;
}

int mr_desk_files(const struct mr_desk *desk)
{
    char path[160];
    int n = 0;

    snprintf(path, sizeof(path), "%s/reports", desk->files);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder)
        closedir(folder);
    return n;
}

json_t *mr_desk_ask(const char *format, ...)
{
    char command[2000];
    json_error_t error;
    va_list args;

    va_start(args, format);
    ck_assert_int_lt(vsnprintf(command, sizeof(command), format, args), sizeof(command));
    va_end(args);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    json_t *answer = json_loadf(pipe, JSON_DECODE_ANY, &error);
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_msg(answer != NULL, "%s: %s", command, error.text);
    return answer;
}

json_t *mr_desk_read_csv(const char *path)
{
    return mr_desk_ask("/usr/bin/python3 -c 'import csv, json, sys\n"
                       "with open(sys.argv[1], newline=\"\", encoding=\"utf-8\") as file:\n"
                       "    print(json.dumps(list(csv.reader(file, strict=True))))' %s",
                       path);
}

const char *mr_desk_cell(const json_t *rows, size_t row, size_t column)
{
    const char *text = json_string_value(json_array_get(json_array_get(rows, row), column));

    ck_assert_msg(text != NULL, "no cell %zu/%zu", row, column);
    return text;
}

void mr_desk_expect_run(struct mr_desk *desk, const char *uuid, const char *column,
                        const char *want)
{
    char *got = mr_mariadb_text(&desk->db, "SELECT %s FROM report_runs WHERE uuid = '%s'",
                                column, uuid);

    ck_assert_msg(got && want ? strcmp(got, want) == 0 : !got && !want,
                  "%s of %s is %s, not %s", column, uuid, got ? got : "NULL",
                  want ? want : "NULL");
    free(got);
}
