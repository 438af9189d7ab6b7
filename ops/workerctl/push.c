#include "ops/workerctl/commands.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "proto/millrace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    CHUNK_JOBS = 500,
    CHUNK_BYTES = 512 * 1024, /* half of what the API takes in one body */
    BACKOFFS_MAX = 32
};

/* What every job of this call has in common; numbers negative where not said. */
struct wish {
    const char *queue, *job, *uuid;
    double delay_s;
    long long tries, timeout_s;
    const char *backoff; /* as typed; checked by backoff_s */
    uint32_t backoff_s[BACKOFFS_MAX];
    unsigned n_backoff;
};

/* The data of each job as JSON text, owned. */
struct payloads {
    char **texts;
    size_t n;
};

/* ---- the words ---- */

static int read_span(const char *option, const char *text, double *out_s)
{
    uint64_t ms = 0;
    struct mr_err err;

    if (text && mr_duration_parse(text, &ms, &err) != MR_OK)
        return mr_session_fail(EX_USAGE, "--%s: %s", option, err.text);
    if (text)
        *out_s = (double)ms / 1000.0;
    return 0;
}

static int read_tries(const char *text, long long *out)
{
    char *end = NULL;

    if (!text)
        return 0;
    *out = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0'
               ? 0
               : mr_session_fail(EX_USAGE, "--tries: '%s' is no number", text);
}

static int read_backoff(const char *text, struct wish *wish)
{
    const char *at = text;
    char *end = NULL;

    wish->backoff = text;
    while (at && *at >= '0' && *at <= '9' && wish->n_backoff < BACKOFFS_MAX) {
        wish->backoff_s[wish->n_backoff++] = (uint32_t)strtoul(at, &end, 10);
        if (*end == '\0')
            return 0;
        at = *end == ',' ? end + 1 : NULL;
    }
    return text ? mr_session_fail(EX_USAGE, "--backoff: '%s' is no list of seconds: 1,10,60",
                                  text)
                : 0;
}

static int read_wish(const struct mr_options *options, struct wish *wish)
{
    double timeout_s = -1;
    int status = read_span("delay", options->delay, &wish->delay_s);

    if (!status)
        status = read_span("timeout", options->timeout, &timeout_s);
    if (!status)
        status = read_tries(options->tries, &wish->tries);
    if (!status)
        status = read_backoff(options->backoff, wish);
    if (timeout_s > 0 && timeout_s < 1)
        return mr_session_fail(EX_USAGE, "--timeout: whole seconds, please");
    wish->timeout_s = (long long)timeout_s;
    wish->uuid = options->uuid;
    return status;
}

/* ---- the data ---- */

static void add_text(struct payloads *payloads, char *taken)
{
    if ((payloads->n & (payloads->n - 1)) == 0) /* a power of two: full */
        payloads->texts = mr_realloc(payloads->texts, (payloads->n ? payloads->n * 2 : 1) *
                                                          sizeof(*payloads->texts));
    payloads->texts[payloads->n++] = taken;
}

static void free_payloads(struct payloads *payloads)
{
    for (size_t i = 0; i < payloads->n; i++)
        free(payloads->texts[i]);
    free(payloads->texts);
}

static bool is_json(const char *text, const char *where)
{
    json_error_t why;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

    if (!value)
        mr_session_fail(
            EX_USAGE, "%s is not JSON: %s%s", where, why.text,
            text[0] == '{' || text[0] == '[' ? "" : " (a text wants quotes: '\"text\"')");
    json_decref(value);
    return value != NULL;
}

static int read_stream(FILE *file, struct payloads *out)
{
    struct mr_buf text = {0};
    char bytes[16384];

    for (size_t n; (n = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        mr_buf_add(&text, bytes, n);
    if (ferror(file)) {
        mr_buf_fini(&text);
        return mr_session_fail(EX_NOINPUT, "cannot read the data: %s", strerror(errno));
    }
    add_text(out, mr_buf_steal(&text));
    return is_json(out->texts[0], "the data") ? 0 : EX_USAGE;
}

static int read_file(const char *path, struct payloads *out)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return mr_session_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
    int status = read_stream(file, out);
    fclose(file);
    return status;
}

/* Empty lines are nobody's data. */
static int read_lines(struct payloads *out)
{
    char *line = NULL;
    size_t room = 0;
    int status = 0;

    for (size_t number = 1; status == 0 && getline(&line, &room, stdin) >= 0; number++) {
        char where[40];

        line[strcspn(line, "\r\n")] = '\0';
        snprintf(where, sizeof(where), "line %zu", number);
        if (!line[0])
            continue;
        add_text(out, mr_strdup(line));
        status = is_json(line, where) ? 0 : EX_USAGE;
    }
    free(line);
    return status;
}

static int read_data(const struct mr_options *options, const char *word, struct payloads *out)
{
    if (options->lines && word && strcmp(word, "-") != 0)
        return mr_session_fail(EX_USAGE, "--lines reads standard input: '%s' is too much",
                               word);
    if (options->lines && options->uuid)
        return mr_session_fail(EX_USAGE, "--uuid names one job, --lines pushes many");
    if (options->lines)
        return read_lines(out);
    if (word && strcmp(word, "-") == 0)
        return read_stream(stdin, out);
    if (word && word[0] == '@')
        return read_file(word + 1, out);
    add_text(out, mr_strdup(word ? word : "null"));
    return is_json(out->texts[0], "DATA") ? 0 : EX_USAGE;
}

/* ---- through the dispatcher ---- */

static json_t *describe(const struct wish *wish, const char *text)
{
    json_t *job = json_pack("{s:s, s:o}", "job", wish->job, "data",
                            json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));

    if (wish->delay_s > 0)
        json_object_set_new(job, "delay_s", json_real(wish->delay_s));
    if (wish->tries >= 0)
        json_object_set_new(job, "tries", json_integer(wish->tries));
    if (wish->timeout_s >= 0)
        json_object_set_new(job, "timeout_s", json_integer(wish->timeout_s));
    if (wish->backoff)
        json_object_set_new(job, "backoff", json_string(wish->backoff));
    if (wish->uuid)
        json_object_set_new(job, "uuid", json_string(wish->uuid));
    return job;
}

