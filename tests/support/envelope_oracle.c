#include "tests/support/envelope_oracle.h"

#include "proto/base/mem.h"
#include "proto/envelope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS_MAX = 5 };

static const char *const texts[] = {"uuid", "id", "job", "displayName", "traceparent"};
static const char *const counts[] = {"attempts", "crashes",   "suspect",
                                     "maxTries", "timeout",   "maxExceptions",
                                     "delay",    "createdAt", "retryUntil"};
static const char *const seconds[] = {"pushedAt", "expiresAt"};
static const char *const lists[] = {"tags", "errors"};

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool is_wait(const json_t *value)
{
    return is_count(value) && json_integer_value(value) <= UINT32_MAX;
}

/* The numbers that a string lists: the same text between brackets. NULL when it lists none. New reference. */
static json_t *listed(const json_t *string)
{
    struct mr_buf text = {0};

    mr_buf_char(&text, '[');
    mr_buf_add(&text, json_string_value(string), json_string_length(string));
    mr_buf_char(&text, ']');
    json_t *list = json_loadb(text.at, text.len, 0, NULL);
    mr_buf_fini(&text);
    return list;
}

static bool is_seconds(const json_t *value)
{
    bool good = json_is_number(value) && json_number_value(value) >= 0;

    if (!json_is_string(value))
        return good;
    json_t *list = listed(value);
    good = json_array_size(list) == 1 && json_is_number(json_array_get(list, 0)) &&
           json_number_value(json_array_get(list, 0)) >= 0;
    json_decref(list);
    return good;
}

static bool all_waits(const json_t *list)
{
    size_t i;
    json_t *wait;

    json_array_foreach(list, i, wait) if (!is_wait(wait)) return false;
    return json_is_array(list);
}

static bool is_backoff(const json_t *value)
{
    if (!json_is_string(value))
        return is_wait(value) || all_waits(value);
    json_t *list = listed(value);
    bool good = all_waits(list);
    json_decref(list);
    return good;
}

static bool is_list(const json_t *value)
{
    return json_is_array(value) || (json_is_object(value) && json_object_size(value) == 0);
}

static bool is_text(const json_t *value)
{
    return json_is_string(value);
}

static bool all_are(const json_t *root, const char *const *names, size_t n,
                    bool (*is)(const json_t *))
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(root, names[i]);

        if (value && !json_is_null(value) && !is(value))
            return false;
    }
    return true;
}

static bool headers_are_right(const json_t *root)
{
    const json_t *job = json_object_get(root, "job");
    const json_t *flag = json_object_get(root, "failOnTimeout");
    const json_t *backoff = json_object_get(root, "backoff");

    if (!json_is_string(job) ||
        !mr_str_is_job_name((struct mr_bytes){json_string_value(job), json_string_length(job)}))
        return false;
    if (flag && !json_is_boolean(flag) && !json_is_null(flag))
        return false;
    if (backoff && !json_is_null(backoff) && !is_backoff(backoff))
        return false;
    return all_are(root, texts, MR_COUNT(texts), is_text) &&
           all_are(root, counts, MR_COUNT(counts), is_count) &&
           all_are(root, seconds, MR_COUNT(seconds), is_seconds) &&
           all_are(root, lists, MR_COUNT(lists), is_list);
}

