#include "proto/store_own.h"

#include "proto/base/mem.h"
#include "proto/replies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A spare call keeps its memory for the next command, but not that of a payload. */
enum { SPARE_BYTES_MAX = 16 * 1024 };

static struct mr_call *take(struct mr_store *store)
{
    struct mr_call *call = store->spare;

    if (!call)
        return mr_zalloc(sizeof(*call));
    store->spare = call->next;
    return call;
}

static void let_go(struct mr_call *call)
{
    struct mr_store *store = call->store;

    if (call->resp.room > SPARE_BYTES_MAX)
        mr_buf_fini(&call->resp);
    else
        mr_buf_clear(&call->resp);
    call->next = store->spare;
    store->spare = call;
}

static struct mr_call *start(struct mr_store *store, enum mr_script script, mr_answer_fn *fn,
                             void *arg)
{
    struct mr_call *call = take(store);

    call->store = store;
    call->script = script;
    call->again = script == MR_SCRIPT_FETCH; /* bytes that may still float are not doubled */
    call->on_lease = true;
    call->fn = fn;
    call->arg = arg;
    return call;
}

struct mr_call *mr_call_command(struct mr_store *store, size_t argc, const char *name,
                                mr_answer_fn *fn, void *arg)
{
    if (!mr_store_is_ready(store))
        return NULL;
    struct mr_call *call = start(store, MR_SCRIPTS, fn, arg);
    mr_resp_begin(&call->resp, argc);
    mr_resp_text(&call->resp, name);
    return call;
}

struct mr_call *mr_call_script(struct mr_store *store, enum mr_script script, unsigned n_keys,
                               unsigned n_args, mr_answer_fn *fn, void *arg)
{
    assert(mr_script_takes(script, n_keys, n_args));
    if (!mr_store_is_ready(store))
        return NULL;
    struct mr_call *call = start(store, script, fn, arg);
    mr_resp_begin(&call->resp, 3 + (size_t)n_keys + n_args);
    mr_resp_word(&call->resp, "EVALSHA", 7);
    mr_resp_word(&call->resp, mr_script_row(script)->sha1, 40);
    mr_resp_number(&call->resp, n_keys);
    return call;
}

static void load_again(struct mr_call *call)
{
    const char *words[] = {"SCRIPT", "LOAD", mr_script_row(call->script)->source};

    mr_link_command(call->store->link, NULL, NULL, (int)MR_COUNT(words), words, NULL);
}

static void on_reply(void *arg, const redisReply *reply);

/* The script cache was emptied: Redis did nothing, so the same bytes may go once more. */
static bool went_again(struct mr_call *call)
{
    bool allowed = !call->again;

    if (call->script == MR_SCRIPTS || call->store->stopping)
        return false;
    load_again(call);
    call->again = true;
    return allowed && mr_link_send(call->store->link, call->resp.at, call->resp.len, on_reply,
                                   call) == MR_OK;
}

static void on_reply(void *arg, const redisReply *reply)
{
    struct mr_call *call = arg;
    struct mr_store *store = call->store;
    struct mr_redis_verdict verdict = mr_replies_classify(reply);

    if (verdict.action == MR_REDIS_LOAD && went_again(call))
        return;
    if (verdict.code == MR_EFENCED && !call->on_lease)
        verdict.code = MR_EFAULT;

    mr_answer_fn *fn = call->fn;
    void *fn_arg = call->arg;
    let_go(call);
    if (fn)
        fn(fn_arg, verdict.code, reply);
    if (verdict.action == MR_REDIS_RERESOLVE && !store->stopping)
        mr_link_drop(store->link, reply->str);
}

enum mr_code mr_call_send(struct mr_call *call)
{
    enum mr_code code =
        mr_link_send(call->store->link, call->resp.at, call->resp.len, on_reply, call);

    if (code != MR_OK)
        let_go(call);
    return code;
}

void mr_call_fleet_key(struct mr_call *call, const char *what)
{
    char key[MR_KEY_MAX];
    size_t len = mr_key_fleet(call->store->prefix, what, key, sizeof(key));

    assert(len < sizeof(key));
    mr_resp_word(&call->resp, key, len);
}

void mr_call_remember_queue(struct mr_store *store, const struct mr_queue_keys *keys)
{
    struct mr_call *call = mr_call_command(store, 3, "SADD", NULL, NULL);

    if (!call)
        return;
    mr_call_fleet_key(call, MR_FLEET_QUEUES);
    mr_resp_text(&call->resp, keys->name);
    mr_call_send(call);
}

void mr_calls_fini(struct mr_store *store)
{
    while (store->spare) {
        struct mr_call *call = take(store);

        mr_buf_fini(&call->resp);
        free(call);
    }
}
