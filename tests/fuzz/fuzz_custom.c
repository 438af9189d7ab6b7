/*
 * Any rules of a provider of another shape, and any answer of it: taken or refused for good only where the answer says what a rule
 * asks for; a request of whole lines; never the number, nor a text that is no UTF-8, in what people read.
 */
#include "jobs/sms/custom.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

static const long statuses[] = {200, 202, 204, 301, 303, 400, 401,
                                403, 404, 409, 422, 429, 500, 503};
static char to[] = "+4915112345678", from[] = "+12025550123", text[] = "code \"4711\"\n";
static const struct mr_message message = {.to = to, .from = from, .text = text, .segments = 1};

/* ---- rules, as the configuration lets them through ---- */

static bool is_text(const json_t *value)
{
    return json_is_string(value) &&
           strlen(json_string_value(value)) == json_string_length(value);
}

static bool is_condition(const json_t *value)
{
    const char *path = json_string_value(value);

    return is_text(value) && strcspn(path, "=") > 0 && strchr(path, '=');
}

static bool is_status(const json_t *value)
{
    return json_integer_value(value) >= 100 && json_integer_value(value) <= 599;
}

/* A list is one of good values. */
static bool is_list(const json_t *list, bool (*is_good)(const json_t *value))
{
    json_t *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        if (!is_good(value))
            return false;
    }
    return json_is_array(list);
}

static bool are_headers(json_t *headers)
{
    const char *name;
    json_t *value;

    json_object_foreach(headers, name, value)
    {
        if (!is_text(value))
            return false;
    }
    return json_is_object(headers);
}

static bool is_rule(const char *name, json_t *value)
{
    static const char *const texts[] = {"url", "body", "id", "code", "format"};

    for (size_t i = 0; i < MR_COUNT(texts); i++)
        if (strcmp(name, texts[i]) == 0)
            return is_text(value);
    if (strcmp(name, "ok") == 0 || strcmp(name, "refused") == 0)
        return is_list(value, is_status);
    if (strcmp(name, "ok_when") == 0 || strcmp(name, "refused_when") == 0)
        return is_list(value, is_condition);
    return strcmp(name, "headers") == 0 && are_headers(value);
}

/* What the configuration would refuse is left out. */
static void keep_rules(json_t *options)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(options, next, name, value)
    {
        if (!is_rule(name, value))
            json_object_del(options, name);
    }
    if (!json_object_get(options, "url"))
        json_object_set_new(options, "url", json_string("https://a.example/{{to_digits}}"));
    json_object_set_new(options, "method", json_string("POST"));
}

/* ---- what must hold ---- */

static bool lists(const json_t *statuses_of, long status)
{
    json_t *one;
    size_t i;

    json_array_foreach(statuses_of, i, one)
    {
        if (json_integer_value(one) == status)
            return true;
    }
    return false;
}

static void check_request(const struct mr_custom *custom)
{
    const struct mr_order order = {
        .message = &message, .channel = "sms", .uuid = "u-1", .callback = "https://s.example/"};
    struct mr_posting posting = {0};
    struct mr_err err = {0};

    if (mr_custom_write(custom, &order, from, &posting, &err) == MR_OK) {
        must(posting.url != NULL);
        for (unsigned i = 0; i < posting.n_headers; i++)
            must(strchr(posting.headers[i], ':') && !strpbrk(posting.headers[i], "\r\n"));
    } else {
        must(err.text[0] && !strstr(err.text, to + 1));
    }
    mr_posting_fini(&posting);
}

static void check_words(const char *words)
{
    json_t *utf8 = json_string(words);

    must(utf8 && !strstr(words, to + 1));
    json_decref(utf8);
}

static void check_reply(const json_t *rules, const struct mr_http_answer *answer,
                        const struct mr_reply *reply)
{
    const json_t *ok = json_object_get(rules, "ok");
    bool good = ok ? lists(ok, answer->status) : answer->status / 100 == 2;
    bool no = lists(json_object_get(rules, "refused"), answer->status);

    must(reply->end != MR_REPLY_NONE && reply->end != MR_REPLY_NOT_HERE);
    must(reply->end != MR_REPLY_SENT || (good && !reply->code[0]));
    must(reply->end != MR_REPLY_SENT ||
         (!answer->truncated || !json_object_get(rules, "ok_when")));
    must(reply->end == MR_REPLY_SENT || !good || json_object_get(rules, "ok_when"));
    must(reply->end != MR_REPLY_REFUSED || no || json_object_get(rules, "refused_when"));
    /* Another provider is asked only after what no provider says of a message that it has. */
    must(!mr_reply_is_safe(reply) || (answer->status / 100 != 2 && answer->status != 500));
    must((reply->end == MR_REPLY_SENT) == (reply->words[0] == '\0'));
    check_words(reply->words);
    check_words(reply->id);
    check_words(reply->code);
}

static void check(const json_t *rules, const struct mr_http_answer *answer)
{
    const struct mr_reply_context context = {
        .section = "sms.providers.a", .message = &message, .sender = from};
    struct mr_custom *custom;
    struct mr_reply reply;
    struct mr_err err = {0};

    if (mr_custom_new(rules, "sms.providers.a", &custom, &err) != MR_OK) {
        must(err.text[0]);
        return;
    }
    check_request(custom);
    mr_custom_read(custom, answer, &context, &reply);
    check_reply(rules, answer, &reply);
    mr_custom_free(custom);
}

/* A byte that is the status, the rules as JSON, and behind them the answer's body. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_http_answer answer = {.end = MR_HTTP_ANSWERED, .retry_after_ms = -1};
    json_error_t where;

    if (len < 1)
        return 0;
    json_t *rules =
        json_loadb((const char *)bytes + 1, len - 1, JSON_DISABLE_EOF_CHECK, &where);
    size_t used = json_is_object(rules) ? 1 + (size_t)where.position : 0;
    /* A configuration that knows the number itself may say it. */
    if (used > 0 && !memmem(bytes, used, to + 1, sizeof(to) - 2)) {
        keep_rules(rules);
        answer.status = statuses[(bytes[0] & 0x3f) % MR_COUNT(statuses)];
        answer.truncated = bytes[0] & 0x80;
        answer.retry_after_ms = bytes[0] & 0x40 ? 1000 : -1;
        answer.body = (struct mr_bytes){(const char *)bytes + used, len - used};
        check(rules, &answer);
    }
    json_decref(rules);
    return 0;
}
