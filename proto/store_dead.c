/* Dead letters: kept, listed, shown, retried, dropped. */
#include "proto/store_own.h"

#include "proto/base/mem.h"
#include "proto/base/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A step that takes a second command before, or after, its caller is answered. */
struct step {
    struct mr_store *store;
    const struct mr_queue_keys *keys;
    mr_answer_fn *fn;
    void *arg;
    char *id;
    struct mr_buf meta;
};

static struct step *step_new(struct mr_store *store, const struct mr_queue_keys *keys,
                             mr_answer_fn *fn, void *arg)
{
    struct step *step = mr_zalloc(sizeof(*step));

    step->store = store;
    step->keys = keys;
    step->fn = fn;
    step->arg = arg;
    return step;
}

static void step_free(struct step *step)
{
    free(step->id);
    mr_buf_fini(&step->meta);
    free(step);
}

/* Takes step. */
static void finish(struct step *step, enum mr_code code, const redisReply *reply)
{
    if (step->fn)
        step->fn(step->arg, code, reply);
    step_free(step);
}

/* Takes call and step, which answers only if the call left. */
static enum mr_code send_step(struct mr_call *call, struct step *step)
{
    call->arg = step;
    enum mr_code code = mr_call_send(call);
    if (code != MR_OK)
        step_free(step);
    return code;
}

static void write_big_key(struct mr_buf *resp, const struct mr_queue_keys *keys, const char *id)
{
    char small[MR_KEY_MAX];
    size_t len = mr_key_dead_big(keys, id, small, sizeof(small));

    if (len < sizeof(small)) {
        mr_resp_word(resp, small, len);
        return;
    }
    char *large = mr_zalloc(len + 1); /* an id is as long as its producer liked */
    mr_key_dead_big(keys, id, large, len + 1);
    mr_resp_word(resp, large, len);
    free(large);
}

/* ---- dropping by age and number ---- */

/*
 * The scripts answer a number, then ids of big letters: their keys are not known there, so they
 * are dropped from here.
 */
static void on_dropped(void *arg, enum mr_code code, const redisReply *reply)
{
    struct step *step = arg;

    if (code != MR_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        finish(step, code, reply);
        return;
    }
    redisReply number = {.type = REDIS_REPLY_INTEGER, .integer = reply->element[0]->integer};
    for (size_t i = 1; i < reply->elements; i++)
        if (mr_store_dead_drop(step->store, step->keys, reply->element[i]->str, NULL, NULL) ==
            MR_OK)
            number.integer++;
    finish(step, MR_OK, &number);
}

static enum mr_code expire(struct mr_store *store, const struct mr_queue_keys *keys,
                           uint64_t before_ms, uint64_t max, unsigned n, mr_answer_fn *fn,
                           void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_DEAD_EXPIRE, 2, 3, on_dropped, NULL);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->dead);
    mr_resp_text(&call->resp, keys->dead_jobs);
    mr_resp_number(&call->resp, (int64_t)before_ms);
    mr_resp_number(&call->resp, (int64_t)max);
    mr_resp_number(&call->resp, n);
    return send_step(call, step_new(store, keys, fn, arg));
}

enum mr_code mr_store_dead_expire(struct mr_store *store, const struct mr_queue_keys *keys,
                                  uint64_t before_ms, unsigned n, mr_answer_fn *fn, void *arg)
{
    return expire(store, keys, before_ms, 0, n, fn, arg);
}

/* ---- keeping ---- */

enum { CHOICES = 4 };

/* The ids that a big letter may get; the last one is free for certain. */
static void choose_ids(const char *id, char *out[CHOICES])
{
    uint64_t random;

    mr_random_bytes(&random, sizeof(random));
    out[0] = mr_strdup(id);
    out[1] = mr_asprintf("%s~2", id);
    out[2] = mr_asprintf("%s~3", id);
    out[3] = mr_asprintf("%s~%016" PRIx64, id, random);
}

static enum mr_code keep_big(struct mr_store *store, const struct mr_queue_keys *keys,
                             const char *lease, unsigned i, const struct mr_dead_letter *letter,
                             mr_answer_fn *fn, void *arg)
{
    struct mr_call *call =
        mr_call_script(store, MR_SCRIPT_DEAD_BIG, 3 + CHOICES, 3 + CHOICES, on_dropped, NULL);
    char *ids[CHOICES];

    if (!call)
        return MR_EDOWN;
    choose_ids(letter->id, ids);
    mr_resp_text(&call->resp, lease);
    mr_resp_text(&call->resp, keys->dead);
    mr_resp_text(&call->resp, keys->dead_jobs);
    for (int c = 0; c < CHOICES; c++)
        write_big_key(&call->resp, keys, ids[c]);
    mr_resp_number(&call->resp, i);
    mr_resp_word(&call->resp, letter->meta.at, letter->meta.len);
    mr_resp_number(&call->resp, (int64_t)letter->now_ms);
    for (int c = 0; c < CHOICES; c++) {
        mr_resp_text(&call->resp, ids[c]);
        free(ids[c]);
    }
    enum mr_code code = send_step(call, step_new(store, keys, fn, arg));
    if (code == MR_OK && letter->max > 0)
        expire(store, keys, 0, letter->max, 2, NULL, NULL); /* the next letter does it again */
    return code;
}

