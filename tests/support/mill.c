#include "tests/support/mill.h"

#include "proto/base/mem.h"
#include "tests/support/wait.h"

#include <check.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { START_MS = 20000, PATH_ROOM = 128 };

void mr_mill_start(struct mr_mill *mill, const char *yaml, const char *const *redis_args)
{
    memset(mill, 0, sizeof(*mill));
    mr_redis_start(&mill->redis, redis_args);
    mill->yaml = yaml;
    snprintf(mill->ledger, sizeof(mill->ledger), "%s/ledger", mill->redis.dir);
    snprintf(mill->control, sizeof(mill->control), "%s/run0/control.sock", mill->redis.dir);
    snprintf(mill->config, sizeof(mill->config), "%s/0.yaml", mill->redis.dir);
}

/* The configuration of a program called by this name ("0", "worker1"); its path is written into path. */
static void write_config(struct mr_mill *mill, const char *name, const char *url, char *path)
{
    char module[PATH_MAX];

    snprintf(path, PATH_ROOM, "%s/%s.yaml", mill->redis.dir, name);
    mr_proc_built("tests/ledger.so", module, sizeof(module));
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "redis: { url: \"%s\", prefix: " MR_MILL_PREFIX " }\n"
            "runtime_dir: %s/run%s\n"
            "modules: [\"%s\"]\n"
            "debug_jobs: true\n"
            "%s",
            url, mill->redis.dir, name, module, mill->yaml);
    fclose(file);
}

/* Serving workers are those that said so in the log, which they share with their dispatcher. */
static bool serves(const struct mr_proc *proc, unsigned n_workers)
{
    FILE *file = fopen(proc->log, "re");
    char line[4096];
    unsigned n = 0;

    while (file && fgets(line, sizeof(line), file))
        n += strstr(line, "worker.ready") != NULL;
    if (file)
        fclose(file);
    return n >= n_workers;
}

static void start_and_wait(struct mr_mill *mill, struct mr_proc *proc, const char *const *argv,
                           const char *name, unsigned n_workers)
{
    char log[PATH_ROOM], ledger[PATH_ROOM + 32];
    const char *env[] = {ledger, NULL};

    snprintf(log, sizeof(log), "%s/%s.log", mill->redis.dir, name);
    snprintf(ledger, sizeof(ledger), "MILLRACE_LEDGER=%s", mill->ledger);
    unlink(log); /* of one before */
    mr_proc_start(proc, argv, env, log);
    for (uint64_t end_ms = mr_wait_now_ms() + START_MS; !serves(proc, n_workers);
         mr_wait_a_moment()) {
        if (mr_wait_now_ms() > end_ms || !mr_proc_alive(proc->pid)) {
            mr_proc_show(proc);
            ck_abort_msg("%s: not %u workers serve", name, n_workers);
        }
    }
}

void mr_mill_dispatch_at(struct mr_mill *mill, unsigned i, unsigned n_workers, const char *url)
{
    char config[PATH_ROOM], name[24];
    const char *argv[] = {"dispatcher/millrace-dispatcher", "--config", config, NULL};

    snprintf(name, sizeof(name), "%u", i);
    write_config(mill, name, url, config);
    snprintf(name, sizeof(name), "dispatcher%u", i);
    start_and_wait(mill, &mill->dispatchers[i], argv, name, n_workers);
}

void mr_mill_work(struct mr_mill *mill, unsigned i, const char *url)
{
    char config[PATH_ROOM], name[24];
    const char *argv[] = {"worker/millrace-worker", "--config", config, "--pool", "main", NULL};

    snprintf(name, sizeof(name), "worker%u", i);
    write_config(mill, name, url, config);
    start_and_wait(mill, &mill->workers[i], argv, name, 1);
}

void mr_mill_dispatch(struct mr_mill *mill, unsigned i, unsigned n_workers)
{
    mr_mill_dispatch_at(mill, i, n_workers, mill->redis.url);
}

void mr_mill_drain(struct mr_mill *mill, unsigned i, uint64_t ms)
{
    struct mr_proc *dispatcher = &mill->dispatchers[i];
    pid_t workers[MR_PROC_LIST];
    int n = mr_proc_children(dispatcher->pid, workers);

    mr_proc_signal(dispatcher, SIGTERM);
    ck_assert_int_eq(mr_proc_exit_status(dispatcher, ms), 0);
    for (int w = 0; w < n; w++)
        ck_assert_msg(!mr_proc_alive(workers[w]), "worker %d outlived its dispatcher's drain",
                      (int)workers[w]);
}

