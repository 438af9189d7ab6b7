#include "ops/workerctl/commands.h"
#include "ops/workerctl/doctor_mysql.h"
#include "ops/workerctl/doctor_storage.h"
#include "ops/workerctl/findings.h"
#include "ops/workerctl/render.h"
#include "ops/workerctl/strays.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/promise.h"
#include "proto/resp.h"
#include "proto/sync_link.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sysexits.h>

enum {
    REDIS_MAJOR = 7,
    CLOCK_WARN_MS = 1000,
    CLOCK_FAIL_MS = 10000,
    FILES_WARN = 4096,
    CONNECT_MS = 5000
};

/* ---- the dispatcher ---- */

static const char *text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static long long number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

static void check_pools(struct mr_findings *findings, const json_t *status)
{
    size_t i;
    json_t *pool;

    json_array_foreach(json_object_get(status, "pools"), i, pool)
    {
        const json_t *processes = json_object_get(pool, "processes");
        const char *name = text(pool, "pool");

        if (json_is_true(json_object_get(pool, "failing")))
            mr_findings_add(findings, "pool", MR_GRADE_FAIL,
                            "%s: workers die at start again and again; see the log", name);
        else if (number(processes, "serving") < number(pool, "here"))
            mr_findings_add(findings, "pool", MR_GRADE_WARN, "%s: %lld of %lld workers serve",
                            name, number(processes, "serving"), number(pool, "here"));
        else
            mr_findings_add(findings, "pool", MR_GRADE_OK, "%s: %lld workers serve", name,
                            number(processes, "serving"));
    }
}

/* Jobs that wait where nobody fetches. */
static void check_queues(struct mr_findings *findings, const json_t *status)
{
    size_t i;
    json_t *queue;

    json_array_foreach(json_object_get(status, "queues"), i, queue)
    {
        const char *name = text(queue, "queue");

        if (number(queue, "ready") > 0 && number(queue, "workers") == 0)
            mr_findings_add(findings, "queue", MR_GRADE_FAIL,
                            "%s: %lld jobs are ready and no worker serves it", name,
                            number(queue, "ready"));
        else if (json_is_true(json_object_get(queue, "paused")))
            mr_findings_add(findings, "queue", MR_GRADE_WARN, "%s is paused", name);
    }
}

static void check_dispatcher(struct mr_findings *findings, struct mr_session *session)
{
    struct mr_api_answer answer;

    if (mr_session_ask(session, &(struct mr_api_ask){.call = MR_API_STATUS}, &answer)) {
        mr_findings_add(findings, "dispatcher", MR_GRADE_FAIL, "no dispatcher gave an answer");
        return;
    }
    const char *not_ready = text(answer.json, "not_ready");
    if (not_ready)
        mr_findings_add(findings, "dispatcher", MR_GRADE_FAIL, "not ready: %s", not_ready);
    else
        mr_findings_add(findings, "dispatcher", MR_GRADE_OK, "version %s on %s, ready",
                        text(answer.json, "version"), text(answer.json, "host"));
    if (text(answer.json, "reload_error"))
        mr_findings_add(findings, "dispatcher", MR_GRADE_WARN,
                        "the last reload was refused: %s", text(answer.json, "reload_error"));
    check_pools(findings, answer.json);
    check_queues(findings, answer.json);
    mr_api_answer_fini(&answer);
}

/* ---- Redis itself ---- */

/* One command in words, blank between them; its answer or NULL, the caller's. */
static redisReply *ask(struct mr_sync_link *link, const char *const *words, int n,
                       struct mr_err *err)
{
    struct mr_buf request = {0};
    redisReply *answer = NULL;

    mr_resp_begin(&request, (size_t)n);
    for (int i = 0; i < n; i++)
        mr_resp_text(&request, words[i]);
    if (mr_sync_link_ask(link, &request, 1, &answer, err) != MR_OK)
        answer = NULL;
    mr_buf_fini(&request);
    return answer;
}

#define ASK(link, err, ...)                                                                    \
    ask(link, (const char *const[]){__VA_ARGS__},                                              \
        (int)MR_COUNT(((const char *const[]){__VA_ARGS__})), err)

/* A line of INFO, "name:value", into out; false when there is none. */
static bool info_line(const redisReply *info, const char *name, char *out, size_t room)
{
    size_t len = strlen(name);
    const char *at = info && info->type == REDIS_REPLY_STRING ? info->str : NULL;

    while (at && !(strncmp(at, name, len) == 0 && at[len] == ':')) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return false;
    at += len + 1;
    snprintf(out, room, "%.*s", (int)strcspn(at, "\r\n"), at);
    return true;
}