enum mr_code mr_store_dead(struct mr_store *store, const struct mr_queue_keys *keys,
                           const char *lease, unsigned i, const struct mr_dead_letter *letter,
                           mr_answer_fn *fn, void *arg)
{
    if (letter->big)
        return keep_big(store, keys, lease, i, letter, fn, arg);

    struct mr_call *call = mr_call_script(store, MR_SCRIPT_DEAD, 3, 5, on_dropped, NULL);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_text(&call->resp, keys->dead);
    mr_resp_text(&call->resp, keys->dead_jobs);
    mr_resp_number(&call->resp, i);
    mr_resp_text(&call->resp, letter->id);
    mr_resp_word(&call->resp, letter->meta.at, letter->meta.len);
    mr_resp_number(&call->resp, (int64_t)letter->now_ms);
    mr_resp_number(&call->resp, (int64_t)letter->max);
    return send_step(call, step_new(store, keys, fn, arg));
}

/* ---- looking ---- */

enum mr_code mr_store_dead_list(struct mr_store *store, const struct mr_queue_keys *keys,
                                const char *cursor_id, unsigned limit, mr_answer_fn *fn,
                                void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_DEAD_LIST, 2, 2, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->dead);
    mr_resp_text(&call->resp, keys->dead_jobs);
    mr_resp_text(&call->resp, cursor_id ? cursor_id : "");
    mr_resp_number(&call->resp, limit);
    return mr_call_send(call);
}

static void answer_letter(struct step *step, redisReply *raw, redisReply *meta)
{
    redisReply *both[] = {raw, meta};
    redisReply letter = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = both};

    finish(step, MR_OK, &letter);
}

static void on_big_bytes(void *arg, enum mr_code code, const redisReply *reply)
{
    struct step *step = arg;
    redisReply meta = {.type = REDIS_REPLY_STRING, .str = step->meta.at, .len = step->meta.len};

    if (code == MR_OK)
        answer_letter(step, (redisReply *)reply, &meta);
    else
        finish(step, code, reply);
}

/* The bytes of a big letter stand in a key of their own. */
static void ask_big_bytes(struct step *step, const redisReply *meta)
{
    struct mr_call *call = mr_call_command(step->store, 3, "LINDEX", on_big_bytes, step);

    mr_buf_add(&step->meta, meta->str, meta->len);
    if (call) {
        write_big_key(&call->resp, step->keys, step->id);
        mr_resp_number(&call->resp, 0);
    }
    if (!call || mr_call_send(call) != MR_OK)
        finish(step, MR_EUNKNOWN, NULL);
}

static void on_letter(void *arg, enum mr_code code, const redisReply *reply)
{
    struct step *step = arg;
    redisReply nil = {.type = REDIS_REPLY_NIL};

    if (code != MR_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        finish(step, code, reply);
    else if (reply->element[1]->type == REDIS_REPLY_NIL)
        answer_letter(step, &nil, &nil); /* without a record it is no letter */
    else if (reply->element[0]->type == REDIS_REPLY_NIL)
        ask_big_bytes(step, reply->element[1]);
    else
        finish(step, MR_OK, reply);
}

enum mr_code mr_store_dead_get(struct mr_store *store, const struct mr_queue_keys *keys,
                               const char *id, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 4, "HMGET", on_letter, NULL);

    if (!call)
        return MR_EDOWN;
    struct step *step = step_new(store, keys, fn, arg);
    char *meta = mr_asprintf("%s:meta", id);
    mr_resp_text(&call->resp, keys->dead_jobs);
    mr_resp_text(&call->resp, id);
    mr_resp_text(&call->resp, meta);
    free(meta);
    step->id = mr_strdup(id);
    call->on_lease = false;
    return send_step(call, step);
}

/* ---- one letter goes ---- */

static struct mr_call *start_on_letter(struct mr_store *store, enum mr_script script,
                                       unsigned n_keys, unsigned n_args,
                                       const struct mr_queue_keys *keys, const char *id,
                                       mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, script, n_keys, n_args, fn, arg);

    if (!call)
        return NULL;
    mr_resp_text(&call->resp, keys->dead);
    mr_resp_text(&call->resp, keys->dead_jobs);
    write_big_key(&call->resp, keys, id);
    return call;
}

enum mr_code mr_store_dead_retry(struct mr_store *store, const struct mr_queue_keys *keys,
                                 const char *id, struct mr_bytes payload, mr_answer_fn *fn,
                                 void *arg)
{
    struct mr_call *call =
        start_on_letter(store, MR_SCRIPT_DEAD_RETRY, 5, payload.at ? 2 : 1, keys, id, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->notify);
    mr_resp_text(&call->resp, id);
    if (payload.at)
        mr_resp_word(&call->resp, payload.at, payload.len);
    return mr_call_send(call);
}

enum mr_code mr_store_dead_drop(struct mr_store *store, const struct mr_queue_keys *keys,
                                const char *id, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = start_on_letter(store, MR_SCRIPT_DEAD_DROP, 3, 1, keys, id, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, id);
    return mr_call_send(call);
}
