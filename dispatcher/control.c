#include "dispatcher/control.h"

#include "dispatcher/dispatcher.h"
#include "dispatcher/json_body.h"
#include "dispatcher/request.h"
#include "proto/base/mem.h"
#include "proto/store.h"

#include <stdlib.h>
#include <string.h>

#define PROCESSES_MAX 10000
#define TTL_MAX_S (365.0 * 24 * 3600)

/* Reads the body by the table; answers with 400 or 422 when it cannot. The JSON is the caller's. */
static json_t *read_body(struct mr_request *request, const struct mr_member *members, size_t n,
                         void *out)
{
    struct mr_err err;
    json_t *body = mr_body_parse(mr_request_body(request), &err);

    if (!body) {
        mr_request_problem(request, 400, "%s", err.text);
        return NULL;
    }
    if (mr_body_read(body, "", members, n, out, &err) != MR_OK) {
        mr_request_problem(request, 422, "%s", err.text);
        json_decref(body);
        return NULL;
    }
    return body;
}

/* ---- scale ---- */

struct scale {
    long long processes, change;
};

static const struct mr_member scale_members[] = {
    {"processes", MR_MEMBER_INTEGER, offsetof(struct scale, processes), 0,              PROCESSES_MAX,
     false},
    {"change",    MR_MEMBER_INTEGER, offsetof(struct scale, change),    -PROCESSES_MAX, PROCESSES_MAX,
     false},
};

static void on_scaled(void *arg, enum mr_code code, unsigned total, unsigned share)
{
    struct mr_request *request = arg;

    if (code != MR_OK)
        mr_request_redis_problem(request, code, "the wanted number");
    else
        mr_request_json(request, 200,
                        json_pack("{s:s, s:I, s:I}", "pool", mr_request_param(request, 0),
                                  "wanted", (json_int_t)total, "here", (json_int_t)share));
}

static void no_such_pool(struct mr_request *request, const struct mr_dispatcher *dispatcher)
{
    const char **names = mr_zalloc_array(dispatcher->n_pools, sizeof(*names));

    for (unsigned i = 0; i < dispatcher->n_pools; i++)
        names[i] = dispatcher->pools[i]->name;
    const char *near = mr_str_nearest(mr_request_param(request, 0), names, dispatcher->n_pools);
    mr_request_problem(request, 404, "there is no pool '%s'%s%s%s",
                       mr_request_param(request, 0), near ? "; did you mean '" : "",
                       near ? near : "", near ? "'?" : "");
    free(names);
}

void mr_control_scale(struct mr_request *request)
{
    struct mr_dispatcher *dispatcher = mr_request_dispatcher(request);
    const char *pool = mr_request_param(request, 0);
    struct scale scale = {.processes = -1};

    if (!mr_dispatcher_pool(dispatcher, pool)) {
        no_such_pool(request, dispatcher);
        return;
    }
    json_t *body = read_body(request, scale_members, MR_COUNT(scale_members), &scale);
    if (!body)
        return;
    json_decref(body);
    bool relative = scale.processes < 0;
    if (relative == (scale.change == 0)) {
        mr_request_problem(request, 422, "say either processes or a change that is not 0");
        return;
    }
    mr_request_hold(request);
    enum mr_code code = mr_fleet_scale(dispatcher->fleet, pool,
                                       (long)(relative ? scale.change : scale.processes),
                                       relative, on_scaled, request);
    if (code != MR_OK)
        mr_request_redis_problem(request, code, "the wanted number");
}

/* ---- pause and resume ---- */

struct mr_queue *mr_control_queue(struct mr_request *request)
{
    const struct mr_queues *queues = &mr_request_dispatcher(request)->queues;
    const char *name = mr_request_param(request, 0);
    struct mr_queue *queue = mr_queues_find(queues, name);

