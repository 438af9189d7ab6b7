#include "jobs/http/call.h"

#include "jobs/services/http_text.h"
#include "proto/base/mem.h"
#include "proto/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    HEADERS_MAX = 100,
    TIMEOUT_MAX_S = 600,
    BACK_MIN_MS = 1000, /* a peer that says "now" is not asked in a circle */
    SHOWN_BYTES = 200   /* of an answer, for a person */
};

/* ---- data ---- */

/* A member, or NULL when it is missing or null. */
static json_t *member(json_t *data, const char *name)
{
    json_t *value = json_object_get(data, name);

    return json_is_null(value) ? NULL : value;
}

/* A string without NUL inside, or NULL. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static enum mr_code read_method(json_t *data, struct mr_call *out, struct mr_err *err)
{
    static const char *const methods[] = {"GET",    "POST", "PUT",    "PATCH",
                                          "DELETE", "HEAD", "OPTIONS"};
    json_t *value = member(data, "method");
    const char *method = value ? text_of(value) : member(data, "json") ? "POST" : "GET";

    for (size_t i = 0; method && i < MR_COUNT(methods); i++)
        if (strcasecmp(method, methods[i]) == 0) {
            snprintf(out->method, sizeof(out->method), "%s", methods[i]);
            break;
        }
    if (out->method[0] == '\0')
        return mr_fail(err, MR_EINVAL,
                       "data.method must be GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS");
    if (strcmp(out->method, "HEAD") == 0 && member(data, "json"))
        return mr_fail(err, MR_EINVAL, "data.json cannot go with HEAD, which has no body");
    return MR_OK;
}

/* What the client and the connection say themselves; a second one would make two requests out of one. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {
        "Connection", "Content-Length",
        "Expect",     "Host",
        "Keep-Alive", "TE",
        "Trailer",    "Transfer-Encoding",
        "Upgrade",    "X-Service-Token",
    };

    for (size_t i = 0; i < MR_COUNT(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return strncasecmp(name, "Proxy-", strlen("Proxy-")) == 0;
}

static void add_header(struct mr_call *out, const char *name, const char *value)
{
    out->headers = mr_realloc(out->headers, (out->n_headers + 2) * sizeof(char *));
    out->headers[out->n_headers++] = mr_asprintf("%s: %s", name, value);
    out->headers[out->n_headers] = NULL;
}

static bool has_header(const struct mr_call *call, const char *name)
{
    size_t len = strlen(name);

    for (unsigned i = 0; i < call->n_headers; i++)
        if (strncasecmp(call->headers[i], name, len) == 0 && call->headers[i][len] == ':')
            return true;
    return false;
}

static enum mr_code read_header(struct mr_call *out, const char *name, const json_t *value,
                                struct mr_err *err)
{
    const char *text = text_of(value);

    if (!mr_http_is_token(name, strlen(name)))
        return mr_fail(err, MR_EINVAL, "data.headers: '%.60s' is no header's name", name);
    if (is_ours(name))
        return mr_fail(err, MR_EINVAL, "data.headers.%.60s is not a job's to set%s", name,
                       strcasecmp(name, "X-Service-Token") == 0 ? ": it comes from http.token"
                                                                : "");
    if (!text || !mr_http_is_value(text))
        return mr_fail(err, MR_EINVAL,
                       "data.headers.%.60s must be a string without line ends or other control "
                       "characters",
                       name);
    if (has_header(out, name))
        return mr_fail(err, MR_EINVAL, "data.headers.%.60s is there twice", name);
    add_header(out, name, text);
    return MR_OK;
}

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* The same job again is the same request again: a peer that remembers keys does it once. */
static enum mr_code add_key(struct mr_call *out, const char *uuid, struct mr_err *err)
{
    if (*uuid == '\0' || has_header(out, "Idempotency-Key"))
        return MR_OK;
    if (!is_visible(uuid))
        return mr_fail(err, MR_EINVAL,
                       "uuid: only visible ASCII can go along as Idempotency-Key; send that "
                       "header yourself, or none of these characters");
    add_header(out, "Idempotency-Key", uuid);
    return MR_OK;
}

static enum mr_code read_headers(json_t *data, const char *uuid, struct mr_call *out,
                                 struct mr_err *err)
{
    json_t *headers = member(data, "headers"), *value;
    const char *name;

