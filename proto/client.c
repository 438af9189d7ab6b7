#include "proto/millrace.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/compose.h"
#include "proto/keys.h"
#include "proto/replies.h"
#include "proto/resp.h"
#include "proto/sync_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MILLRACE_UUID_SIZE == MR_COMPOSE_UUID_MAX, "one size of uuids");

enum {
    CONNECT_TIMEOUT_MS = 5000,
    REPLY_TIMEOUT_MS = 10000,
    CHUNK_JOBS = 500,
    CHUNK_BYTES = 1 << 20,
    FRAME = 3, /* SADD, MULTI, EXEC */
    CHUNK_COMMANDS = CHUNK_JOBS + FRAME
};

static const double LONGEST_DELAY_S = 1e10; /* three centuries */

struct millrace {
    struct mr_sync_link *link;
    char *prefix;
    struct mr_limits limits;
    struct mr_err err;
    struct mr_buf payloads, request; /* kept, so that a push allocates little */
    redisReply *answers[CHUNK_COMMANDS];
};

/* ---- open and close ---- */

static const char *setting(const char *given, const char *variable, const char *otherwise)
{
    const char *found = given ? given : getenv(variable);

    return found ? found : otherwise;
}

static struct mr_sync_link_options link_options(const struct millrace_options *options)
{
    return (struct mr_sync_link_options){
        .url = setting(options->url, "MILLRACE_REDIS_URL", "redis://127.0.0.1:6379/0"),
        .username = setting(options->username, "MILLRACE_REDIS_USERNAME", NULL),
        .password = setting(options->password, "MILLRACE_REDIS_PASSWORD", NULL),
        .name = options->name ? options->name : "libmillrace",
        .connect_timeout_ms =
            options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS,
        .reply_timeout_ms =
            options->reply_timeout_ms ? options->reply_timeout_ms : REPLY_TIMEOUT_MS,
    };
}

struct millrace *millrace_open(const struct millrace_options *options, char *error, size_t size)
{
    static const struct millrace_options defaults;
    const struct millrace_options *wanted = options ? options : &defaults;
    struct mr_sync_link_options link = link_options(wanted);
    struct millrace *client = mr_zalloc(sizeof(*client));

    if (mr_sync_link_new(&link, &client->link, &client->err) != MR_OK) {
        if (error && size > 0)
            snprintf(error, size, "%s", client->err.text);
        free(client);
        return NULL;
    }
    client->prefix = mr_strdup(setting(wanted->prefix, "MILLRACE_REDIS_PREFIX", ""));
    client->limits = mr_limits_default();
    if (wanted->payload_bytes)
        client->limits.payload_bytes = wanted->payload_bytes;
    return client;
}

void millrace_close(struct millrace *client)
{
    if (!client)
        return;
    mr_sync_link_free(client->link);
    mr_buf_fini(&client->payloads);
    mr_buf_fini(&client->request);
    free(client->prefix);
    free(client);
}

/* ---- one chunk: payloads that leave together, all of them ready ones or all of them delayed ones ---- */

struct chunk {
    size_t n;
    bool delayed;
    size_t ends[CHUNK_JOBS]; /* where each payload ends in client->payloads */
    uint64_t due_ms[CHUNK_JOBS];
};

static struct mr_bytes payload_of(const struct millrace *client, const struct chunk *chunk,
                                  size_t i)
{
    size_t start = i ? chunk->ends[i - 1] : 0;

    return (struct mr_bytes){client->payloads.at + start, chunk->ends[i] - start};
}

static void write_word(struct mr_buf *request, const char *word)
{
    mr_resp_begin(request, 1);
    mr_resp_text(request, word);
}

/* Laravel's push: the jobs, and a token for each. */
static size_t write_ready(struct millrace *client, const struct mr_queue_keys *keys,
                          const struct chunk *chunk)
{
    struct mr_buf *request = &client->request;

    mr_resp_begin(request, 2 + chunk->n);
    mr_resp_text(request, "RPUSH");
    mr_resp_text(request, keys->ready);
    for (size_t i = 0; i < chunk->n; i++) {
        struct mr_bytes payload = payload_of(client, chunk, i);

        mr_resp_word(request, payload.at, payload.len);
    }
    mr_resp_begin(request, 2 + chunk->n);
    mr_resp_text(request, "RPUSH");
    mr_resp_text(request, keys->notify);
    for (size_t i = 0; i < chunk->n; i++)
        mr_resp_text(request, "1");
    return 2;
}