/* How deep the containers of this text, which is known to be JSON, are nested. */
static unsigned depth_of(const char *bytes, size_t len)
{
    unsigned depth = 0, deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (quoted && bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            quoted = !quoted;
        else if (!quoted && (bytes[i] == '{' || bytes[i] == '['))
            depth++;
        else if (!quoted && (bytes[i] == '}' || bytes[i] == ']'))
            depth--;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

/* Why the scan may refuse what jansson takes. */
static bool may_refuse(const char *bytes, size_t len, const json_t *root)
{
    struct mr_limits limits = mr_limits_default();

    if (!json_is_object(root) || !headers_are_right(root))
        return true;
    if (memchr(bytes, '\0', len) || depth_of(bytes, len) > limits.depth)
        return true;
    if (memchr(bytes, '\\', len) && (json_is_string(json_object_get(root, "pushedAt")) ||
                                     json_is_string(json_object_get(root, "expiresAt")) ||
                                     json_is_string(json_object_get(root, "backoff"))))
        return true; /* numbers in a string are read without resolving escapes */
    json_t *unique = json_loadb(bytes, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    json_decref(unique);
    return unique == NULL;
}

static bool must_refuse(const char *bytes, size_t len, const json_t *root)
{
    struct mr_limits limits = mr_limits_default();

    return !json_is_object(root) || !headers_are_right(root) || memchr(bytes, '\0', len) ||
           depth_of(bytes, len) > limits.depth;
}

static bool same_text(struct mr_bytes text, const json_t *value)
{
    if (!json_is_string(value))
        return text.at == NULL;
    return mr_bytes_equal(
        text, (struct mr_bytes){json_string_value(value), json_string_length(value)});
}

static bool same_count(int64_t count, int64_t absent, const json_t *value)
{
    return count == (json_is_integer(value) ? json_integer_value(value) : absent);
}

static const char *compare_headers(const struct mr_envelope *e, const json_t *root)
{
    const json_t *uuid = json_object_get(root, "uuid");

    if (!same_text(e->uuid, json_string_length(uuid) > 0 ? uuid : NULL) ||
        !same_text(e->id, json_object_get(root, "id")) ||
        !same_text(e->job, json_object_get(root, "job")) ||
        !same_text(e->display_name, json_object_get(root, "displayName")) ||
        !same_text(e->traceparent, json_object_get(root, "traceparent")))
        return "a text differs";
    if (!same_count(e->attempts, 0, json_object_get(root, "attempts")) ||
        !same_count(e->crashes, 0, json_object_get(root, "crashes")) ||
        !same_count(e->suspect, 0, json_object_get(root, "suspect")) ||
        !same_count(e->max_tries, -1, json_object_get(root, "maxTries")) ||
        !same_count(e->max_exceptions, -1, json_object_get(root, "maxExceptions")) ||
        !same_count(e->timeout_s, -1, json_object_get(root, "timeout")) ||
        !same_count(e->retry_until_s, -1, json_object_get(root, "retryUntil")) ||
        !same_count(e->created_at_s, -1, json_object_get(root, "createdAt")) ||
        !same_count(e->delay_s, -1, json_object_get(root, "delay")))
        return "a count differs";
    if (e->fail_on_timeout != json_is_true(json_object_get(root, "failOnTimeout")))
        return "failOnTimeout differs";
    const json_t *expires = json_object_get(root, "expiresAt");
    if (json_is_number(expires) && e->expires_at_s != json_number_value(expires))
        return "expiresAt differs";
    return NULL;
}

static const char *compare_data(const struct mr_envelope *envelope, json_t *root)
{
    json_t *data = mr_envelope_data(envelope, NULL);
    const json_t *want = json_object_get(root, "data");
    bool same = data && (want ? json_equal(data, want) : json_is_null(data));

    json_decref(data);
    return same ? NULL : "data differs";
}

/* Makes in the tree the change that the rewrite makes in the bytes. */
static void edit_tree(json_t *root, const struct mr_envelope_edit *edit)
{
    json_t *errors = json_array();
    json_t *before = json_object_get(root, "errors");
    size_t n = json_array_size(before), first = n < ERRORS_MAX ? 0 : n - (ERRORS_MAX - 1);

    for (size_t i = first; i < n; i++)
        json_array_append(errors, json_array_get(before, i));
    json_array_append_new(errors, json_pack("{s:I,s:s}", "at_ms", (json_int_t)edit->error_at_ms,
                                            "error", edit->error));
    json_object_set_new(root, "errors", errors);
    json_object_set_new(root, "attempts", json_integer(edit->attempts));
    json_object_set_new(root, "suspect", json_integer(edit->suspect));
    if (json_string_length(json_object_get(root, "uuid")) == 0)
        json_object_set_new(root, "uuid", json_string(edit->uuid));
}

/* Changes root. */
static const char *compare_rewrite(const struct mr_envelope *envelope, json_t *root)
{
    struct mr_envelope_edit edit = MR_ENVELOPE_NO_EDIT;
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope again;
    struct mr_buf bytes = {0};

    edit.attempts = 41;
    edit.suspect = 2;
    edit.uuid = "u-1";
    edit.error = "it \"broke\"";
    edit.error_at_ms = 1795437139754;
    mr_envelope_rewrite(envelope, &edit, &bytes);
    edit_tree(root, &edit);
    json_t *tree = json_loadb(bytes.at, bytes.len, JSON_ALLOW_NUL, NULL);
    const char *why = !tree || !json_equal(tree, root) ? "the rewrite differs" : NULL;

    limits
        .depth++; /* a first `errors` is two levels: deeper than a flat envelope at the limit was */
    if (!why && mr_envelope_scan(bytes.at, bytes.len, &limits, &again, NULL) != MR_OK)
        why = "the rewrite is refused";
    else if (!why)
        mr_envelope_fini(&again);
    json_decref(tree);
    mr_buf_fini(&bytes);
    return why;
}

const char *mr_envelope_disagreement(const char *bytes, size_t len)
{
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope envelope;
    json_t *root = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
    bool taken = mr_envelope_scan(bytes, len, &limits, &envelope, NULL) == MR_OK;
    const char *why = NULL;

    if (!taken) {
        if (root && !may_refuse(bytes, len, root))
            why = "the scan refuses what is right";
    } else if (!root) {
        why = "the scan takes what jansson refuses";
    } else if (must_refuse(bytes, len, root)) {
        why = "the scan takes what is wrong";
    } else {
        why = compare_headers(&envelope, root);
        if (!why)
            why = compare_data(&envelope, root);
        if (!why)
            why = compare_rewrite(&envelope, root);
    }
    if (taken)
        mr_envelope_fini(&envelope);
    json_decref(root);
    return why;
}