    /* PHP's empty array is a list. */
    if (json_is_array(headers) && json_array_size(headers) == 0)
        headers = NULL;
    if (headers && (!json_is_object(headers) || json_object_size(headers) > HEADERS_MAX))
        return mr_fail(err, MR_EINVAL,
                       "data.headers must be an object of at most %d names and values",
                       HEADERS_MAX);
    json_object_foreach(headers, name, value)
    {
        if (read_header(out, name, value, err) != MR_OK)
            return MR_EINVAL;
    }
    if (out->body.at && !has_header(out, "Content-Type"))
        add_header(out, "Content-Type", "application/json");
    return add_key(out, uuid, err);
}

/* Whether key, as written, is "json"; also where somebody escaped a letter. */
static bool is_json_key(const struct mr_json_string *key)
{
    char name[64];

    if (!key->escaped)
        return mr_bytes_is(key->inside, "json");
    if (key->inside.len > sizeof(name))
        return false;
    size_t len = mr_json_unescape(key->inside, name);
    return mr_bytes_is((struct mr_bytes){name, len}, "json");
}

/* The bytes of the member json; the last one counts, as jansson has it. */
static void find_body(struct mr_bytes raw, struct mr_bytes *out)
{
    struct mr_json json = {.at = raw.at, .end = raw.at + raw.len};
    struct mr_json_string key;

    if (!mr_json_take(&json, '{'))
        return;
    do {
        if (!mr_json_key(&json, &key))
            return;
        mr_json_blanks(&json);
        const char *from = json.at;
        if (!mr_json_skip(&json, MR_JSON_DEPTH_MAX))
            return;
        if (is_json_key(&key))
            *out = (struct mr_bytes){from, (size_t)(json.at - from)};
    } while (mr_json_take(&json, ','));
}

static void read_body(json_t *data, struct mr_bytes raw, struct mr_call *out)
{
    struct mr_bytes body = {0};

    if (!member(data, "json"))
        return;
    find_body(raw, &body);
    out->body = (struct mr_bytes){mr_strndup(body.at ? body.at : "", body.len), body.len};
}

static enum mr_code add_status(struct mr_call *out, const json_t *value, struct mr_err *err)
{
    json_int_t status = json_integer_value(value);

    if (!json_is_integer(value) || status < 100 || status > 599)
        return mr_fail(err, MR_EINVAL,
                       "data.expect must be a status (200) or a list of them ([200, 404])");
    if (out->n_expect == MR_CALL_STATUSES)
        return mr_fail(err, MR_EINVAL, "data.expect has more than %d statuses",
                       MR_CALL_STATUSES);
    out->expect[out->n_expect++] = (long)status;
    return MR_OK;
}

static enum mr_code read_expect(json_t *data, struct mr_call *out, struct mr_err *err)
{
    json_t *expect = member(data, "expect"), *value;
    enum mr_code code = MR_OK;
    size_t i;

    if (expect && !json_is_array(expect))
        return add_status(out, expect, err);
    json_array_foreach(expect, i, value)
    {
        code = add_status(out, value, err);
        if (code != MR_OK)
            return code;
    }
    return code;
}

static enum mr_code read_timeout(json_t *data, uint64_t default_ms, struct mr_call *out,
                                 struct mr_err *err)
{
    json_t *value = member(data, "timeout_s");
    double seconds = json_number_value(value);

    out->timeout_ms = default_ms;
    if (!value)
        return MR_OK;
    if (!json_is_number(value) || seconds < 0.001 || seconds > TIMEOUT_MAX_S)
        return mr_fail(err, MR_EINVAL, "data.timeout_s must be a number of seconds, at most %d",
                       TIMEOUT_MAX_S);
    out->timeout_ms = (uint64_t)(seconds * 1000);
    return MR_OK;
}

enum mr_code mr_call_read(json_t *data, struct mr_bytes raw, const char *uuid,
                          uint64_t default_timeout_ms, struct mr_call *out, struct mr_err *err)
{
    *out = (struct mr_call){0};
    if (!json_is_object(data))
        return mr_fail(err, MR_EINVAL, "data must be an object with a url");
    out->url = text_of(json_object_get(data, "url"));
    if (!out->url || *out->url == '\0')
        return mr_fail(err, MR_EINVAL, "data.url must be a string: http://... or https://...");
    enum mr_code code = read_method(data, out, err);
    read_body(data, raw, out);
    if (code == MR_OK)
        code = read_headers(data, uuid, out, err);
    if (code == MR_OK)
        code = read_expect(data, out, err);
    if (code == MR_OK)
        code = read_timeout(data, default_timeout_ms, out, err);
    if (code != MR_OK)
        mr_call_fini(out);
    return code;
}

