#include "dispatcher/dead_act.h"

#include "dispatcher/again.h"
#include "dispatcher/control.h"
#include "dispatcher/dead.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/json_body.h"
#include "dispatcher/request.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLYING_MAX = 8, /* letters under way at once: their payloads are in our memory */
    PAGE = 500,
    ANEW_MAX = 5, /* times the gathering begins again because its cursor was taken away */
    LETTERS_MAX = 1000000
};

/*
 * First the ids are gathered, then each letter is acted on: what comes in meanwhile, or dies again, is not touched
 * twice. The letters under way and the question for a page hold it.
 */
struct act {
    struct mr_request *request;
    struct mr_dispatcher *dispatcher;
    struct mr_queue *queue;
    bool retry;
    json_t *body; /* owns what filter points at */
    struct mr_dead_filter filter;
    char **ids;
    size_t n_ids, next;
    char *cursor;
    unsigned n_flying, n_anew;
    json_int_t done, failed;
    enum mr_code broken; /* what Redis said when it stopped serving; MR_OK before */
};

/* One letter under way. */
struct flight {
    struct act *act;
    const char *id; /* in act->ids */
};

/* ---- the end ---- */

static void free_act(struct act *act)
{
    for (size_t i = 0; i < act->n_ids; i++)
        free(act->ids[i]);
    free(act->ids);
    free(act->cursor);
    json_decref(act->body);
    free(act);
}

static void answer(struct act *act)
{
    char what[64];

    mr_log_info(act->retry ? "dead.retried" : "dead.dropped", "queue=%s done=%lld failed=%lld",
                act->queue->keys.name, (long long)act->done, (long long)act->failed);
    if (act->broken == MR_OK) {
        mr_request_json(act->request, 200,
                        json_pack("{s:I, s:I}", "done", act->done, "failed", act->failed));
    } else {
        snprintf(what, sizeof(what), "after %lld letters the next one", (long long)act->done);
        mr_request_redis_problem(act->request, act->broken, what);
    }
    free_act(act);
}

/* ---- each letter ---- */

static void go_on(struct act *act);

static void land(struct flight *flight, enum mr_code code, bool done)
{
    struct act *act = flight->act;

    if (code == MR_OK)
        *(done ? &act->done : &act->failed) += 1;
    else if (act->broken == MR_OK)
        act->broken = code;
    act->n_flying--;
    free(flight);
    go_on(act);
}

/* The answer of DEADRETRY or of the drop: 1, or 0 when somebody else was faster. */
static void on_acted(void *arg, enum mr_code code, const redisReply *reply)
{
    land(arg, code, code == MR_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1);
}

static void on_letter(void *arg, enum mr_code code, const redisReply *reply)
{
    struct flight *flight = arg;
    struct act *act = flight->act;
    struct mr_buf rewritten = {0};
    struct mr_bytes payload = {0};

    if (code == MR_OK && mr_request_is_gone(act->request))
        code = MR_EDOWN;
    if (code != MR_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        land(flight, code, false);
        return;
    }
    const redisReply *raw = reply->element[0];
    if (raw->str && mr_again_rewrite((struct mr_bytes){raw->str, raw->len},
                                     &act->dispatcher->config->limits, &rewritten))
        payload = (struct mr_bytes){rewritten.at, rewritten.len};
    code = mr_store_dead_retry(act->dispatcher->store, &act->queue->keys, flight->id, payload,
                               on_acted, flight);
    mr_buf_fini(&rewritten);
    if (code != MR_OK)
        land(flight, code, false);
}

/* Sends the first question about a letter; false when Redis does not serve. */
static bool launch(struct act *act, const char *id)
{
    struct flight *flight = mr_zalloc(sizeof(*flight));

    *flight = (struct flight){act, id};
    enum mr_code code = act->retry
                            ? mr_store_dead_get(act->dispatcher->store, &act->queue->keys, id,
                                                on_letter, flight)
                            : mr_store_dead_drop(act->dispatcher->store, &act->queue->keys, id,
                                                 on_acted, flight);
    if (code == MR_OK) {
        act->n_flying++;
        return true;
    }
    act->broken = code;
    free(flight);
    return false;
}

static void go_on(struct act *act)
{
    if (act->broken == MR_OK && mr_request_is_gone(act->request))
        act->broken = MR_EDOWN;
    while (act->broken == MR_OK && act->n_flying < FLYING_MAX && act->next < act->n_ids)
        if (!launch(act, act->ids[act->next++]))
            break;
    if (act->n_flying == 0)
        answer(act);
}

/* ---- which letters ---- */

static void add_id(struct act *act, const char *id, size_t len)
{
    if ((act->n_ids & (act->n_ids - 1)) == 0) /* a power of two: full */
        act->ids = mr_realloc(act->ids, (act->n_ids ? act->n_ids * 2 : 1) * sizeof(*act->ids));
    act->ids[act->n_ids++] = mr_strndup(id, len);
}

