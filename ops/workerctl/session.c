#include "ops/workerctl/session.h"

#include "proto/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

extern char **environ;

void mr_session_fini(struct mr_session *session)
{
    mr_config_free(session->config);
    free(session->socket);
}

bool mr_session_wants_json(const struct mr_session *session)
{
    return session->options.output && strcmp(session->options.output, "json") == 0;
}

int mr_session_fail(int status, const char *format, ...)
{
    va_list args;

    fputs("workerctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

static const char *config_path(const struct mr_session *session)
{
    return session->options.config ? session->options.config : getenv("MILLRACE_CONFIG");
}

const struct mr_config *mr_session_config(struct mr_session *session)
{
    struct mr_config_errors errors = {0};

    if (session->config)
        return session->config;
    if (mr_config_load(config_path(session), (const char *const *)environ, &session->config,
                       &errors) != MR_OK)
        for (unsigned i = 0; i < errors.n_lines; i++)
            fprintf(stderr, "%s\n", errors.lines[i]);
    mr_config_errors_fini(&errors);
    return session->config;
}

/* Where a dispatcher without a configured socket puts it. */
static char *default_socket(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (geteuid() != 0 && runtime && runtime[0])
        return mr_asprintf("%s/millrace/control.sock", runtime);
    return mr_strdup("/run/millrace/control.sock");
}

/* The first of: --socket, MILLRACE_SOCKET, the configuration, the usual place. 0, or 78. */
static int find_socket(struct mr_session *session)
{
    const char *named =
        session->options.socket ? session->options.socket : getenv("MILLRACE_SOCKET");

    if (session->socket)
        return 0;
    if (named && named[0]) {
        session->socket = mr_strdup(named);
        return 0;
    }
    if (!config_path(session)) {
        session->socket = default_socket();
        return 0;
    }
    const struct mr_config *config = mr_session_config(session);
    if (!config)
        return EX_CONFIG;
    session->socket = config->control.socket
                          ? mr_strdup(config->control.socket)
                          : mr_asprintf("%s/control.sock", config->runtime_dir);
    return 0;
}

static int refuse(const struct mr_api_answer *answer)
{
    const char *detail = json_string_value(json_object_get(answer->json, "detail"));

    return mr_session_fail(1, "%s", detail ? detail : mr_api_status_text((int)answer->status));
}

int mr_session_ask(struct mr_session *session, const struct mr_api_ask *ask,
                   struct mr_api_answer *out)
{
    struct mr_err err;
    struct mr_api_answer answer;
    int status = session->options.url ? 0 : find_socket(session);
    const struct mr_api_target target = {.socket = session->socket,
                                         .url = session->options.url,
                                         .token = getenv("MILLRACE_TOKEN")};

    if (status)
        return status;
    enum mr_code code = mr_api_call(&target, ask, &answer, &err);
    if (code != MR_OK)
        return mr_session_fail(code == MR_EDOWN ? EX_UNAVAILABLE : 1, "%s", err.text);
    if (answer.status < 200 || answer.status > 299) {
        status = refuse(&answer);
        mr_api_answer_fini(&answer);
        return status;
    }
    *out = answer;
    return 0;
}