/* Not by %f: the program around us may have a locale with a decimal comma. */
static void write_seconds(struct mr_buf *request, uint64_t ms)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
    mr_resp_text(request, text);
}

/* NX, and one command a job: a payload that is there already must not take the other's place. */
static size_t write_delayed(struct millrace *client, const struct mr_queue_keys *keys,
                            const struct chunk *chunk)
{
    struct mr_buf *request = &client->request;

    for (size_t i = 0; i < chunk->n; i++) {
        struct mr_bytes payload = payload_of(client, chunk, i);

        mr_resp_begin(request, 5);
        mr_resp_text(request, "ZADD");
        mr_resp_text(request, keys->delayed);
        mr_resp_text(request, "NX");
        write_seconds(request, chunk->due_ms[i]);
        mr_resp_word(request, payload.at, payload.len);
    }
    return chunk->n;
}

/* In MULTI, so that a Redis that refuses one refuses all. The name of the queue may well be left behind alone. */
static size_t write_request(struct millrace *client, const struct mr_queue_keys *keys,
                            const struct chunk *chunk)
{
    struct mr_buf *request = &client->request;
    char queues[MR_KEY_MAX];

    mr_buf_clear(request);
    mr_key_fleet(client->prefix, MR_FLEET_QUEUES, queues, sizeof(queues));
    mr_resp_begin(request, 3);
    mr_resp_text(request, "SADD");
    mr_resp_text(request, queues);
    mr_resp_text(request, keys->name);
    write_word(request, "MULTI");
    size_t n =
        chunk->delayed ? write_delayed(client, keys, chunk) : write_ready(client, keys, chunk);
    write_word(request, "EXEC");
    return FRAME + n;
}

/* What became of each command between MULTI and EXEC; NULL when none was carried out. */
static redisReply **results_of(redisReply **answers, size_t n)
{
    const redisReply *exec = answers[n - 1];

    if (exec->type == REDIS_REPLY_ARRAY && exec->elements == n - FRAME)
        return exec->element;
    /* Without the permission for MULTI each ran for itself. */
    return answers[1]->type == REDIS_REPLY_ERROR ? answers + 2 : NULL;
}

static const redisReply *first_error(redisReply **answers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (answers[i]->type == REDIS_REPLY_ERROR)
            return answers[i];
    return NULL;
}

/* The answer that says no, if one does. A token that could not be pushed undoes no job. */
static const redisReply *find_refusal(redisReply **answers, size_t n, const struct chunk *chunk)
{
    redisReply **results = results_of(answers, n);

    return results ? first_error(results, chunk->delayed ? chunk->n : 1)
                   : first_error(answers + 1, n - 1);
}

/* Keeps of a delayed chunk what was in the queue already, a blank longer: two equal jobs stay two. */
static void keep_collided(struct millrace *client, struct chunk *chunk, redisReply **results)
{
    struct mr_buf kept = {0};
    size_t n = 0;

    for (size_t i = 0; i < chunk->n; i++) {
        struct mr_bytes payload = payload_of(client, chunk, i);

        if (results[i]->integer != 0)
            continue;
        mr_buf_add(&kept, payload.at, payload.len);
        mr_buf_char(&kept, ' ');
        chunk->due_ms[n] = chunk->due_ms[i];
        chunk->ends[n++] = kept.len;
    }
    mr_buf_fini(&client->payloads);
    client->payloads = kept;
    chunk->n = n;
}

/* Sends the chunk once. On MR_OK what has not gone in is left in it: nothing, but for delayed twins. */
static enum mr_code send_once(struct millrace *client, const struct mr_queue_keys *keys,
                              struct chunk *chunk)
{
    size_t n = write_request(client, keys, chunk);
    enum mr_code code =
        mr_sync_link_ask(client->link, &client->request, n, client->answers, &client->err);

