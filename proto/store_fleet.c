/* What the dispatchers of one Redis share: who is alive, how many workers all want. */
#include "proto/store_own.h"

enum mr_code mr_store_heartbeat(struct mr_store *store, const char *dispatcher,
                                uint64_t alive_ms, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_HEARTBEAT, 1, 2, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_call_fleet_key(call, MR_FLEET_DISPATCHERS);
    mr_resp_text(&call->resp, dispatcher);
    mr_resp_number(&call->resp, (int64_t)alive_ms);
    return mr_call_send(call);
}

enum mr_code mr_store_scale(struct mr_store *store, const char *pool, long processes,
                            long long base, mr_answer_fn *fn, void *arg)
{
    struct mr_call *call = mr_call_script(store, MR_SCRIPT_SCALE, 1, 3, fn, arg);

    if (!call)
        return MR_EDOWN;
    mr_call_fleet_key(call, MR_FLEET_WANTED);
    mr_resp_text(&call->resp, pool);
    mr_resp_number(&call->resp, processes);
    if (base < 0)
        mr_resp_word(&call->resp, "", 0);
    else
        mr_resp_number(&call->resp, base);
    return mr_call_send(call);
}
