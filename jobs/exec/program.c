#include "jobs/exec/program.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What of the worker's environment a program gets: what it needs to find things, and no more. */
static const char *const inherited[] = {"PATH",   "HOME", "USER",  "LANG",
                                        "LC_ALL", "TZ",   "TMPDIR"};

enum { OWN_VARIABLES = 4 };

static enum mr_code bad_command(const char *job, struct mr_err *err)
{
    return mr_fail(err, MR_EINVAL,
                   "jobs.%s.command must be a list of a program and its arguments", job);
}

enum mr_code mr_program_init(struct mr_program *program, const char *job,
                             const json_t *settings, struct mr_err *err)
{
    const json_t *command = json_object_get(settings, "command");
    size_t n = json_array_size(command);

    if (n == 0)
        return bad_command(job, err);
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(command, i)))
            return bad_command(job, err);

    *program = (struct mr_program){.job = mr_strdup(job)};
    program->argv = mr_zalloc_array(n + 1, sizeof(char *));
    /* uv_spawn wants char **, as execvp does, and changes nothing. */
    for (size_t i = 0; i < n; i++)
        program->argv[i] = (char *)(uintptr_t)json_string_value(json_array_get(command, i));
    program->dir = json_string_value(json_object_get(settings, "dir"));
    program->env = json_object_get(settings, "env");
    program->ok = json_object_get(settings, "ok");
    program->retry = json_object_get(settings, "retry");
    return MR_OK;
}

void mr_program_fini(struct mr_program *program)
{
    free(program->job);
    free(program->argv);
}

char **mr_program_env(const struct mr_program *program, const char *uuid, const char *queue,
                      unsigned attempt)
{
    size_t room = MR_COUNT(inherited) + json_object_size(program->env) + OWN_VARIABLES + 1;
    char **env = mr_zalloc_array(room, sizeof(char *));
    size_t n = 0;
    const char *name;
    json_t *value;

    for (size_t i = 0; i < MR_COUNT(inherited); i++) {
        const char *own = getenv(inherited[i]);

        if (own && !json_object_get(program->env, inherited[i]))
            env[n++] = mr_asprintf("%s=%s", inherited[i], own);
    }
    json_object_foreach((json_t *)(uintptr_t)program->env, name, value)
    {
        if (json_is_string(value))
            env[n++] = mr_asprintf("%s=%s", name, json_string_value(value));
    }
    env[n++] = mr_asprintf("MILLRACE_JOB=%s", program->job);
    env[n++] = mr_asprintf("MILLRACE_UUID=%s", uuid);
    env[n++] = mr_asprintf("MILLRACE_QUEUE=%s", queue);
    env[n++] = mr_asprintf("MILLRACE_ATTEMPT=%u", attempt);
    return env;
}

void mr_program_free_env(char **env)
{
    for (char **variable = env; variable && *variable; variable++)
        free(*variable);
    free(env);
}

static bool lists(const json_t *statuses, int64_t status)
{
    for (size_t i = 0; i < json_array_size(statuses); i++)
        if (json_integer_value(json_array_get(statuses, i)) == status)
            return true;
    return false;
}

struct mr_outcome mr_program_outcome(const struct mr_program *program, int64_t status,
                                     int term_signal, const char *said)
{
    const char *colon = said[0] ? ": " : "";

    if (term_signal)
        return mr_outcome_retry("killed by %s%s%s", strsignal(term_signal), colon, said);
    if (program->ok ? lists(program->ok, status) : status == 0)
        return mr_outcome_done();
    if (!program->retry || lists(program->retry, status))
        return mr_outcome_retry("exit status %d%s%s", (int)status, colon, said);
    return mr_outcome_fail("exit status %d%s%s", (int)status, colon, said);
}
