/* What operators and producers ask: pause, sizes, push. */
#include "proto/store_own.h"

enum mr_code mr_store_pause(struct mr_store *store, const struct mr_queue_keys *keys,
                            uint64_t ttl_ms, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, ttl_ms ? 5 : 3, "SET", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->paused);
    mr_resp_word(&call->resp, "1", 1);
    if (ttl_ms) {
        mr_resp_word(&call->resp, "PX", 2);
        mr_resp_number(&call->resp, (int64_t)ttl_ms);
    }
    return mr_call_send(call);
}

enum mr_code mr_store_resume(struct mr_store *store, const struct mr_queue_keys *keys,
                             mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 2, "DEL", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->paused);
    return mr_call_send(call);
}

enum mr_code mr_store_sizes(struct mr_store *store, const struct mr_queue_keys *keys,
                            mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_SIZES, 6, 0, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->delayed);
    mr_resp_text(&call->resp, keys->reserved);
    mr_resp_text(&call->resp, keys->dead);
    mr_resp_text(&call->resp, keys->paused);
    mr_resp_text(&call->resp, keys->workers);
    return mr_call_send(call);
}

static struct mr_call *start_rpush(struct mr_store *store, const struct mr_queue_keys *keys,
                                   unsigned n, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 2 + (size_t)n, "RPUSH", fn, arg);

    if (!call)
        return NULL;
    call->on_lease = false;
    mr_resp_text(&call->resp, keys->ready);
    return call;
}

static struct mr_call *start_delay(struct mr_store *store, const struct mr_queue_keys *keys,
                                   unsigned n, double due_s, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_DELAY, 1, 1 + n, fn, arg);

    if (!call)
        return NULL;
    mr_resp_text(&call->resp, keys->delayed);
    mr_resp_seconds(&call->resp, due_s);
    return call;
}

enum mr_code mr_store_push(struct mr_store *store, const struct mr_queue_keys *keys,
                           const struct mr_bytes *payloads, unsigned n, double due_s,
                           mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = due_s > 0 ? start_delay(store, keys, n, due_s, fn, arg)
                                     : start_rpush(store, keys, n, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_call_remember_queue(store, keys);
    for (unsigned i = 0; i < n; i++)
        mr_resp_word(&call->resp, payloads[i].at, payloads[i].len);
    return mr_call_send(call);
}
