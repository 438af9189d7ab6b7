#include "dispatcher/push.h"

#include "dispatcher/dispatcher.h"
#include "dispatcher/json_body.h"
#include "dispatcher/request.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/compose.h"
#include "proto/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX (10.0 * 365 * 24 * 3600)
#define TRIES_MAX 1000000

/* What a request says of one job. */
struct wish {
    const char *job, *uuid;
    json_t *data, *backoff;
    double delay_s;
    long long tries, timeout_s;
};

static const struct mr_member members[] = {
    {"job",       MR_MEMBER_TEXT,    offsetof(struct wish, job),       0, 0,           true },
    {"data",      MR_MEMBER_ANY,     offsetof(struct wish, data),      0, 0,           false},
    {"delay_s",   MR_MEMBER_NUMBER,  offsetof(struct wish, delay_s),   0, SECONDS_MAX, false},
    {"tries",     MR_MEMBER_INTEGER, offsetof(struct wish, tries),     0, TRIES_MAX,   false},
    {"timeout_s", MR_MEMBER_INTEGER, offsetof(struct wish, timeout_s), 0, SECONDS_MAX, false},
    {"backoff",   MR_MEMBER_ANY,     offsetof(struct wish, backoff),   0, 0,           false},
    {"uuid",      MR_MEMBER_TEXT,    offsetof(struct wish, uuid),      0, 0,           false},
};

/* An array of jobs on its way; each question to Redis holds it. */
struct push {
    struct mr_request *request;
    json_t *uuids;
    struct mr_buf *payloads;
    double *delays_s;
    size_t n;
    unsigned n_flying, n_pushed;
    enum mr_code broken;
};

/* ---- the backoff, in any of its three spellings ---- */

static bool add_wait(const char *text, char **end, struct mr_compose *compose, uint32_t *waits)
{
    unsigned long s = strtoul(text, end, 10);

    if (*text < '0' || *text > '9' || (double)s > SECONDS_MAX ||
        compose->n_backoff == MR_ENVELOPE_BACKOFFS)
        return false;
    waits[compose->n_backoff++] = (uint32_t)s;
    return true;
}

