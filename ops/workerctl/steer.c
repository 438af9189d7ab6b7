#include "ops/workerctl/commands.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Asks, and prints the answer as JSON or by show. Takes body. */
static int tell(struct mr_session *session, enum mr_api_call call, const char *param,
                json_t *body, void (*show)(const json_t *answer))
{
    const struct mr_api_ask ask = {.call = call, .params = {param}, .body = body};
    struct mr_api_answer answer;
    int status = mr_session_ask(session, &ask, &answer);

    json_decref(body);
    if (status)
        return status;
    if (mr_session_wants_json(session))
        fputs(answer.text, stdout);
    else
        show(answer.json);
    mr_api_answer_fini(&answer);
    return 0;
}

/* ---- scale ---- */

static void show_scaled(const json_t *answer)
{
    printf("%s: %lld wanted in all, %lld of them here\n",
           json_string_value(json_object_get(answer, "pool")),
           (long long)json_integer_value(json_object_get(answer, "wanted")),
           (long long)json_integer_value(json_object_get(answer, "here")));
}

/* "high=12", "high=+1": the name's length in *out_name; NULL when it reads like neither. */
static json_t *read_scale(const char *word, size_t *out_name)
{
    const char *sign = strchr(word, '=');
    char *end = NULL;

    if (!sign || sign == word)
        return NULL;
    *out_name = (size_t)(sign - word);
    const char *digits = sign[1] == '+' || sign[1] == '-' ? sign + 2 : sign + 1;
    if (*digits < '0' || *digits > '9')
        return NULL;
    errno = 0;
    long long n = strtoll(sign + 1, &end, 10);
    if (errno != 0 || *end)
        return NULL;
    return json_pack("{s:I}", digits == sign + 1 ? "processes" : "change", (json_int_t)n);
}

int mr_command_scale(struct mr_session *session, int argc, char **argv)
{
    int status = 0;

    for (int i = 0; i < argc && status == 0; i++) {
        size_t len = 0;
        json_t *body = read_scale(argv[i], &len);

        if (!body)
            return mr_session_fail(
                EX_USAGE, "'%s' is no scale: write high=12, high=+1 or high=-1", argv[i]);
        char *pool = mr_strndup(argv[i], len);
        status = tell(session, MR_API_SCALE, pool, body, show_scaled);
        free(pool);
    }
    return status;
}

/* ---- pause, resume ---- */

static void show_paused(const json_t *answer)
{
    printf("%s: %s\n", json_string_value(json_object_get(answer, "queue")),
           json_is_true(json_object_get(answer, "paused")) ? "paused" : "resumed");
}

int mr_command_pause(struct mr_session *session, int argc, char **argv)
{
    const char *span = session->options.pause_for;
    uint64_t ms = 0;
    struct mr_err err;
    int status = 0;

    if (span && mr_duration_parse(span, &ms, &err) != MR_OK)
        return mr_session_fail(EX_USAGE, "--for: %s", err.text);
    for (int i = 0; i < argc && status == 0; i++)
        status = tell(session, MR_API_PAUSE, argv[i],
                      span ? json_pack("{s:f}", "ttl_s", (double)ms / 1000.0) : json_object(),
                      show_paused);
    return status;
}

int mr_command_resume(struct mr_session *session, int argc, char **argv)
{
    int status = 0;

    for (int i = 0; i < argc && status == 0; i++)
        status = tell(session, MR_API_RESUME, argv[i], NULL, show_paused);
    return status;
}

/* ---- cancel ---- */

static void show_cancelling(const json_t *answer)
{
    printf("%s: asked to stop\n", json_string_value(json_object_get(answer, "cancelling")));
}

int mr_command_cancel(struct mr_session *session, int argc, char **argv)
{
    int worst = 0;

    for (int i = 0; i < argc; i++) {
        int status = tell(session, MR_API_CANCEL, argv[i], NULL, show_cancelling);

        worst = status > worst ? status : worst;
    }
    return worst;
}

/* ---- the dispatcher ---- */

static void show_drain(const json_t *answer)
{
    (void)answer;
    puts("draining: workers finish what they run, then the dispatcher ends");
}

static void show_restart(const json_t *answer)
{
    (void)answer;
    puts("restarting: every worker is replaced, one after the other");
}

static void show_reload(const json_t *answer)
{
    const char *changed = json_string_value(json_object_get(answer, "changed"));

    if (changed && changed[0])
        printf("reloaded; changed: %s\n", changed);
    else
        puts("reloaded; nothing had changed");
}

int mr_command_drain(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return tell(session, MR_API_DRAIN, NULL, NULL, show_drain);
}

int mr_command_restart(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return tell(session, MR_API_RESTART, NULL, NULL, show_restart);
}

int mr_command_reload(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return tell(session, MR_API_RELOAD, NULL, NULL, show_reload);
}