static void on_page(void *arg, enum mr_code code, const redisReply *reply);

static void gather(struct act *act)
{
    enum mr_code code = mr_store_dead_list(act->dispatcher->store, &act->queue->keys,
                                           act->cursor, PAGE, on_page, act);

    if (code != MR_OK) {
        act->broken = code;
        answer(act);
    }
}

/* The letter that the cursor named was taken away by somebody else. */
static void gather_anew(struct act *act)
{
    if (++act->n_anew > ANEW_MAX) {
        act->broken = MR_EBUSY;
        answer(act);
        return;
    }
    for (size_t i = 0; i < act->n_ids; i++)
        free(act->ids[i]);
    act->n_ids = 0;
    act->cursor[0] = '\0';
    gather(act);
}

static void take_page(struct act *act, const redisReply *page)
{
    for (size_t i = 0; i < page->elements; i++) {
        json_t *record = mr_dead_record(page->element[i]);

        if (!record)
            continue;
        const redisReply *id = page->element[i]->element[0];
        if (mr_dead_matches(record, &act->filter))
            add_id(act, id->str, id->len);
        json_decref(record);
        free(act->cursor);
        act->cursor = mr_strndup(id->str, id->len);
    }
}

static void on_page(void *arg, enum mr_code code, const redisReply *reply)
{
    struct act *act = arg;

    if (code == MR_OK && mr_request_is_gone(act->request))
        code = MR_EDOWN;
    if (code != MR_OK) {
        act->broken = code;
        answer(act);
    } else if (reply->type != REDIS_REPLY_ARRAY) {
        gather_anew(act);
    } else {
        take_page(act, reply);
        if (reply->elements < PAGE || act->n_ids >= LETTERS_MAX)
            go_on(act);
        else
            gather(act);
    }
}

/* ---- the request ---- */

struct choice {
    json_t *ids, *filter;
    bool all;
};

static const struct mr_member choice_members[] = {
    {"ids",    MR_MEMBER_ARRAY,  offsetof(struct choice, ids),    0, 0, false},
    {"filter", MR_MEMBER_OBJECT, offsetof(struct choice, filter), 0, 0, false},
    {"all",    MR_MEMBER_TRUE,   offsetof(struct choice, all),    0, 0, false},
};

static const struct mr_member filter_members[] = {
    {"job",   MR_MEMBER_TEXT, offsetof(struct mr_dead_filter, job),   0, 0, false},
    {"class", MR_MEMBER_TEXT, offsetof(struct mr_dead_filter, class), 0, 0, false},
};

static enum mr_code take_ids(struct act *act, const json_t *ids, struct mr_err *err)
{
    size_t i;
    json_t *id;

    json_array_foreach((json_t *)(uintptr_t)ids, i, id)
    {
        if (!json_is_string(id))
            return mr_fail(err, MR_EINVAL, "ids: each must be a string");
        add_id(act, json_string_value(id), json_string_length(id));
    }
    return MR_OK;
}

/* An empty filter would mean all: that has to be said. */
static enum mr_code read_choice(struct act *act, struct choice *choice, struct mr_err *err)
{
    enum mr_code code =
        mr_body_read(act->body, "", choice_members, MR_COUNT(choice_members), choice, err);

    if (code == MR_OK && !!choice->ids + !!choice->filter + choice->all != 1)
        code = mr_fail(err, MR_EINVAL, "say one of ids, filter and all");
    if (code == MR_OK && choice->filter)
        code = mr_body_read(choice->filter, "filter: ", filter_members,
                            MR_COUNT(filter_members), &act->filter, err);
    if (code == MR_OK && choice->filter && !act->filter.job && !act->filter.class)
        code = mr_fail(err, MR_EINVAL, "filter: needs job or class; say all for all letters");
    if (code == MR_OK && choice->ids)
        code = take_ids(act, choice->ids, err);
    return code;
}

static void start(struct mr_request *request, bool retry)
{
    struct mr_queue *queue = mr_control_queue(request);
    struct choice choice = {0};
    struct mr_err err;

    if (!queue)
        return;
    struct act *act = mr_zalloc(sizeof(*act));
    *act = (struct act){.request = request,
                        .dispatcher = mr_request_dispatcher(request),
                        .queue = queue,
                        .retry = retry,
                        .body = mr_body_parse(mr_request_body(request), &err),
                        .cursor = mr_strdup("")};
    if (!act->body || read_choice(act, &choice, &err) != MR_OK) {
        mr_request_problem(request, act->body ? 422 : 400, "%s", err.text);
        free_act(act);
        return;
    }
    mr_request_hold(request);
    if (choice.ids)
        go_on(act);
    else
        gather(act);
}

void mr_dead_retry(struct mr_request *request)
{
    start(request, true);
}

void mr_dead_drop(struct mr_request *request)
{
    start(request, false);
}