    if (queue)
        return queue;
    const char **names = mr_zalloc_array(queues->n_items, sizeof(*names));
    for (unsigned i = 0; i < queues->n_items; i++)
        names[i] = queues->items[i]->keys.name;
    const char *near = mr_str_nearest(name, names, queues->n_items);
    mr_request_problem(request, 404, "nobody here knows a queue '%s'%s%s%s", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    return NULL;
}

static void answer_paused(struct mr_request *request, enum mr_code code, bool paused)
{
    if (code != MR_OK) {
        mr_request_redis_problem(request, code, paused ? "the pause" : "the resumption");
        return;
    }
    struct mr_queue *queue = mr_request_is_gone(request)
                                 ? NULL
                                 : mr_queues_find(&mr_request_dispatcher(request)->queues,
                                                  mr_request_param(request, 0));
    if (queue)
        queue->paused = paused;
    mr_request_json(
        request, 200,
        json_pack("{s:s, s:b}", "queue", mr_request_param(request, 0), "paused", (int)paused));
}

static void on_paused(void *arg, enum mr_code code, const redisReply *reply)
{
    (void)reply;
    answer_paused(arg, code, true);
}

static void on_resumed(void *arg, enum mr_code code, const redisReply *reply)
{
    (void)reply;
    answer_paused(arg, code, false);
}

void mr_control_pause(struct mr_request *request)
{
    static const struct mr_member members[] = {
        {"ttl_s", MR_MEMBER_NUMBER, 0, 0.001, TTL_MAX_S, false},
    };
    double ttl_s = 0;
    struct mr_queue *queue = mr_control_queue(request);
    json_t *body = queue ? read_body(request, members, MR_COUNT(members), &ttl_s) : NULL;

    if (!body)
        return;
    json_decref(body);
    mr_request_hold(request);
    enum mr_code code = mr_store_pause(mr_request_dispatcher(request)->store, &queue->keys,
                                       (uint64_t)(ttl_s * 1000), on_paused, request);
    if (code != MR_OK)
        answer_paused(request, code, true);
}

void mr_control_resume(struct mr_request *request)
{
    struct mr_queue *queue = mr_control_queue(request);

    if (!queue)
        return;
    mr_request_hold(request);
    enum mr_code code = mr_store_resume(mr_request_dispatcher(request)->store, &queue->keys,
                                        on_resumed, request);
    if (code != MR_OK)
        answer_paused(request, code, false);
}

/* ---- cancel ---- */

/* The page keeps no more of a uuid than fits; the worker compares all of it. */
static bool runs(const struct mr_child *child, const char *uuid)
{
    const struct mr_page *page = &child->page;

    for (uint32_t i = 0; page->header && i < page->shape.n_places; i++) {
        const struct mr_page_place *place = &page->places[i];

        if (place->state != MR_PLACE_FREE &&
            strncmp(place->uuid, uuid, sizeof(place->uuid) - 1) == 0)
            return true;
    }
    return false;
}

/* How many workers of the pool were told. */
static unsigned cancel_in(struct mr_pool *pool, const char *uuid)
{
    unsigned n = 0;

    for (unsigned i = 0; i < pool->n_slots; i++) {
        const struct mr_child *child = mr_slot_child(pool->slots[i]);

        if (child && runs(child, uuid))
            n += mr_slot_cancel(pool->slots[i], uuid);
    }
    return n;
}

void mr_control_cancel(struct mr_request *request)
{
    struct mr_dispatcher *dispatcher = mr_request_dispatcher(request);
    const char *uuid = mr_request_param(request, 0);
    unsigned n = 0;

    for (unsigned i = 0; i < dispatcher->n_pools; i++)
        n += cancel_in(dispatcher->pools[i], uuid);
    if (n == 0)
        mr_request_problem(request, 404, "no job '%s' runs on this host", uuid);
    else
        mr_request_json(request, 202, json_pack("{s:s}", "cancelling", uuid));
}

/* ---- the dispatcher as a whole ---- */

static void accepted(struct mr_request *request, const char *doing)
{
    mr_request_json(request, 202, json_pack("{s:s}", "doing", doing));
}

void mr_control_drain(struct mr_request *request)
{
    mr_dispatcher_drain(mr_request_dispatcher(request));
    accepted(request, "drain");
}

void mr_control_restart(struct mr_request *request)
{
    struct mr_dispatcher *dispatcher = mr_request_dispatcher(request);

    if (dispatcher->draining) {
        mr_request_problem(request, 409, "the dispatcher is draining: nothing starts any more");
        return;
    }
    mr_dispatcher_restart(dispatcher);
    accepted(request, "restart");
}

void mr_control_reload(struct mr_request *request)
{
    struct mr_buf changed = {0};
    struct mr_err err;

    if (mr_dispatcher_reload(mr_request_dispatcher(request), &changed, &err) != MR_OK)
        mr_request_problem(request, 422, "the old configuration stays in force: %s", err.text);
    else
        mr_request_json(request, 200,
                        json_pack("{s:s}", "changed", changed.at ? changed.at : ""));
    mr_buf_fini(&changed);
}