    if (code != MR_OK)
        return code;
    const redisReply *refusal = find_refusal(client->answers, n, chunk);
    if (refusal)
        code = mr_fail(&client->err, MR_EREFUSED, "queue %s: redis refuses: %s", keys->name,
                       refusal->str);
    else if (chunk->delayed)
        keep_collided(client, chunk, results_of(client->answers, n));
    else
        chunk->n = 0;
    if (refusal && mr_replies_classify(refusal).action == MR_REDIS_RERESOLVE)
        mr_sync_link_drop(client->link); /* not the master any more: look again next time */
    for (size_t i = 0; i < n; i++)
        freeReplyObject(client->answers[i]);
    return code;
}

static enum mr_code send_chunk(struct millrace *client, const struct mr_queue_keys *keys,
                               struct chunk *chunk)
{
    enum mr_code code = MR_OK;

    while (chunk->n > 0 && code == MR_OK)
        code = send_once(client, keys, chunk);
    chunk->n = 0;
    mr_buf_clear(&client->payloads);
    return code;
}

/* The payload that was just added to client->payloads belongs to the chunk. */
static void close_payload(struct millrace *client, struct chunk *chunk, double delay_s)
{
    chunk->delayed = delay_s > 0;
    chunk->due_ms[chunk->n] =
        chunk->delayed ? mr_clock_wall_ms() + (uint64_t)(delay_s * 1000) : 0;
    chunk->ends[chunk->n++] = client->payloads.len;
}

/* ---- the calls ---- */

static enum millrace_result result_of(enum mr_code code)
{
    switch (code) {
    case MR_OK:
        return MILLRACE_OK;
    case MR_EINVAL:
        return MILLRACE_INVALID;
    case MR_EDOWN:
        return MILLRACE_DOWN;
    case MR_EREFUSED:
        return MILLRACE_REFUSED;
    default:
        return MILLRACE_UNKNOWN;
    }
}

static enum mr_code begin(struct millrace *client, const char *queue,
                          struct mr_queue_keys *out_keys)
{
    client->err = (struct mr_err){0};
    mr_buf_clear(&client->payloads);
    if (!queue || !mr_str_is_queue_name(mr_bytes_of(queue)))
        return mr_fail(&client->err, MR_EINVAL,
                       "queue \"%.100s\": a name is 1 to 100 of A-Z a-z 0-9 _ . { } -",
                       queue ? queue : "");
    mr_queue_keys_init(out_keys, client->prefix, queue);
    return MR_OK;
}

static enum mr_code check_delay(struct millrace *client, double delay_s)
{
    if (delay_s > LONGEST_DELAY_S)
        return mr_fail(&client->err, MR_EINVAL, "delay: %.0f s are more than %.0f", delay_s,
                       LONGEST_DELAY_S);
    return MR_OK;
}

/* 0 says nothing, a negative number asks for no bound. */
static int64_t wish(int64_t number)
{
    if (number == 0)
        return MR_ENVELOPE_ABSENT;
    return number > 0 ? number : 0;
}

static enum mr_code compose(struct millrace *client, const struct millrace_job *job,
                            char uuid[MILLRACE_UUID_SIZE])
{
    struct mr_compose wishes = mr_compose_of(job->job, NULL);
    enum mr_code code = check_delay(client, job->delay_s);

    if (code != MR_OK)
        return code;
    wishes.data_json = mr_bytes_of(job->data);
    wishes.uuid = job->uuid;
    wishes.tries = wish(job->tries);
    wishes.max_exceptions = wish(job->max_exceptions);
    wishes.timeout_s = wish(job->timeout_s);
    wishes.retry_until_s = wish(job->retry_until_s);
    wishes.expires_at_s = job->expires_at_s > 0 ? job->expires_at_s : -1;
    wishes.fail_on_timeout = job->fail_on_timeout != 0;
    wishes.backoff_s = job->backoff_s;
    wishes.n_backoff = job->n_backoff;
    wishes.tags = job->tags;
    wishes.n_tags = job->n_tags;
    wishes.traceparent = job->traceparent;
    wishes.limits = client->limits;
    return mr_compose_envelope(&wishes, &client->payloads, uuid, &client->err);
}

