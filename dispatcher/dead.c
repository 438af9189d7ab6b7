#include "dispatcher/dead.h"

#include "dispatcher/control.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/request.h"
#include "dispatcher/views.h"
#include "proto/base/mem.h"
#include "proto/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_DEFAULT = 50,
    LIMIT_MAX = 500,
    LOOK_MAX = 5000 /* letters that one request looks through for those that match */
};

json_t *mr_dead_record(const redisReply *row)
{
    if (row->type != REDIS_REPLY_ARRAY || row->elements < 3 || !row->element[0]->str ||
        !row->element[1]->str)
        return NULL;
    const redisReply *meta = row->element[2];
    json_t *record = meta->str ? json_loadb(meta->str, meta->len, JSON_ALLOW_NUL, NULL) : NULL;
    if (!json_is_object(record)) {
        json_decref(record);
        record = json_pack("{s:f}", "died_at_ms", strtod(row->element[1]->str, NULL));
    }
    json_t *id = json_stringn(row->element[0]->str, row->element[0]->len);
    json_object_set_new(record, "id", id ? id : json_null());
    return record;
}

static bool is_or_any(const json_t *record, const char *member, const char *wanted)
{
    const char *has = json_string_value(json_object_get(record, member));

    return !wanted || (has && strcmp(has, wanted) == 0);
}

bool mr_dead_matches(const json_t *record, const struct mr_dead_filter *filter)
{
    return is_or_any(record, "job", filter->job) && is_or_any(record, "class", filter->class);
}

/* ---- the list ---- */

struct listing {
    struct mr_request *request;
    struct mr_queue *queue;
    char *job, *class, *cursor;
    struct mr_dead_filter filter;
    unsigned long limit, looked;
    json_t *items;
};

static void end_listing(struct listing *listing)
{
    json_decref(listing->items);
    free(listing->job);
    free(listing->class);
    free(listing->cursor);
    free(listing);
}

static void answer_listing(struct listing *listing, const char *next)
{
    mr_request_json(listing->request, 200, mr_views_list(json_incref(listing->items), next));
    end_listing(listing);
}

static void fail_listing(struct listing *listing, enum mr_code code)
{
    mr_request_redis_problem(listing->request, code, "the dead letters");
    end_listing(listing);
}

static void on_page(void *arg, enum mr_code code, const redisReply *reply);

static void ask_page(struct listing *listing)
{
    enum mr_code code = mr_store_dead_list(mr_request_dispatcher(listing->request)->store,
                                           &listing->queue->keys, listing->cursor,
                                           (unsigned)listing->limit, on_page, listing);

    if (code != MR_OK)
        fail_listing(listing, code);
}

static void move_cursor(struct listing *listing, const redisReply *row)
{
    free(listing->cursor);
    listing->cursor = mr_strndup(row->element[0]->str, row->element[0]->len);
}

/* Takes in a page; true when the answer is complete. */
static bool take_page(struct listing *listing, const redisReply *page)
{
    for (size_t i = 0; i < page->elements; i++) {
        json_t *record = mr_dead_record(page->element[i]);

        if (!record)
            continue;
        move_cursor(listing, page->element[i]);
        listing->looked++;
        if (mr_dead_matches(record, &listing->filter))
            json_array_append(listing->items, record);
        json_decref(record);
        if (json_array_size(listing->items) == listing->limit)
            return true;
    }
    return listing->looked >= LOOK_MAX;
}

static void on_page(void *arg, enum mr_code code, const redisReply *reply)
{
    struct listing *listing = arg;

    if (code != MR_OK) {
        fail_listing(listing, code);
    } else if (mr_request_is_gone(listing->request) || reply->type != REDIS_REPLY_ARRAY) {
        mr_request_problem(listing->request, 409,
                           "the letter that the cursor names is gone; begin anew");
        end_listing(listing);
    } else if (take_page(listing, reply)) {
        answer_listing(listing, listing->cursor);
    } else if (reply->elements < listing->limit) {
        answer_listing(listing, NULL); /* that was the last page */
    } else {
        ask_page(listing);
    }
}

