#include "tests/support/envelope_oracle.h"

#include "proto/base/mem.h"
#include "proto/envelope.h"
#include "proto/json_plain.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS_MAX = 5 };

static const char *const texts[] = {"uuid", "id", "job", "displayName", "traceparent"};
static const char *const counts[] = {"attempts",  "crashes",   "suspect",       "inDoubt",
                                     "maxTries",  "timeout",   "maxExceptions", "delay",
                                     "createdAt", "retryUntil"};
static const char *const seconds[] = {"pushedAt", "expiresAt"};
static const char *const lists[] = {"tags", "errors"};
static const char *const others[] = {"data",  "unique",  "then",
                                     "batch", "backoff", "failOnTimeout"};

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

/* ---- where the members stand: a walk over text that jansson has taken ---- */

/* A member of the outermost object. */
struct member {
    json_t *name;
    struct mr_bytes value; /* its place in the text */
};

struct walk {
    const char *at, *end;
    struct member *members;
    size_t n;
    unsigned deepest; /* level of any container */
    size_t open_at;   /* behind the outermost brace */
};

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->end && strchr(" \t\r\n", *walk->at))
        walk->at++;
}

/* One value, from its first byte to its last. */
static struct mr_bytes walk_value(struct walk *walk, unsigned level)
{
    const char *start = walk->at;
    unsigned depth = level;
    bool quoted = false;

    for (; walk->at < walk->end; walk->at++) {
        char c = *walk->at;

        if (!quoted && depth == level && strchr(",:]} \t\r\n", c))
            break;
        if (quoted && c == '\\')
            walk->at++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
        walk->deepest = depth > walk->deepest ? depth : walk->deepest;
    }
    return (struct mr_bytes){start, (size_t)(walk->at - start)};
}

static void walk_object(struct walk *walk, const char *bytes, size_t len)
{
    *walk = (struct walk){.at = bytes, .end = bytes + len, .deepest = 1};
    skip_blanks(walk);
    walk->at++; /* { */
    walk->open_at = (size_t)(walk->at - bytes);
    for (skip_blanks(walk); *walk->at == '"' || *walk->at == ','; skip_blanks(walk)) {
        if (*walk->at == ',') {
            walk->at++;
            continue;
        }
        struct mr_bytes name = walk_value(walk, 1);

        skip_blanks(walk);
        walk->at++; /* : */
        skip_blanks(walk);
        struct mr_bytes value = walk_value(walk, 1);
        walk->members = mr_realloc(walk->members, (walk->n + 1) * sizeof(*walk->members));
        walk->members[walk->n++] =
            (struct member){json_loadb(name.at, name.len, JSON_DECODE_ANY, NULL), value};
    }
}

static void walk_fini(struct walk *walk)
{
    for (size_t i = 0; i < walk->n; i++)
        json_decref(walk->members[i].name);
    free(walk->members);
}

static unsigned count_members(const struct walk *walk, const char *name)
{
    unsigned n = 0;

    for (size_t i = 0; i < walk->n; i++)
        n += strcmp(json_string_value(walk->members[i].name), name) == 0;
    return n;
}

/* Where a header member's value stands; at NULL: nowhere. */
static struct mr_bytes place_of(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->n; i++)
        if (strcmp(json_string_value(walk->members[i].name), name) == 0)
            return walk->members[i].value;
    return (struct mr_bytes){0};
}

static bool any_is_twice(const struct walk *walk, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (count_members(walk, names[i]) > 1)
            return true;
    return false;
}

/* Numbers in a string are read as they stand: an escape in it is none. */
static bool has_escape(const struct walk *walk, const char *name, const json_t *root)
{
    struct mr_bytes place = place_of(walk, name);

    return json_is_string(json_object_get(root, name)) && memchr(place.at, '\\', place.len);
}

/* Whether the scan must take this object, of which it is known that jansson does. */
static bool is_envelope(const char *bytes, size_t len, const json_t *root,
                        const struct walk *walk)
{
    struct mr_limits limits = mr_limits_default();

    return headers_are_right(root) && !memchr(bytes, '\0', len) &&
           walk->deepest <= limits.depth && !has_escape(walk, "pushedAt", root) &&
           !has_escape(walk, "expiresAt", root) && !has_escape(walk, "backoff", root) &&
           !any_is_twice(walk, texts, MR_COUNT(texts)) &&
           !any_is_twice(walk, counts, MR_COUNT(counts)) &&
           !any_is_twice(walk, seconds, MR_COUNT(seconds)) &&
           !any_is_twice(walk, lists, MR_COUNT(lists)) &&
           !any_is_twice(walk, others, MR_COUNT(others));
}

/* ---- what was read ---- */

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

static bool same_seconds(double seconds_read, const json_t *value)
{
    json_t *list = json_is_string(value) ? listed(value) : NULL;
    const json_t *number = list ? json_array_get(list, 0) : value;
    double want = json_is_number(number) ? json_number_value(number) : -1;

    json_decref(list);
    return seconds_read == want;
}