static void check_server(struct mr_findings *findings, struct mr_sync_link *link)
{
    redisReply *info = ASK(link, NULL, "INFO");
    char version[32] = "?", role[16] = "?";

    if (!info_line(info, "redis_version", version, sizeof(version)))
        mr_findings_add(findings, "redis version", MR_GRADE_WARN,
                        "INFO is refused: at least %d.0 is needed", REDIS_MAJOR);
    else
        mr_findings_add(findings, "redis version",
                        atoi(version) >= REDIS_MAJOR ? MR_GRADE_OK : MR_GRADE_FAIL,
                        "%s; at least %d.0 is needed", version, REDIS_MAJOR);
    if (info_line(info, "role", role, sizeof(role)) && strcmp(role, "master") != 0)
        mr_findings_add(findings, "redis role", MR_GRADE_FAIL,
                        "%s: jobs can be taken from a master alone", role);
    freeReplyObject(info);
}

/* The value of one setting, owned; NULL when Redis does not say. */
static char *setting(struct mr_sync_link *link, const char *name)
{
    redisReply *reply = ASK(link, NULL, "CONFIG", "GET", name);
    char *value = NULL;

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->str)
        value = mr_strdup(reply->element[1]->str);
    freeReplyObject(reply);
    return value;
}

static enum mr_grade grade_of(enum mr_durability durability)
{
    static const enum mr_grade grades[] = {
        [MR_DURABILITY_UNKNOWN] = MR_GRADE_WARN,  [MR_DURABILITY_ALWAYS] = MR_GRADE_OK,
        [MR_DURABILITY_EVERYSEC] = MR_GRADE_OK,   [MR_DURABILITY_OS] = MR_GRADE_WARN,
        [MR_DURABILITY_SNAPSHOT] = MR_GRADE_WARN, [MR_DURABILITY_NONE] = MR_GRADE_FAIL,
    };

    return grades[durability];
}

static void check_settings(struct mr_findings *findings, struct mr_sync_link *link)
{
    char *appendonly = setting(link, "appendonly"), *fsync_mode = setting(link, "appendfsync");
    char *save = setting(link, "save"), *policy = setting(link, "maxmemory-policy");
    enum mr_durability durability = mr_promise_judge(appendonly, fsync_mode, save);
    char line[256];

    mr_promise_say(durability, NULL, line, sizeof(line));
    mr_findings_add(findings, "durability", grade_of(durability), "%s", line);
    if (!policy)
        mr_findings_add(findings, "maxmemory-policy", MR_GRADE_WARN,
                        "Redis does not tell: it should be noeviction");
    else if (mr_promise_may_evict(policy))
        mr_findings_add(findings, "maxmemory-policy", MR_GRADE_FAIL,
                        "%s may throw whole queues away: set noeviction", policy);
    else
        mr_findings_add(findings, "maxmemory-policy", MR_GRADE_OK,
                        "%s: queues are never thrown away", policy);
    free(appendonly);
    free(fsync_mode);
    free(save);
    free(policy);
}

/* Half of the round trip is the most that the asking itself can be wrong. */
static void check_clock(struct mr_findings *findings, struct mr_sync_link *link)
{
    uint64_t before_ms = mr_clock_wall_ms();
    redisReply *reply = ASK(link, NULL, "TIME");
    uint64_t now_ms = before_ms + (mr_clock_wall_ms() - before_ms) / 2;

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        long long redis_ms =
            atoll(reply->element[0]->str) * 1000 + atoll(reply->element[1]->str) / 1000;
        long long apart_ms = llabs((long long)now_ms - redis_ms);

        mr_findings_add(
            findings, "clock",
            apart_ms >= CLOCK_FAIL_MS   ? MR_GRADE_FAIL
            : apart_ms >= CLOCK_WARN_MS ? MR_GRADE_WARN
                                        : MR_GRADE_OK,
            "this host and Redis are %lld ms apart; delayed jobs come early or late by that",
            apart_ms);
    }
    freeReplyObject(reply);
}

static void check_strays(struct mr_findings *findings, struct mr_sync_link *link,
                         const char *prefix)
{
    unsigned long leases = 0;
    struct mr_err err;

    if (mr_strays_count(link, prefix ? prefix : "", &leases, &err) != MR_OK)
        mr_findings_add(findings, "stray leases", MR_GRADE_WARN, "could not look: %s",
                        err.text);
    else if (leases > 0)
        mr_findings_add(
            findings, "stray leases", MR_GRADE_FAIL,
            "%lu leases of workers that nobody knows; within an hour the dispatchers find them "
            "and give their jobs back",
            leases);
    else
        mr_findings_add(findings, "stray leases", MR_GRADE_OK,
                        "none: every lease has a worker that somebody knows");
}