/* Workers write to their dispatcher's log; so does a sanitizer in them that has found something. */
static void check_sanitizers(const struct mr_proc *proc)
{
    static const char *const findings[] = {
        "LeakSanitizer:", "runtime error:", "AddressSanitizer: heap-",
        "AddressSanitizer: stack-", "AddressSanitizer: attempting"};

    for (size_t i = 0; i < MR_COUNT(findings); i++)
        if (proc->log[0] && mr_proc_said(proc, findings[i])) {
            mr_proc_show(proc);
            ck_abort_msg("a sanitizer said: %s", findings[i]);
        }
}

unsigned mr_mill_control_port(struct mr_mill *mill)
{
    char path[160];
    unsigned port = 0;

    snprintf(path, sizeof(path), "%s/run0/control.port", mill->redis.dir);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%u", &port), 1);
    fclose(file);
    return port;
}

void mr_mill_dismiss(struct mr_mill *mill, unsigned i, uint64_t ms)
{
    mr_proc_signal(&mill->workers[i], SIGTERM);
    int status = mr_proc_exit_status(&mill->workers[i], ms);
    /* It may have been about to leave by itself: after many lost connections its names run out. */
    ck_assert_msg(status == 0 || status == EX_TEMPFAIL, "worker %u ended with %d", i, status);
}

void mr_mill_stop(struct mr_mill *mill)
{
    for (unsigned i = 0; i < MR_MILL_WORKERS; i++) {
        if (mill->workers[i].pid > 0)
            mr_mill_dismiss(mill, i, START_MS);
        check_sanitizers(&mill->workers[i]);
    }
    for (unsigned i = 0; i < MR_MILL_DISPATCHERS; i++)
        if (mill->dispatchers[i].pid > 0)
            mr_mill_drain(mill, i, START_MS);
    for (unsigned i = 0; i < MR_MILL_DISPATCHERS; i++)
        check_sanitizers(&mill->dispatchers[i]);
    mr_redis_stop(&mill->redis);
}

void mr_mill_push_raw(struct mr_mill *mill, const char *queue, const char *payload, size_t len)
{
    freeReplyObject(mr_redis_ask(&mill->redis, "RPUSH " MR_MILL_PREFIX "queues:%s %b", queue,
                                 payload, len));
}

void mr_mill_push_ledger(struct mr_mill *mill, const char *queue, unsigned n, unsigned ms,
                         unsigned fail)
{
    char payload[256];
    int len = snprintf(
        payload, sizeof(payload),
        "{\"uuid\":\"job-%u\",\"job\":\"ledger.write\",\"data\":{\"ms\":%u,\"fail\":%u}}", n,
        ms, fail);

    mr_mill_push_raw(mill, queue, payload, (size_t)len);
}

long long mr_mill_ready(struct mr_mill *mill, const char *queue)
{
    return mr_redis_int(&mill->redis, "LLEN " MR_MILL_PREFIX "queues:%s", queue);
}

long long mr_mill_delayed(struct mr_mill *mill, const char *queue)
{
    return mr_redis_int(&mill->redis, "ZCARD " MR_MILL_PREFIX "queues:%s:delayed", queue);
}

long long mr_mill_dead(struct mr_mill *mill, const char *queue)
{
    return mr_redis_int(&mill->redis, "ZCARD " MR_MILL_PREFIX "queues:%s:dead", queue);
}

/* Counts places of which kinds; in one step, for a job may be on its way from one to another. */
static long long count_in_one_step(struct mr_mill *mill, const char *queue, bool leases_alone)
{
    static const char script[] =
        "local n = 0\n"
        "for _, key in ipairs(redis.call('KEYS', KEYS[1] .. ':lease:*')) do\n"
        "  if redis.call('TYPE', key).ok == 'list' then n = n + 1 end\n"
        "end\n"
        "if ARGV[1] == '1' then return n end\n"
        "return n + redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[1] .. ':delayed')\n";

    return mr_redis_int(&mill->redis, "EVAL %s 1 " MR_MILL_PREFIX "queues:%s %d", script, queue,
                        (int)leases_alone);
}

long long mr_mill_leases(struct mr_mill *mill, const char *queue)
{
    return count_in_one_step(mill, queue, true);
}

bool mr_mill_is_empty(struct mr_mill *mill, const char *queue)
{
    return count_in_one_step(mill, queue, false) == 0;
}

void mr_mill_pause(struct mr_mill *mill, const char *queue)
{
    freeReplyObject(
        mr_redis_ask(&mill->redis, "SET " MR_MILL_PREFIX "queues:%s:paused 1", queue));
}

void mr_mill_resume(struct mr_mill *mill, const char *queue)
{
    freeReplyObject(
        mr_redis_ask(&mill->redis, "DEL " MR_MILL_PREFIX "queues:%s:paused", queue));
}

