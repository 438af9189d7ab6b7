#include "ops/workerctl/commands.h"
#include "ops/workerctl/render.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading the API's JSON ---- */

static const char *text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static long long number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

static bool yes(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

/* A count in out (24 bytes), "?" where Redis did not say. */
static const char *count(const json_t *object, const char *member, char *out)
{
    const json_t *value = json_object_get(object, member);

    if (!json_is_integer(value))
        return "?";
    snprintf(out, 24, "%lld", (long long)json_integer_value(value));
    return out;
}

static void say(struct mr_buf *out)
{
    fputs(out->at ? out->at : "", stdout);
    mr_buf_fini(out);
}

/* Asks one of the pictures and shows it, as it came or as tables. 1 when it says that it is not ready. */
static int show(struct mr_session *session, enum mr_api_call call,
                void (*print)(const json_t *picture))
{
    struct mr_api_answer answer;
    int status = mr_session_ask(session, &(struct mr_api_ask){.call = call}, &answer);

    if (status)
        return status;
    if (mr_session_wants_json(session))
        fputs(answer.text, stdout);
    else
        print(answer.json);
    status = json_is_false(json_object_get(answer.json, "ready")) ? 1 : 0;
    mr_api_answer_fini(&answer);
    return status;
}

/* ---- pools ---- */

static void join(const json_t *names, struct mr_buf *out)
{
    size_t i;
    json_t *name;

    json_array_foreach((json_t *)(uintptr_t)names, i, name)
        mr_buf_printf(out, "%s%s", i ? "," : "", json_string_value(name));
}

static const char *pool_state(const json_t *pool)
{
    const json_t *processes = json_object_get(pool, "processes");

    if (yes(pool, "failing"))
        return "FAILING at start";
    if (yes(pool, "draining"))
        return "draining";
    if (number(processes, "backing_off") > 0)
        return "backing off";
    return number(processes, "serving") < number(pool, "here") ? "starting" : "serving";
}

static void add_pool(struct mr_table *table, const json_t *pool)
{
    struct mr_buf queues = {0};
    char cells[4][24], busy[64];

    join(json_object_get(pool, "queues"), &queues);
    snprintf(busy, sizeof(busy), "%lld/%lld", number(pool, "places_busy"),
             number(pool, "places"));
    mr_table_add(table, (const char *const[]){
                            text(pool, "pool"), queues.at ? queues.at : "-",
                            count(pool, "wanted", cells[0]), count(pool, "here", cells[1]),
                            count(json_object_get(pool, "processes"), "serving", cells[2]),
                            busy, pool_state(pool)});
    mr_buf_fini(&queues);
}

static void print_pool_table(const json_t *pools)
{
    static const char *const titles[] = {"POOL",     "QUEUES", ">WANTED", ">HERE",
                                         ">SERVING", ">BUSY",  "STATE"};
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    size_t i;
    json_t *pool;

    json_array_foreach((json_t *)(uintptr_t)pools, i, pool) add_pool(table, pool);
    mr_table_say(table);
}

/* ---- queues ---- */

static const char *queue_state(const json_t *queue)
{
    if (yes(queue, "paused"))
        return "paused";
    return yes(queue, "served_here") ? "served" : "not served here";
}

static void print_queue_table(const json_t *queues)
{
    static const char *const titles[] = {"QUEUE", ">READY",   ">DELAYED", ">RESERVED",
                                         ">DEAD", ">WORKERS", "STATE"};
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    size_t i;
    json_t *queue;

    json_array_foreach((json_t *)(uintptr_t)queues, i, queue)
    {
        char cells[5][24];

        mr_table_add(table,
                     (const char *const[]){
                         text(queue, "queue"), count(queue, "ready", cells[0]),
                         count(queue, "delayed", cells[1]), count(queue, "reserved", cells[2]),
                         count(queue, "dead", cells[3]), count(queue, "workers", cells[4]),
                         queue_state(queue)});
    }
    mr_table_say(table);
}

static void print_queues(const json_t *list)
{
    print_queue_table(json_object_get(list, "items"));
}

int mr_command_queues(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return show(session, MR_API_QUEUES, print_queues);
}

/* ---- status ---- */

static void line(const char *name, const char *value)
{
    struct mr_buf out = {0};

    mr_buf_printf(&out, "%-10s ", name);
    mr_render_safe(value ? value : "-", &out);
    mr_buf_char(&out, '\n');
    say(&out);
}

static void print_dispatcher(const json_t *status)
{
    char up[32];
    const char *not_ready = text(status, "not_ready");

    mr_render_span(json_number_value(json_object_get(status, "up_s")), up);
    char *self =
        mr_asprintf("millrace %s on %s, up %s, %lld in the fleet", text(status, "version"),
                    text(status, "host"), up, number(status, "dispatchers"));
    char *state = yes(status, "draining") ? mr_strdup("draining")
                  : yes(status, "ready")
                      ? mr_strdup("ready")
                      : mr_asprintf("NOT READY: %s", not_ready ? not_ready : "?");
    line("dispatcher", self);
    line("state", state);
    if (text(status, "reload_error"))
        line("reload", text(status, "reload_error"));
    free(self);
    free(state);
}

static void print_redis(const json_t *redis)
{
    const char *version = text(redis, "version");
    char *where = mr_asprintf("%s, %s%s", text(redis, "address"),
                              yes(redis, "up") ? "up, version " : "AWAY",
                              !yes(redis, "up") ? ""
                              : version         ? version
                                                : "?");

    line("redis", where);
    line("promise", text(redis, "promise"));
    free(where);
}

static void print_status(const json_t *status)
{
    const json_t *jobs = json_object_get(status, "jobs");
    char *ended =
        mr_asprintf("%lld done, %lld retried, %lld released, %lld dead", number(jobs, "done"),
                    number(jobs, "retry"), number(jobs, "release"), number(jobs, "dead"));

    print_dispatcher(status);
    print_redis(json_object_get(status, "redis"));
    line("attempts", ended);
    free(ended);
    putchar('\n');
    print_pool_table(json_object_get(status, "pools"));
    putchar('\n');
    print_queue_table(json_object_get(status, "queues"));
}

int mr_command_status(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return show(session, MR_API_STATUS, print_status);
}

/* ---- pools with their workers ---- */

static void add_worker(struct mr_table *table, const char *pool, const json_t *worker)
{
    char up[32], pid[24], busy[64], finished[24];
    const char *name = text(worker, "worker");
    char *brief = mr_strndup(name ? name : "?", name && strlen(name) > 8 ? 8 : 1);

    mr_render_span(json_number_value(json_object_get(worker, "up_s")), up);
    snprintf(busy, sizeof(busy), "%lld/%lld", number(worker, "places_busy"),
             number(worker, "places"));
    mr_table_add(table, (const char *const[]){pool, brief, count(worker, "pid", pid),
                                              text(worker, "state"), up, busy,
                                              count(worker, "finished", finished),
                                              yes(worker, "stuck")      ? "has a stuck job"
                                              : yes(worker, "fenced")   ? "fenced"
                                              : yes(worker, "redis_up") ? "-"
                                                                        : "Redis away"});
    free(brief);
}

/* "40 % 1200", in 48 bytes: what the job says of itself, "-" where it says nothing. */
static const char *progress(const json_t *job, char *out)
{
    long long pct = number(job, "progress_pct"), done = number(job, "progress_count");

    if (pct > 0 && done > 0)
        snprintf(out, 48, "%lld %% %lld", pct, done);
    else if (pct > 0)
        snprintf(out, 48, "%lld %%", pct);
    else if (done > 0)
        snprintf(out, 48, "%lld", done);
    else
        snprintf(out, 48, "-");
    return out;
}

static struct mr_table *new_job_table(void)
{
    static const char *const titles[] = {"UUID",     "JOB",  "QUEUE",     ">ATTEMPT",
                                         ">RUNNING", ">PID", ">PROGRESS", "STATE"};

    return mr_table_new(titles, MR_COUNT(titles));
}

/* pid_of: what knows the process' pid, the job itself or its worker. */
static void add_job(struct mr_table *table, const json_t *job, const json_t *pid_of)
{
    char running[32], attempt[24], pid[24], done[48];

    mr_render_span(json_number_value(json_object_get(job, "running_s")), running);
    mr_table_add(table, (const char *const[]){
                            text(job, "uuid"), text(job, "job"), text(job, "queue"),
                            count(job, "attempt", attempt), running, count(pid_of, "pid", pid),
                            progress(job, done),
                            yes(job, "timed_out") ? "past its deadline" : text(job, "state")});
}

static void add_jobs(struct mr_table *table, const json_t *worker)
{
    size_t i;
    json_t *job;

    json_array_foreach(json_object_get(worker, "jobs"), i, job) add_job(table, job, worker);
}

static void each_worker(const json_t *workers, const char *pool, struct mr_table *table,
                        struct mr_table *jobs)
{
    size_t i;
    json_t *worker;

    json_array_foreach((json_t *)(uintptr_t)workers, i, worker)
    {
        add_worker(table, pool, worker);
        add_jobs(jobs, worker);
    }
}

static void print_pools(const json_t *list)
{
    static const char *const worker_titles[] = {"POOL", "WORKER", ">PID",      "STATE",
                                                ">FOR", ">BUSY",  ">FINISHED", "REMARK"};
    struct mr_table *workers = mr_table_new(worker_titles, MR_COUNT(worker_titles));
    struct mr_table *jobs = new_job_table();
    size_t i;
    json_t *pool;

    json_array_foreach(json_object_get(list, "items"), i, pool)
        each_worker(json_object_get(pool, "workers"), text(pool, "pool"), workers, jobs);
    each_worker(json_object_get(list, "orphans"), "(left behind)", workers, jobs);

    print_pool_table(json_object_get(list, "items"));
    putchar('\n');
    mr_table_say(workers);
    if (mr_table_rows(jobs) > 0) {
        putchar('\n');
        mr_table_say(jobs);
    } else {
        mr_table_free(jobs);
    }
}

int mr_command_pools(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return show(session, MR_API_POOLS, print_pools);
}

/* ---- what runs ---- */

static void print_jobs(const json_t *list)
{
    struct mr_table *table = new_job_table();
    size_t i;
    json_t *job;

    json_array_foreach(json_object_get(list, "items"), i, job) add_job(table, job, job);
    mr_table_say(table);
}

int mr_command_jobs(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return show(session, MR_API_JOBS, print_jobs);
}