/* More waits than there is room for: the last one stands in the last place. */
static bool same_backoff(const struct mr_envelope *e, const json_t *value)
{
    json_t *list = json_is_string(value)    ? listed(value)
                   : json_is_integer(value) ? json_pack("[O]", value)
                                            : json_incref((json_t *)(uintptr_t)value);
    size_t n = json_array_size(list),
           kept = n < MR_ENVELOPE_BACKOFFS ? n : MR_ENVELOPE_BACKOFFS;
    bool same = e->n_backoff == kept;

    for (size_t i = 0; same && i < kept; i++)
        same = e->backoff_s[i] ==
               json_integer_value(json_array_get(list, i + 1 == kept ? n - 1 : i));
    json_decref(list);
    return same;
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
        !same_count(e->in_doubt, 0, json_object_get(root, "inDoubt")) ||
        !same_count(e->max_tries, -1, json_object_get(root, "maxTries")) ||
        !same_count(e->max_exceptions, -1, json_object_get(root, "maxExceptions")) ||
        !same_count(e->timeout_s, -1, json_object_get(root, "timeout")) ||
        !same_count(e->retry_until_s, -1, json_object_get(root, "retryUntil")) ||
        !same_count(e->created_at_s, -1, json_object_get(root, "createdAt")) ||
        !same_count(e->delay_s, -1, json_object_get(root, "delay")))
        return "a count differs";
    if (e->fail_on_timeout != json_is_true(json_object_get(root, "failOnTimeout")))
        return "failOnTimeout differs";
    if (!same_seconds(e->expires_at_s, json_object_get(root, "expiresAt")) ||
        !same_seconds(e->pushed_at_s, json_object_get(root, "pushedAt")))
        return "a time differs";
    if (!same_backoff(e, json_object_get(root, "backoff")))
        return "backoff differs";
    return NULL;
}

static bool same_place(struct mr_bytes read, struct mr_bytes want)
{
    return read.at == want.at && read.len == want.len;
}

/* A list that is empty in cjson's way, as null, is none. */
static bool same_list(struct mr_bytes read, const struct walk *walk, const char *name,
                      const json_t *root)
{
    return json_is_array(json_object_get(root, name)) ? same_place(read, place_of(walk, name))
                                                      : read.at == NULL;
}

static const char *compare_places(const struct mr_envelope *e, const struct walk *walk,
                                  const json_t *root)
{
    if (e->open_at != walk->open_at || !same_place(e->data, place_of(walk, "data")) ||
        !same_list(e->errors, walk, "errors", root) || !same_list(e->tags, walk, "tags", root))
        return "the place of data, errors or tags differs";
    if (!same_place(e->uuid_at, place_of(walk, "uuid")) ||
        !same_place(e->attempts_at, place_of(walk, "attempts")) ||
        !same_place(e->crashes_at, place_of(walk, "crashes")) ||
        !same_place(e->suspect_at, place_of(walk, "suspect")) ||
        !same_place(e->in_doubt_at, place_of(walk, "inDoubt")) ||
        !same_place(e->errors_at, place_of(walk, "errors")))
        return "the place of an edit differs";
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
    json_object_set_new(root, "inDoubt", json_integer(edit->in_doubt));
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
    edit.in_doubt = 3;
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

/* The long stride over plain text against the shorter one, from every byte of the beginning on. */
static bool strides_agree(const char *bytes, size_t len)
{
    for (size_t i = 0; i <= len && i <= 16; i++)
        if (mr_json_skip_plain(bytes + i, bytes + len) !=
            mr_json_skip_plain_8(bytes + i, bytes + len))
            return false;
    return true;
}

/* What the scan left in the envelope and the error when it refused. */
static const char *compare_refusal(const struct mr_envelope *envelope, const struct mr_err *err)
{
    static const struct mr_envelope untouched;

    if (memcmp(envelope, &untouched, sizeof(untouched)) != 0)
        return "a refusal touches the envelope";
    return err->code == MR_OK || !err->text[0] ? "a refusal says nothing" : NULL;
}

static const char *compare_taken(const struct mr_envelope *envelope, const struct walk *walk,
                                 json_t *root)
{
    const char *why = compare_headers(envelope, root);

    if (!why)
        why = compare_places(envelope, walk, root);
    if (!why)
        why = compare_data(envelope, root);
    return why ? why : compare_rewrite(envelope, root);
}

static const char *compare(const char *bytes, size_t len, json_t *root, const struct walk *walk)
{
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope envelope;
    struct mr_err err = {0};
    bool wanted = json_is_object(root) && is_envelope(bytes, len, root, walk);

    memset(&envelope, 0, sizeof(envelope)); /* its padding as well: it is compared */
    if (mr_envelope_scan(bytes, len, &limits, &envelope, &err) != MR_OK)
        return wanted ? "the scan refuses what is right" : compare_refusal(&envelope, &err);
    const char *why = !root     ? "the scan takes what jansson refuses"
                      : !wanted ? "the scan takes what is wrong"
                                : compare_taken(&envelope, walk, root);
    mr_envelope_fini(&envelope);
    return why;
}

const char *mr_envelope_disagreement(const char *bytes, size_t len)
{
    struct walk walk = {0};

    if (!strides_agree(bytes, len))
        return "the strides over plain text differ";
    json_t *root = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
    if (json_is_object(root))
        walk_object(&walk, bytes, len);
    const char *why = compare(bytes, len, root, &walk);
    walk_fini(&walk);
    json_decref(root);
    return why;
}