/* As many jobs from first on as one body takes, at least one. */
static json_t *next_chunk(const struct wish *wish, const struct payloads *payloads,
                          size_t *first)
{
    json_t *jobs = json_array();
    size_t bytes = 0;

    while (*first < payloads->n && json_array_size(jobs) < CHUNK_JOBS &&
           (bytes == 0 || bytes + strlen(payloads->texts[*first]) < CHUNK_BYTES)) {
        bytes += strlen(payloads->texts[*first]) + 1;
        json_array_append_new(jobs, describe(wish, payloads->texts[(*first)++]));
    }
    return jobs;
}

static int push_by_api(struct mr_session *session, const struct wish *wish,
                       const struct payloads *payloads, json_t *uuids)
{
    for (size_t i = 0; i < payloads->n;) {
        struct mr_api_answer answer;
        json_t *jobs = next_chunk(wish, payloads, &i);
        int status = mr_session_ask(
            session,
            &(struct mr_api_ask){.call = MR_API_PUSH, .params = {wish->queue}, .body = jobs},
            &answer);

        json_decref(jobs);
        if (status)
            return status;
        json_array_extend(uuids, json_object_get(answer.json, "uuids"));
        mr_api_answer_fini(&answer);
    }
    return 0;
}

/* ---- straight to Redis ---- */

static int exit_status(enum millrace_result result)
{
    if (result == MILLRACE_OK)
        return 0;
    return result == MILLRACE_DOWN ? EX_UNAVAILABLE : result == MILLRACE_INVALID ? EX_USAGE : 1;
}

/* What the library calls unlimited is 0 in Laravel's words, and on our command line. */
static int64_t bound(long long n)
{
    return n < 0 ? 0 : n == 0 ? MILLRACE_UNLIMITED : n;
}

static enum millrace_result push_all(struct millrace *client, const struct wish *wish,
                                     const struct payloads *payloads, json_t *uuids)
{
    enum millrace_result result = MILLRACE_OK;

    for (size_t i = 0; i < payloads->n && result == MILLRACE_OK; i++) {
        char uuid[MILLRACE_UUID_SIZE];
        const struct millrace_job job = {
            .job = wish->job,
            .data = payloads->texts[i],
            .uuid = wish->uuid,
            .delay_s = wish->delay_s,
            .tries = bound(wish->tries),
            .timeout_s = bound(wish->timeout_s),
            .backoff_s = wish->backoff_s,
            .n_backoff = wish->n_backoff,
        };

        result = millrace_push(client, wish->queue, &job, uuid);
        if (result == MILLRACE_OK)
            json_array_append_new(uuids, json_string(uuid));
    }
    return result;
}

static int push_by_redis(const struct mr_options *options, const struct wish *wish,
                         const struct payloads *payloads, json_t *uuids)
{
    const struct millrace_options where = {
        .url = options->redis, .prefix = options->prefix, .name = "workerctl"};
    char error[1024];
    struct millrace *client = millrace_open(&where, error, sizeof(error));

    if (!client)
        return mr_session_fail(EX_USAGE, "--redis: %s", error);
    enum millrace_result result = push_all(client, wish, payloads, uuids);
    if (result != MILLRACE_OK)
        mr_session_fail(1, "%s", millrace_error(client));
    millrace_close(client);
    return exit_status(result);
}

/* ---- the command ---- */

static void print_uuids(const struct mr_session *session, const json_t *uuids)
{
    size_t i;
    json_t *uuid;

    if (mr_session_wants_json(session)) {
        fputs("{\"uuids\":", stdout);
        json_dumpf(uuids, stdout, JSON_COMPACT);
        puts("}");
        return;
    }
    json_array_foreach((json_t *)(uintptr_t)uuids, i, uuid) puts(json_string_value(uuid));
}

int mr_command_push(struct mr_session *session, int argc, char **argv)
{
    const struct mr_options *options = &session->options;
    struct wish wish = {.queue = argv[0], .job = argv[1], .tries = -1};
    struct payloads payloads = {0};
    json_t *uuids = json_array();

    int status = options->prefix && !options->redis
                     ? mr_session_fail(EX_USAGE, "--prefix goes with --redis")
                     : read_wish(options, &wish);
    if (!status)
        status = read_data(options, argc > 2 ? argv[2] : NULL, &payloads);
    if (!status) {
        status = options->redis ? push_by_redis(options, &wish, &payloads, uuids)
                                : push_by_api(session, &wish, &payloads, uuids);
        print_uuids(session, uuids);
        if (status && json_array_size(uuids) > 0)
            mr_session_fail(status, "%zu of %zu jobs had been pushed before",
                            json_array_size(uuids), payloads.n);
    }
    json_decref(uuids);
    free_payloads(&payloads);
    return status;
}