/* False when the text is no number in bounds. */
static bool read_limit(const char *text, unsigned long *out)
{
    char *end = NULL;

    *out = LIMIT_DEFAULT;
    if (!text)
        return true;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *out >= 1 &&
           *out <= LIMIT_MAX;
}

void mr_dead_list(struct mr_request *request)
{
    struct mr_queue *queue = mr_control_queue(request);
    unsigned long limit = 0;

    if (!queue)
        return;
    char *limit_text = mr_request_query(request, "limit");
    bool good = read_limit(limit_text, &limit);
    free(limit_text);
    if (!good) {
        mr_request_problem(request, 422, "limit must be 1 to %d", LIMIT_MAX);
        return;
    }
    struct listing *listing = mr_zalloc(sizeof(*listing));
    *listing = (struct listing){
        .request = request,
        .queue = queue,
        .limit = limit,
        .job = mr_request_query(request, "job"),
        .class = mr_request_query(request, "class"),
        .cursor = mr_request_query(request, "cursor"),
        .items = json_array(),
    };
    if (!listing->cursor)
        listing->cursor = mr_strdup("");
    listing->filter = (struct mr_dead_filter){listing->job, listing->class};
    mr_request_hold(request);
    ask_page(listing);
}

/* ---- one letter ---- */

static char *base64(const char *bytes, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct mr_buf text = {0};

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned long group = (unsigned long)(unsigned char)bytes[i] << 16;

        if (left > 1)
            group |= (unsigned long)(unsigned char)bytes[i + 1] << 8;
        if (left > 2)
            group |= (unsigned char)bytes[i + 2];
        mr_buf_char(&text, digits[group >> 18 & 63]);
        mr_buf_char(&text, digits[group >> 12 & 63]);
        mr_buf_char(&text, left > 1 ? digits[group >> 6 & 63] : '=');
        mr_buf_char(&text, left > 2 ? digits[group & 63] : '=');
    }
    return mr_buf_steal(&text);
}

/*
 * As JSON where it is JSON, as text where it is text, else as base64: nothing a producer pushed can make the answer
 * unreadable, and its length is always said.
 */
static void add_payload(json_t *record, const redisReply *raw)
{
    if (!raw->str) {
        json_object_set_new(record, "payload", json_null());
        return;
    }
    json_t *parsed = json_loadb(raw->str, raw->len, JSON_ALLOW_NUL, NULL);
    json_t *text = parsed ? NULL : json_stringn(raw->str, raw->len);

    json_object_set_new(record, "payload_bytes", json_integer((json_int_t)raw->len));
    json_object_set_new(record, "payload", parsed ? parsed : json_null());
    if (text)
        json_object_set_new(record, "payload_text", text);
    if (!parsed && !text) {
        char *encoded = base64(raw->str, raw->len);

        json_object_set_new(record, "payload_base64", json_string(encoded));
        free(encoded);
    }
}

static void on_letter(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_request *request = arg;

    if (code != MR_OK) {
        mr_request_redis_problem(request, code, "the dead letter");
        return;
    }
    bool there = reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 &&
                 (reply->element[0]->str || reply->element[1]->str);
    if (!there) {
        mr_request_problem(request, 404, "queue '%s' has no dead letter '%s'",
                           mr_request_param(request, 0), mr_request_param(request, 1));
        return;
    }
    const redisReply *meta = reply->element[1];
    json_t *record = meta->str ? json_loadb(meta->str, meta->len, JSON_ALLOW_NUL, NULL) : NULL;
    if (!json_is_object(record)) {
        json_decref(record);
        record = json_object();
    }
    json_t *id = json_string(mr_request_param(request, 1));
    json_object_set_new(record, "id", id ? id : json_null());
    add_payload(record, reply->element[0]);
    mr_request_json(request, 200, record);
}

void mr_dead_show(struct mr_request *request)
{
    struct mr_queue *queue = mr_control_queue(request);

    if (!queue)
        return;
    mr_request_hold(request);
    enum mr_code code = mr_store_dead_get(mr_request_dispatcher(request)->store, &queue->keys,
                                          mr_request_param(request, 1), on_letter, request);
    if (code != MR_OK)
        mr_request_redis_problem(request, code, "the dead letter");
}