void mr_call_fini(struct mr_call *call)
{
    for (unsigned i = 0; i < call->n_headers; i++)
        free(call->headers[i]);
    free(call->headers);
    free((char *)call->body.at);
    *call = (struct mr_call){0};
}

/* ---- the answer ---- */

static bool is_expected(const struct mr_call *call, long status)
{
    for (unsigned i = 0; i < call->n_expect; i++)
        if (call->expect[i] == status)
            return true;
    return call->n_expect == 0 && status >= 200 && status < 300;
}

/* The beginning of the body on one line; what is no text becomes a question mark. */
static void append_shown(struct mr_buf *out, struct mr_bytes body)
{
    size_t shown = body.len < SHOWN_BYTES ? body.len : SHOWN_BYTES;

    for (size_t i = 0; i < shown;) {
        size_t len = mr_str_utf8(body.at + i, body.len - i);

        if (len == 1 && (unsigned char)body.at[i] <= ' ')
            mr_buf_char(out, ' ');
        else if (len == 0 || body.at[i] == 0x7f)
            mr_buf_char(out, '?');
        else
            mr_buf_add(out, body.at + i, len);
        i += len ? len : 1;
    }
    mr_buf_text(out, shown < body.len ? "..." : "");
}

static char *words_of(const struct mr_http_answer *answer)
{
    struct mr_buf words = {0};

    mr_buf_printf(&words, "answered %ld", answer->status);
    if (answer->body.len > 0) {
        mr_buf_text(&words, ": ");
        append_shown(&words, answer->body);
    }
    return mr_buf_steal(&words);
}

/* Up to a tenth more, so that those who were sent away together do not come back together. */
static int64_t back_after_ms(int64_t wait_ms, uint32_t roll)
{
    if (wait_ms < BACK_MIN_MS)
        wait_ms = BACK_MIN_MS;
    return wait_ms + wait_ms / 10 * roll / UINT32_MAX;
}

static struct mr_outcome judge_status(const struct mr_call *call,
                                      const struct mr_http_answer *answer, uint32_t roll)
{
    long status = answer->status;
    char *words = words_of(answer);
    struct mr_outcome outcome;

    if (is_expected(call, status))
        outcome = mr_outcome_done();
    else if ((status == 429 || status == 503) && answer->retry_after_ms >= 0)
        outcome = mr_outcome_release(back_after_ms(answer->retry_after_ms, roll), "not now, %s",
                                     words);
    else if (status >= 500 || status == 408 || status == 425 || status == 429)
        outcome = mr_outcome_retry("%s", words);
    else
        outcome = mr_outcome_fail("%s", words);
    free(words);
    return outcome;
}

struct mr_outcome mr_call_outcome(const struct mr_call *call,
                                  const struct mr_http_answer *answer, uint32_t roll)
{
    switch (answer->end) {
    case MR_HTTP_ANSWERED:
        return judge_status(call, answer, roll);
    case MR_HTTP_NOT_SENT:
        return mr_outcome_retry("not sent: %s", answer->trouble);
    case MR_HTTP_HELD:
        return mr_outcome_release(back_after_ms(answer->retry_after_ms, roll), "not sent: %s",
                                  answer->trouble);
    case MR_HTTP_REFUSED:
        return mr_outcome_fail("not sent: %s", answer->trouble);
    default:
        return mr_outcome_retry("nobody knows whether it was done: %s", answer->trouble);
    }
}

const char *mr_call_counter(const struct mr_http_answer *answer)
{
    static const char *const ends[] = {
        [MR_HTTP_NOT_SENT] = "http_not_sent",
        [MR_HTTP_HELD] = "http_held",
        [MR_HTTP_REFUSED] = "http_refused",
        [MR_HTTP_UNKNOWN] = "http_unknown",
    };
    static const char *const classes[] = {
        "http_success",  "http_success",      "http_success",
        "http_redirect", "http_client_error", "http_server_error",
    };

    if (answer->end != MR_HTTP_ANSWERED)
        return ends[answer->end];
    return classes[answer->status / 100];
}
