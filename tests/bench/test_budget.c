/*
 * What a job costs, in counts that do not depend on the machine's mood: commands that Redis executes, bytes of its log of
 * changes beyond the push, instructions of the worker. Each is the difference of two runs of different length, so that
 * starting and stopping do not count. Nothing here is timed.
 */
#include "proto/base/mem.h"
#include "tests/support/proc.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "b_"
#define Q PREFIX "queues:bench"

enum { SHORT_RUN = 2000, LONG_RUN = 12000, WAIT_MS = 120000 };

struct costs {
    double commands, aof_bytes, instructions;
};

/*
 * The budgets: what was measured with gcc 12 and -O2, and about a seventh of head-room. Commands and bytes hardly vary at
 * all; instructions vary with the compiler and the libraries' versions. A budget that is broken wants a look at the
 * profile first; it is raised only where the job gets something for it.
 */
/* clang-format off */
static const struct {
    const char *job, *data;
    struct costs most;
} budgets[] = {
    /* job          its data                commands  AOF bytes  instructions */
    {"debug.noop",  "",                    {0.09,     3,         9300}},
    {"bench.data",  "",                    {0.09,     3,         27000}},
    {"debug.fail",  "\"for_good\":true", {12.5,     1350,      110000}},
};
/* clang-format on */

static struct mr_redis redis;

static void write_config(char *path, size_t size)
{
    char module[PATH_MAX];

    mr_proc_built("tests/bench/bench.so", module, sizeof(module));
    snprintf(path, size, "%s/worker.yaml", redis.dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "redis: { url: \"%s\", prefix: " PREFIX " }\n"
            "lease: 1h\n" /* a slow machine must not renew more often than a fast one */
            "log: { level: error }\n"
            "modules: [\"%s\"]\n"
            "debug_jobs: true\n"
            /* so many places that no pace, however slow, makes a batch smaller */
            "pools: { bench: { queues: [bench], concurrency: 1000 } }\n",
            redis.url, module);
    fclose(file);
}

static void push(const char *job, const char *data, unsigned n)
{
    char load[PATH_MAX], command[PATH_MAX + 512];

    mr_proc_built("tests/bench/bench-load", load, sizeof(load));
    snprintf(command, sizeof(command),
             "%s --socket %s --key " Q " --job %s --jobs %u --data '%s' >/dev/null", load,
             redis.socket, job, n, data);
    ck_assert_int_eq(system(command), 0);
}

/* ---- counts ---- */

/* The number behind a name of an INFO section. */
static double info(const char *section, const char *name)
{
    redisReply *text = mr_redis_ask(&redis, "INFO %s", section);
    const char *at = strstr(text->str, name);

    ck_assert_ptr_nonnull(at);
    double number = atof(at + strlen(name));
    freeReplyObject(text);
    return number;
}

/* Commands executed since the last reset, those inside of scripts included, but for the test's own looks. */
static double commands(void)
{
    static const char *const own[] = {"cmdstat_info:", "cmdstat_keys:", "cmdstat_config"};
    redisReply *text = mr_redis_ask(&redis, "INFO commandstats");
    double n = 0;

    for (char *row = strtok(text->str, "\r\n"); row; row = strtok(NULL, "\r\n")) {
        const char *calls = strstr(row, "calls=");
        bool is_own = false;

        for (size_t i = 0; i < MR_COUNT(own); i++)
            is_own = is_own || strncmp(row, own[i], strlen(own[i])) == 0;
        if (calls && !is_own)
            n += atof(calls + strlen("calls="));
    }
    freeReplyObject(text);
    return n;
}

static double aof_bytes(void)
{
    return info("persistence", "aof_current_size:") + info("persistence", "aof_buffer_length:");
}

/* Of all threads, as callgrind wrote them down at the end of the process. */
static double instructions(const char *path)
{
    char line[4096];
    double n = 0;
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "totals: ", strlen("totals: ")) == 0)
            n = atof(line + strlen("totals: "));
    fclose(file);
    ck_assert(n > 0);
    return n;
}

/* ---- a run ---- */

/* Neither ready nor leased jobs are left. By KEYS alone, which no worker uses: a look must not count as its work. */
static bool is_drained(void)
{
    redisReply *keys = mr_redis_ask(&redis, "KEYS " Q "*");
    bool drained = true;

    for (size_t i = 0; i < keys->elements; i++) {
        const char *key = keys->element[i]->str;

        drained = drained && strcmp(key, Q) != 0 && !strstr(key, ":lease:");
    }
    freeReplyObject(keys);
    return drained;
}

static struct costs run(const char *job, const char *data, unsigned n)
{
    char config[PATH_MAX], worker[PATH_MAX], out[PATH_MAX], log[PATH_MAX],
        out_file[PATH_MAX + 32];
    const char *persist[] = {"--appendonly", "yes", "--appendfsync", "no", NULL};
    struct mr_proc proc;

    mr_redis_start(&redis, persist);
    write_config(config, sizeof(config));
    mr_proc_built("worker/millrace-worker", worker, sizeof(worker));
    snprintf(out, sizeof(out), "%s/callgrind.out", redis.dir);
    snprintf(out_file, sizeof(out_file), "--callgrind-out-file=%s", out);
    snprintf(log, sizeof(log), "%s/worker.log", redis.dir);
    const char *argv[] = {MR_VALGRIND, "--tool=callgrind", out_file, worker, "--config", config,
                          NULL};

    push(job, data, n);
    mr_redis_do(&redis, "CONFIG RESETSTAT");
    double aof_before = aof_bytes();
    mr_proc_start(&proc, argv, NULL, log);
    mr_wait_for(is_drained(), WAIT_MS);
    mr_proc_signal(&proc, SIGTERM);
    ck_assert_int_eq(mr_proc_exit_status(&proc, WAIT_MS), 0);
    struct costs costs = {commands(), aof_bytes() - aof_before, instructions(out)};
    mr_redis_stop(&redis);
    return costs;
}

static struct costs costs_a_job(const char *job, const char *data)
{
    struct costs few = run(job, data, SHORT_RUN), many = run(job, data, LONG_RUN);
    double jobs = LONG_RUN - SHORT_RUN;

    return (struct costs){(many.commands - few.commands) / jobs,
                          (many.aof_bytes - few.aof_bytes) / jobs,
                          (many.instructions - few.instructions) / jobs};
}

START_TEST(a_job_costs_no_more_than_its_budget)
{
    const struct costs most = budgets[_i].most;
    struct costs now = costs_a_job(budgets[_i].job, budgets[_i].data);

    printf("# %s: %.3f commands, %.1f AOF bytes, %.0f instructions\n", budgets[_i].job,
           now.commands, now.aof_bytes, now.instructions);
    fflush(stdout);
    ck_assert_double_le(now.commands, most.commands);
    ck_assert_double_le(now.aof_bytes, most.aof_bytes);
    ck_assert_double_le(now.instructions, most.instructions);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_job_costs_no_more_than_its_budget, MR_COUNT(budgets)},
    };

    return mr_suite_run_slow("budget", tests, 2.0 * WAIT_MS / 1000);
}
