/* The steps that keep and end the leases of workers: register, renew, fence, reap; and promotion. */
#include "proto/store_own.h"

enum mr_code mr_store_register(struct mr_store *store, const struct mr_queue_keys *keys,
                               const char *worker, uint64_t lease_ms, mr_answer_fn *fn,
                               void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_REGISTER, 2, 2, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_call_remember_queue(store, keys);
    mr_resp_text(&call->resp, keys->workers);
    mr_resp_text(&call->resp, keys->reaped);
    mr_resp_text(&call->resp, worker);
    mr_resp_number(&call->resp, (int64_t)lease_ms);
    return mr_call_send(call);
}

enum mr_code mr_store_renew(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *const *workers, unsigned n, uint64_t lease_ms,
                            mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_RENEW, 1, 1 + n, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->workers);
    mr_resp_number(&call->resp, (int64_t)lease_ms);
    for (unsigned i = 0; i < n; i++)
        mr_resp_text(&call->resp, workers[i]);
    return mr_call_send(call);
}

enum mr_code mr_store_fence(struct mr_store *store, const struct mr_queue_keys *keys,
                            const char *worker, const char *seen, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_FENCE, 2, 2, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->workers);
    mr_resp_text(&call->resp, keys->reaped);
    mr_resp_text(&call->resp, worker);
    mr_resp_text(&call->resp, seen ? seen : "");
    return mr_call_send(call);
}

enum mr_code mr_store_peek(struct mr_store *store, const char *lease, unsigned i,
                           mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_command(store, 3, "LINDEX", fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, lease);
    mr_resp_number(&call->resp, i);
    return mr_call_send(call);
}

enum mr_code mr_store_reap_lists(struct mr_store *store, const struct mr_queue_keys *keys,
                                 const char *const *leases, unsigned n, mr_answer_fn *fn,
                                 void *arg)
{
    if (n > MR_REAP_LISTS_MAX)
        return MR_EINVAL;
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_REAP_LISTS, 2 + n, 0, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->notify);
    for (unsigned i = 0; i < n; i++)
        mr_resp_text(&call->resp, leases[i]);
    return mr_call_send(call);
}

static enum mr_code all_with_scores(struct mr_store *store, const char *zset, mr_answer_fn *fn,
                                    void *arg)
{
    struct mr_call *call = mr_call_command(store, 5, "ZRANGE", fn, arg);

    if (!call)
        return MR_EDOWN;
    call->on_lease = false;
    mr_resp_text(&call->resp, zset);
    mr_resp_number(&call->resp, 0);
    mr_resp_number(&call->resp, -1);
    mr_resp_word(&call->resp, "WITHSCORES", 10);
    return mr_call_send(call);
}

enum mr_code mr_store_workers(struct mr_store *store, const struct mr_queue_keys *keys,
                              mr_answer_fn *fn, void *arg)
{
    return all_with_scores(store, keys->workers, fn, arg);
}

enum mr_code mr_store_reaped(struct mr_store *store, const struct mr_queue_keys *keys,
                             mr_answer_fn *fn, void *arg)
{
    return all_with_scores(store, keys->reaped, fn, arg);
}

enum mr_code mr_store_forget_reaped(struct mr_store *store, const struct mr_queue_keys *keys,
                                    uint64_t keep_ms, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_FORGET_REAPED, 1, 1, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, keys->reaped);
    mr_resp_number(&call->resp, (int64_t)keep_ms);
    return mr_call_send(call);
}

enum mr_code mr_store_promote(struct mr_store *store, const struct mr_queue_keys *keys,
                              bool reserved, unsigned n, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_PROMOTE, 4, 1, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_resp_text(&call->resp, reserved ? keys->reserved : keys->delayed);
    mr_resp_text(&call->resp, keys->ready);
    mr_resp_text(&call->resp, keys->promoting);
    mr_resp_text(&call->resp, keys->notify);
    mr_resp_number(&call->resp, n);
    return mr_call_send(call);
}