bool mr_mill_is_waiting(struct mr_mill *mill)
{
    redisReply *clients = mr_redis_ask(&mill->redis, "CLIENT LIST");
    bool waiting = strstr(clients->str, "cmd=blmove") != NULL;

    freeReplyObject(clients);
    return waiting;
}

void mr_mill_kill_waiters(struct mr_mill *mill)
{
    redisReply *clients = mr_redis_ask(&mill->redis, "CLIENT LIST");

    for (char *line = strtok(clients->str, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, "cmd=blmove"))
            freeReplyObject(
                mr_redis_ask(&mill->redis, "CLIENT KILL ID %lld", atoll(line + strlen("id="))));
    freeReplyObject(clients);
}

/* A number of the command's row in INFO; 0 when it was never called. */
static long long command_stat(struct mr_mill *mill, const char *command, const char *name)
{
    redisReply *info = mr_redis_ask(&mill->redis, "INFO commandstats");
    char wanted[64];
    long long n = 0;

    snprintf(wanted, sizeof(wanted), "cmdstat_%s:", command);
    const char *row = strstr(info->str, wanted);
    if (row)
        n = atoll(strstr(row, name) + strlen(name));
    freeReplyObject(info);
    return n;
}

long long mr_mill_calls(struct mr_mill *mill, const char *command)
{
    return command_stat(mill, command, "calls=");
}

long long mr_mill_refusals(struct mr_mill *mill, const char *command)
{
    return command_stat(mill, command, "rejected_calls=");
}

json_t *mr_mill_only_letter(struct mr_mill *mill, const char *queue)
{
    redisReply *fields =
        mr_redis_ask(&mill->redis, "HGETALL " MR_MILL_PREFIX "queues:%s:dead:jobs", queue);
    json_t *meta = NULL;

    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const char *name = fields->element[i]->str;

        if (strlen(name) > 5 && strcmp(name + strlen(name) - 5, ":meta") == 0) {
            ck_assert_msg(meta == NULL, "more than one dead letter in %s", queue);
            meta =
                json_loadb(fields->element[i + 1]->str, fields->element[i + 1]->len, 0, NULL);
        }
    }
    freeReplyObject(fields);
    ck_assert_msg(meta != NULL, "no dead letter in %s", queue);
    return meta;
}

void mr_mill_await_letter(struct mr_mill *mill, const char *queue, const char *class,
                          const char *reason)
{
    mr_wait_for(mr_mill_dead(mill, queue) > 0 && mr_mill_is_empty(mill, queue), START_MS);
    json_t *letter = mr_mill_only_letter(mill, queue);
    const char *its_class = json_string_value(json_object_get(letter, "class"));
    const char *its_reason = json_string_value(json_object_get(letter, "reason"));

    ck_assert_str_eq(its_class, class);
    ck_assert_msg(its_reason && strstr(its_reason, reason), "no \"%s\" in the reason: %s",
                  reason, its_reason);
    json_decref(letter);
}

int mr_mill_workers(struct mr_mill *mill, unsigned i, pid_t *out)
{
    return mr_proc_children(mill->dispatchers[i].pid, out);
}

/* counts[n] for each job-<n> below n_jobs; ends when the file does. */
static void read_ledger(struct mr_mill *mill, char what, unsigned *counts, unsigned n_jobs)
{
    FILE *file = fopen(mill->ledger, "re");
    char line[160], wanted[] = {what, ' ', '\0'};

    while (file && fgets(line, sizeof(line), file)) {
        unsigned n;

        if (strncmp(line, wanted, 2) == 0 && sscanf(line + 2, "job-%u", &n) == 1 && n < n_jobs)
            counts[n]++;
    }
    if (file)
        fclose(file);
}

unsigned mr_mill_noted(struct mr_mill *mill, char what, unsigned n)
{
    unsigned *counts = mr_zalloc_array(n + 1, sizeof(*counts));

    read_ledger(mill, what, counts, n + 1);
    unsigned noted = counts[n];
    free(counts);
    return noted;
}

struct mr_mill_tally mr_mill_count(struct mr_mill *mill, char what, unsigned n)
{
    unsigned *counts = mr_zalloc_array(n, sizeof(*counts));
    struct mr_mill_tally tally = {UINT_MAX, 0, 0};

    read_ledger(mill, what, counts, n);
    for (unsigned i = 0; i < n; i++) {
        tally.total += counts[i];
        tally.least = counts[i] < tally.least ? counts[i] : tally.least;
        tally.most = counts[i] > tally.most ? counts[i] : tally.most;
    }
    free(counts);
    return tally;
}
