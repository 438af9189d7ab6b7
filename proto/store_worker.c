/* The steps of a worker: fetch, read, settle, wait. */
#include "proto/store_own.h"

#include <assert.h>

static void fetch_keys(struct mr_buf *resp, const struct mr_fetch_queue *queue)
{
    mr_resp_text(resp, queue->keys->ready);
    mr_resp_text(resp, queue->lease);
    mr_resp_text(resp, queue->keys->workers);
    mr_resp_text(resp, queue->keys->paused);
    mr_resp_text(resp, queue->keys->notify);
}

enum mr_code mr_store_fetch(struct mr_store *store, const struct mr_fetch_queue *queues,
                            unsigned n_queues, const char *worker, unsigned n,
                            const unsigned *tokens, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call =
        mr_call_script(store, MR_SCRIPT_FETCH, 5 * n_queues, 2 + n_queues, fn, arg);

    if (!call)
        return MR_EDOWN;
    for (unsigned i = 0; i < n_queues; i++)
        fetch_keys(&call->resp, &queues[i]);
    mr_resp_number(&call->resp, n);
    mr_resp_text(&call->resp, worker);
    for (unsigned i = 0; i < n_queues; i++)
        mr_resp_number(&call->resp, tokens ? tokens[i] : 0);
    return mr_call_send(call);
}

enum mr_code mr_store_read(struct mr_store *store, const char *lease, long from, long to,
                           mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 4, "LRANGE", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_number(&call->resp, from);
    mr_resp_number(&call->resp, to);
    return mr_call_send(call);
}

enum mr_code mr_store_end(struct mr_store *store, const char *lease, mr_answer_fn *fn,
                          void *arg)
{
    struct mr_call *call = mr_call_command(store, 2, "DEL", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    return mr_call_send(call);
}

enum mr_code mr_store_clear(struct mr_store *store, const char *lease, unsigned i,
                            mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 4, "LSET", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_number(&call->resp, i);
    mr_resp_word(&call->resp, "", 0);
    return mr_call_send(call);
}

enum mr_code mr_store_done(struct mr_store *store, const char *lease, const unsigned *places,
                           unsigned n, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_DONE, 1, n, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    for (unsigned i = 0; i < n; i++)
        mr_resp_number(&call->resp, places[i]);
    return mr_call_send(call);
}

enum mr_code mr_store_retry(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *lease, unsigned i, double due_s,
                            struct mr_bytes payload, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_RETRY, 2, 3, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_text(&call->resp, keys->delayed);
    mr_resp_number(&call->resp, i);
    mr_resp_seconds(&call->resp, due_s);
    mr_resp_word(&call->resp, payload.at, payload.len);
    return mr_call_send(call);
}

enum mr_code mr_store_release(struct mr_store *store, const struct mr_queue_keys *keys,
                              const char *lease, unsigned i, struct mr_bytes payload,
                              mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_RELEASE, 3, 2, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->notify);
    mr_resp_number(&call->resp, i);
    mr_resp_word(&call->resp, payload.at, payload.len);
    return mr_call_send(call);
}

enum mr_code mr_store_back(struct mr_store *store, const struct mr_queue_keys *keys,
                           const char *lease, unsigned from, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_BACK, 3, 1, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->notify);
    mr_resp_number(&call->resp, from);
    return mr_call_send(call);
}

static enum mr_code send_blmove(struct mr_store *store, const char *ready, const char *wake,
                                unsigned block_s, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 6, "BLMOVE", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, ready);
    mr_resp_text(&call->resp, wake);
    mr_resp_word(&call->resp, "LEFT", 4);
    mr_resp_word(&call->resp, "RIGHT", 5);
    mr_resp_number(&call->resp, block_s);
    return mr_call_send(call);
}

static enum mr_code send_woken(struct mr_store *store, const struct mr_queue_keys *keys,
                               const char *worker, const char *wake, const char *lease,
                               mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_WOKEN, 6, 1, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, wake);
    mr_resp_text(&call->resp, lease);
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->workers);
    mr_resp_text(&call->resp, keys->paused);
    mr_resp_text(&call->resp, keys->notify);
    mr_resp_text(&call->resp, worker);
    return mr_call_send(call);
}

enum mr_code mr_store_wait(struct mr_store *store, const struct mr_queue_keys *keys,
                           const char *worker, const char *wake, const char *lease,
                           unsigned block_s, mr_answer_fn *on_job, mr_answer_fn *on_woken,
                           void *arg)
{
    enum mr_code code = send_blmove(store, keys->ready, wake, block_s, on_job, arg);

    if (code != MR_OK)
        return code;
    code = send_woken(store, keys, worker, wake, lease, on_woken, arg);
    assert(code == MR_OK); /* the connection was up a moment ago, in this same turn */
    return code;
}

enum mr_code mr_store_unblock(struct mr_store *store, long long client_id, mr_answer_fn *fn,
                              void *arg)
{
    struct mr_call *call = mr_call_command(store, 3, "CLIENT", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_word(&call->resp, "UNBLOCK", 7);
    mr_resp_number(&call->resp, client_id);
    return mr_call_send(call);
}

enum mr_code mr_store_close(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *const *wakes, unsigned n, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_CLOSE, 1 + n, 0, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->ready);
    for (unsigned i = 0; i < n; i++)
        mr_resp_text(&call->resp, wakes[i]);
    return mr_call_send(call);
}

enum mr_code mr_store_exists(struct mr_store *store, const char *const *names, unsigned n,
                             mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 1 + (size_t)n, "EXISTS", fn, arg);

    if (!call)
        return MR_EDOWN;
    for (unsigned i = 0; i < n; i++)
        mr_resp_text(&call->resp, names[i]);
    return mr_call_send(call);
}

enum mr_code mr_store_registered(struct mr_store *store, const struct mr_queue_keys *keys,
                                 const char *worker, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 3, "ZSCORE", fn, arg);

    if (!call)
        return MR_EDOWN;
    call->on_lease = false;
    mr_resp_text(&call->resp, keys->workers);
    mr_resp_text(&call->resp, worker);
    return mr_call_send(call);
}