static void check_redis(struct mr_findings *findings, const struct mr_config *config)
{
    const struct mr_sync_link_options options = {
        .url = config->redis.url,
        .username = config->redis.username,
        .password = config->redis.password,
        .name = "workerctl",
        .connect_timeout_ms = CONNECT_MS,
        .reply_timeout_ms = CONNECT_MS,
    };
    struct mr_sync_link *link = NULL;
    struct mr_err err;
    enum mr_code code = mr_sync_link_new(&options, &link, &err);
    redisReply *pong = code == MR_OK ? ASK(link, &err, "PING") : NULL;

    if (!pong) {
        mr_findings_add(findings, "redis", MR_GRADE_FAIL, "%s", err.text);
    } else if (pong->type == REDIS_REPLY_ERROR) {
        mr_findings_add(findings, "redis", MR_GRADE_FAIL, "%s", pong->str);
    } else {
        mr_findings_add(findings, "redis", MR_GRADE_OK, "answers");
        check_server(findings, link);
        check_settings(findings, link);
        check_clock(findings, link);
        check_strays(findings, link, config->redis.prefix);
    }
    freeReplyObject(pong);
    mr_sync_link_free(link);
}

/* ---- this host ---- */

static void check_files(struct mr_findings *findings)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    mr_findings_add(findings, "open files",
                    limit.rlim_max < FILES_WARN ? MR_GRADE_WARN : MR_GRADE_OK,
                    "%llu allowed (hard limit of this shell); every running job may need some",
                    (unsigned long long)limit.rlim_max);
}

/* A core holds what the worker had in memory: payloads, tokens. */
static void check_cores(struct mr_findings *findings)
{
    char pattern[256] = "";
    struct rlimit limit = {0};
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");

    if (!file || !fgets(pattern, sizeof(pattern), file))
        pattern[0] = '\0';
    if (file)
        fclose(file);
    getrlimit(RLIMIT_CORE, &limit);
    pattern[strcspn(pattern, "\n")] = '\0';
    if (pattern[0] == '|')
        mr_findings_add(findings, "core dumps", MR_GRADE_OK, "go to %s; they hold payloads",
                        pattern + 1);
    else if (limit.rlim_cur > 0)
        mr_findings_add(findings, "core dumps", MR_GRADE_WARN,
                        "a worker that crashes leaves its memory with payloads on disk (%s)",
                        pattern);
    else
        mr_findings_add(findings, "core dumps", MR_GRADE_OK, "none are written");
}

static void check_runtime_dir(struct mr_findings *findings, const struct mr_config *config)
{
    struct statfs where;

    if (statfs(config->runtime_dir, &where) != 0)
        mr_findings_add(findings, "runtime_dir", MR_GRADE_WARN, "%s is not there (yet)",
                        config->runtime_dir);
    else if (where.f_type != TMPFS_MAGIC)
        mr_findings_add(findings, "runtime_dir", MR_GRADE_WARN,
                        "%s is no tmpfs: workers write their pages there without pause",
                        config->runtime_dir);
    else
        mr_findings_add(findings, "runtime_dir", MR_GRADE_OK, "%s is in memory",
                        config->runtime_dir);
}

/* ---- the command ---- */

static void print_report(const struct mr_session *session, const struct mr_findings *findings)
{
    static const char *const titles[] = {"CHECK", "RESULT", "DETAIL"};
    size_t i;
    json_t *row;

    if (mr_session_wants_json(session)) {
        fputs("{\"items\":", stdout);
        json_dumpf(findings->rows, stdout, JSON_COMPACT);
        puts(",\"next\":null}");
        return;
    }
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    json_array_foreach(findings->rows, i, row)
        mr_table_add(table, (const char *const[]){text(row, "check"), text(row, "grade"),
                                                  text(row, "detail")});
    mr_table_say(table);
}

static bool knows_redis(const struct mr_session *session)
{
    return session->options.config || getenv("MILLRACE_CONFIG") || getenv("MILLRACE_REDIS_URL");
}

int mr_command_doctor(struct mr_session *session, int argc, char **argv)
{
    struct mr_findings findings = {.rows = json_array()};
    const struct mr_config *config = knows_redis(session) ? mr_session_config(session) : NULL;

    (void)argc;
    (void)argv;
    if (knows_redis(session) && !config) {
        json_decref(findings.rows);
        return EX_CONFIG;
    }
    check_dispatcher(&findings, session);
    if (config) {
        check_redis(&findings, config);
        mr_doctor_mysql(&findings, config);
        mr_doctor_storage(&findings, config);
        check_runtime_dir(&findings, config);
    } else {
        mr_findings_add(&findings, "redis", MR_GRADE_WARN,
                        "not looked at: say -c FILE, the dispatcher's configuration");
    }
    check_files(&findings);
    check_cores(&findings);
    print_report(session, &findings);
    json_decref(findings.rows);
    return findings.worst == MR_GRADE_FAIL ? 1 : 0;
}