static bool is_full(const struct millrace *client, const struct chunk *chunk, bool delayed)
{
    return chunk->n == CHUNK_JOBS || client->payloads.len >= CHUNK_BYTES ||
           (chunk->n > 0 && chunk->delayed != delayed);
}

/* Composes and sends job after job; *sent counts those that are certainly in Redis. */
static enum mr_code push_all(struct millrace *client, const struct mr_queue_keys *keys,
                             const struct millrace_job *jobs, size_t n,
                             char (*uuids)[MILLRACE_UUID_SIZE], size_t *sent)
{
    struct chunk chunk = {0};
    enum mr_code composed = MR_OK;

    for (size_t i = 0; i < n && composed == MR_OK; i++) {
        if (is_full(client, &chunk, jobs[i].delay_s > 0)) {
            enum mr_code code = send_chunk(client, keys, &chunk);

            if (code != MR_OK)
                return code;
            *sent = i;
        }
        composed = compose(client, &jobs[i], uuids ? uuids[i] : NULL);
        if (composed == MR_OK)
            close_payload(client, &chunk, jobs[i].delay_s);
    }
    /* Those before a bad one go out all the same, so that the caller knows exactly which is bad. */
    size_t last = chunk.n;
    struct mr_err bad = client->err;
    enum mr_code code = send_chunk(client, keys, &chunk);
    if (code != MR_OK)
        return code;
    *sent += last;
    client->err = bad;
    return composed;
}

enum millrace_result millrace_push_many(struct millrace *client, const char *queue,
                                        const struct millrace_job *jobs, size_t n,
                                        char (*out_uuids)[MILLRACE_UUID_SIZE],
                                        size_t *out_pushed)
{
    struct mr_queue_keys keys;
    size_t sent = 0;

    for (size_t i = 0; out_uuids && i < n; i++)
        out_uuids[i][0] = '\0';
    if (out_pushed)
        *out_pushed = 0;
    enum mr_code code = begin(client, queue, &keys);
    if (code != MR_OK)
        return result_of(code);
    code = push_all(client, &keys, jobs, n, out_uuids, &sent);
    mr_queue_keys_fini(&keys);
    if (out_pushed)
        *out_pushed = sent;
    return result_of(code);
}

enum millrace_result millrace_push(struct millrace *client, const char *queue,
                                   const struct millrace_job *job,
                                   char out_uuid[MILLRACE_UUID_SIZE])
{
    char uuid[1][MILLRACE_UUID_SIZE];
    enum millrace_result result = millrace_push_many(client, queue, job, 1, uuid, NULL);

    if (out_uuid && (result == MILLRACE_OK || result == MILLRACE_UNKNOWN))
        snprintf(out_uuid, MILLRACE_UUID_SIZE, "%s", uuid[0]);
    return result;
}

enum millrace_result millrace_push_raw(struct millrace *client, const char *queue,
                                       const void *payload, size_t len, double delay_s)
{
    struct mr_queue_keys keys;
    struct chunk chunk = {0};
    enum mr_code code = begin(client, queue, &keys);

    if (code != MR_OK)
        return result_of(code);
    if (len == 0)
        code = mr_fail(&client->err, MR_EINVAL, "queue %s: the payload is empty", queue);
    else
        code = check_delay(client, delay_s);
    if (code == MR_OK) {
        mr_buf_add(&client->payloads, payload, len);
        close_payload(client, &chunk, delay_s);
        code = send_chunk(client, &keys, &chunk);
    }
    mr_queue_keys_fini(&keys);
    return result_of(code);
}

const char *millrace_error(const struct millrace *client)
{
    return client->err.text;
}

const char *millrace_result_name(enum millrace_result result)
{
    static const char *const names[] = {
        [MILLRACE_OK] = "ok",           [MILLRACE_INVALID] = "invalid",
        [MILLRACE_REFUSED] = "refused", [MILLRACE_DOWN] = "down",
        [MILLRACE_UNKNOWN] = "unknown",
    };

    return (unsigned)result < MR_COUNT(names) ? names[result] : "unknown";
}
