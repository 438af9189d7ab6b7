/*
 * exec: a configured job name runs a program in any language. The job's `data` is on its standard input as JSON,
 * MILLRACE_{JOB,UUID,QUEUE,ATTEMPT} in its environment, its exit status says what came of it, and the end of its standard
 * error is the reason. A retry meets the same uuid: what must not be done twice, the program guards by that.
 */
#include "jobs/exec/child.h"
#include "jobs/exec/program.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>

/* The programs of all jobs that name this handler. */
struct exec {
    struct mr_program *programs;
    size_t n_programs;
};

/* One attempt. */
struct attempt {
    struct mr_job *job;
    const struct mr_program *program;
    struct mr_child *child;
};

static void close_exec(void *state)
{
    struct exec *exec = state;

    for (size_t i = 0; i < exec->n_programs; i++)
        mr_program_fini(&exec->programs[i]);
    free(exec->programs);
    free(exec);
}

static bool is_ours(const json_t *settings)
{
    const char *handler = json_string_value(json_object_get(settings, "handler"));

    return handler && strcmp(handler, "exec") == 0;
}

static enum mr_code open_exec(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *jobs = mr_host_config(host, "jobs");
    struct exec *exec = mr_zalloc(sizeof(*exec));
    enum mr_code code = MR_OK;
    const char *name;
    json_t *settings;

    exec->programs = mr_zalloc_array(json_object_size(jobs) + 1, sizeof(*exec->programs));
    json_object_foreach(jobs, name, settings)
    {
        if (!is_ours(settings))
            continue;
        code = mr_program_init(&exec->programs[exec->n_programs], name, settings, err);
        if (code != MR_OK)
            break;
        exec->n_programs++;
    }
    if (code == MR_OK)
        *out_state = exec;
    else
        close_exec(exec);
    return code;
}

static const struct mr_program *find_program(const struct exec *exec, const char *job)
{
    for (size_t i = 0; i < exec->n_programs; i++)
        if (strcmp(exec->programs[i].job, job) == 0)
            return &exec->programs[i];
    return NULL;
}

/*
 * No such program, no right to it: a deploy may be under way, so the job's tries decide. No process to be had: that
 * is this host's trouble and not the job's, so no attempt is spent.
 */
static struct mr_outcome not_spawned(const struct mr_program *program, int error)
{
    if (error == UV_EAGAIN || error == UV_ENOMEM || error == UV_EMFILE || error == UV_ENFILE)
        return mr_outcome_release(1000, "no process for %s: %s", program->argv[0],
                                  uv_strerror(error));
    return mr_outcome_retry("cannot run %s%s%s: %s", program->argv[0],
                            program->dir ? " in " : "", program->dir ? program->dir : "",
                            uv_strerror(error));
}

static void on_done(void *arg, const struct mr_child_end *end)
{
    struct attempt *attempt = arg;
    struct mr_job *job = attempt->job;

    mr_job_enter(job);
    struct mr_outcome outcome =
        end->spawn_error
            ? not_spawned(attempt->program, end->spawn_error)
            : mr_program_outcome(attempt->program, end->status, end->term_signal, end->said);
    free(attempt);
    mr_job_finish(job, outcome);
}

static void start(void *state, struct mr_job *job)
{
    struct attempt *attempt = mr_zalloc(sizeof(*attempt));

    attempt->job = job;
    attempt->program = find_program(state, mr_job_name(job));
    if (!attempt->program) {
        free(attempt);
        mr_job_finish(job, mr_outcome_fail("jobs.%s is not configured", mr_job_name(job)));
        return;
    }
    struct mr_child_options options = {
        .argv = attempt->program->argv,
        .dir = attempt->program->dir,
        .env = mr_program_env(attempt->program, mr_job_uuid(job), mr_job_queue(job),
                              mr_job_attempt(job)),
        .done = on_done,
        .arg = attempt,
    };
    options.input = mr_job_data_raw(job, &options.n_input);
    attempt->child = mr_child_start(mr_host_loop(mr_job_host(job)), &options);
    mr_program_free_env(options.env);
    mr_job_set(job, attempt);
}

/* Half of the time it has before it counts as stuck is for its own clean-up. */
static void cancel(void *state, struct mr_job *job)
{
    struct attempt *attempt = mr_job_get(job);

    (void)state;
    mr_child_stop(attempt->child, mr_job_grace_ms(job) / 2);
}

static const struct mr_handler exec = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .flags = MR_PATTERN,
    .name = "exec",
    .open = open_exec,
    .close = close_exec,
    .start = start,
    .cancel = cancel,
};

const struct mr_handler *const mr_handlers[] = {&exec, NULL};