static bool read_waits(const char *text, struct mr_compose *compose, uint32_t *waits)
{
    char *end = NULL;

    while (add_wait(text, &end, compose, waits)) {
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
    return false;
}

/* The array's numbers as "1,10,60", or the one number, or the text as it is. */
static void spell(const json_t *backoff, struct mr_buf *out)
{
    size_t i;
    json_t *wait;

    if (json_is_string(backoff))
        mr_buf_text(out, json_string_value(backoff));
    else if (json_is_integer(backoff))
        mr_buf_printf(out, "%lld", (long long)json_integer_value(backoff));
    json_array_foreach((json_t *)(uintptr_t)backoff, i, wait)
        mr_buf_printf(out, "%s%lld", i ? "," : "",
                      json_is_integer(wait) ? (long long)json_integer_value(wait) : -1);
}

static enum mr_code read_backoff(const json_t *backoff, struct mr_compose *compose,
                                 uint32_t *waits, const char *where, struct mr_err *err)
{
    struct mr_buf text = {0};

    if (!backoff || json_is_null(backoff))
        return MR_OK;
    spell(backoff, &text);
    bool good = text.at && read_waits(text.at, compose, waits);
    mr_buf_fini(&text);
    compose->backoff_s = waits;
    return good ? MR_OK
                : mr_fail(err, MR_EINVAL,
                          "%sbackoff must be seconds: 10, \"1,10,60\" or [1, 10, 60], at most "
                          "%d of them",
                          where, MR_ENVELOPE_BACKOFFS);
}

/* ---- the envelopes ---- */

static enum mr_code compose_one(struct push *push, const json_t *object, const char *where,
                                struct mr_err *err)
{
    struct wish wish = {.tries = -1, .timeout_s = -1};
    uint32_t waits[MR_ENVELOPE_BACKOFFS];
    char uuid[MR_COMPOSE_UUID_MAX];
    struct mr_err why;

    enum mr_code code = mr_body_read(object, where, members, MR_COUNT(members), &wish, err);
    if (code != MR_OK)
        return code;
    struct mr_compose compose = mr_compose_of(wish.job, wish.data);
    compose.uuid = wish.uuid;
    compose.tries = wish.tries;
    compose.timeout_s = wish.timeout_s;
    compose.limits = mr_request_dispatcher(push->request)->config->limits;
    code = read_backoff(wish.backoff, &compose, waits, where, err);
    if (code != MR_OK)
        return code;
    if (mr_compose_envelope(&compose, &push->payloads[push->n], uuid, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "%s%s", where, why.text);
    push->delays_s[push->n++] = wish.delay_s;
    json_array_append_new(push->uuids, json_string(uuid));
    return MR_OK;
}

static enum mr_code compose_all(struct push *push, const json_t *body, struct mr_err *err)
{
    size_t n = json_is_array(body) ? json_array_size(body) : 1;
    enum mr_code code = MR_OK;

    if (n == 0)
        return mr_fail(err, MR_EINVAL, "the array holds no job");
    push->payloads = mr_zalloc_array(n, sizeof(*push->payloads));
    push->delays_s = mr_zalloc_array(n, sizeof(*push->delays_s));
    if (!json_is_array(body))
        return compose_one(push, body, "", err);
    for (size_t i = 0; i < n && code == MR_OK; i++) {
        char where[32];

        snprintf(where, sizeof(where), "job %zu: ", i);
        code = compose_one(push, json_array_get(body, i), where, err);
    }
    return code;
}

/* ---- the way to Redis ---- */

static void free_push(struct push *push)
{
    for (size_t i = 0; i < push->n; i++)
        mr_buf_fini(&push->payloads[i]);
    free(push->payloads);
    free(push->delays_s);
    json_decref(push->uuids);
    free(push);
}

static void end(struct push *push)
{
    if (push->n_flying > 0)
        return;
    /* "Nothing was done" would be a lie when a part of it was. */
    if (push->broken != MR_OK && push->n_pushed > 0)
        push->broken = MR_EUNKNOWN;
    if (push->broken == MR_OK)
        mr_request_json(push->request, 201, json_pack("{s:O}", "uuids", push->uuids));
    else
        mr_request_redis_problem(push->request, push->broken, "the push");
    free_push(push);
}

static void on_pushed(void *arg, enum mr_code code, const redisReply *reply)
{
    struct push *push = arg;

    (void)reply;
    if (code == MR_OK)
        push->n_pushed++;
    else if (push->broken == MR_OK || code == MR_EUNKNOWN)
        push->broken = code;
    push->n_flying--;
    end(push);
}

static void send_some(struct push *push, const struct mr_queue_keys *keys,
                      const struct mr_bytes *payloads, unsigned n, double due_s)
{
    enum mr_code code = mr_store_push(mr_request_dispatcher(push->request)->store, keys,
                                      payloads, n, due_s, on_pushed, push);

    if (code == MR_OK)
        push->n_flying++;
    else if (push->broken == MR_OK)
        push->broken = code;
}

/* All that is due now leaves in one command, each delayed job in one of its own. */
static void send_all(struct push *push, const struct mr_queue_keys *keys)
{
    struct mr_bytes *now = mr_zalloc_array(push->n, sizeof(*now));
    double now_s = (double)mr_clock_wall_ms() / 1000.0;
    unsigned n_now = 0;

    for (size_t i = 0; i < push->n; i++) {
        struct mr_bytes payload = {push->payloads[i].at, push->payloads[i].len};

        if (push->delays_s[i] > 0)
            send_some(push, keys, &payload, 1, now_s + push->delays_s[i]);
        else
            now[n_now++] = payload;
    }
    if (n_now > 0)
        send_some(push, keys, now, n_now, 0);
    free(now);
    end(push);
}

void mr_push_jobs(struct mr_request *request)
{
    struct mr_dispatcher *dispatcher = mr_request_dispatcher(request);
    const char *name = mr_request_param(request, 0);
    struct mr_err err;

    if (!mr_str_is_queue_name(mr_bytes_of(name))) {
        mr_request_problem(request, 422,
                           "'%s' is no name for a queue: letters, digits and _ . { } - only, "
                           "at most 100",
                           name);
        return;
    }
    json_t *body = mr_body_parse(mr_request_body(request), &err);
    if (!body) {
        mr_request_problem(request, 400, "%s", err.text);
        return;
    }
    struct push *push = mr_zalloc(sizeof(*push));
    push->request = request;
    push->uuids = json_array();
    enum mr_code code = compose_all(push, body, &err);
    json_decref(body);
    if (code != MR_OK) {
        mr_request_problem(request, 422, "%s", err.text);
        free_push(push);
        return;
    }
    mr_request_hold(request);
    send_all(push, &mr_queues_add(&dispatcher->queues, name, false)->keys);
}
