#include "proto/compose.h"

#include "proto/base/clock.h"
#include "proto/base/uuid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const double LAST_SECOND = 1e12; /* the year 33658 */

struct mr_compose mr_compose_of(const char *job, json_t *data)
{
    return (struct mr_compose){
        .job = job,
        .data = data,
        .tries = MR_ENVELOPE_ABSENT,
        .max_exceptions = MR_ENVELOPE_ABSENT,
        .timeout_s = MR_ENVELOPE_ABSENT,
        .retry_until_s = MR_ENVELOPE_ABSENT,
        .expires_at_s = -1,
        .limits = mr_limits_default(),
    };
}

bool mr_compose_is_uuid(const char *uuid)
{
    size_t len = strspn(uuid, MR_UUID_LETTERS);

    return len > 0 && len < MR_COMPOSE_UUID_MAX && uuid[len] == '\0';
}

static enum mr_code check(const struct mr_compose *compose, struct mr_err *err)
{
    if (!compose->job || !mr_str_is_job_name(mr_bytes_of(compose->job)))
        return mr_fail(err, MR_EINVAL,
                       "job \"%.200s\": a name is 1 to 200 of A-Z a-z 0-9 _ . \\ @ -",
                       compose->job ? compose->job : "");
    if (compose->uuid && !mr_compose_is_uuid(compose->uuid))
        return mr_fail(err, MR_EINVAL, "uuid \"%.100s\": must be 1 to 100 of A-Z a-z 0-9 _ . -",
                       compose->uuid);
    if (compose->n_backoff > MR_ENVELOPE_BACKOFFS)
        return mr_fail(err, MR_EINVAL, "backoff: %u waits, at most %d are kept",
                       compose->n_backoff, MR_ENVELOPE_BACKOFFS);
    if (compose->expires_at_s > LAST_SECOND)
        return mr_fail(err, MR_EINVAL, "expires_at: %.0f is no unix time in seconds",
                       compose->expires_at_s);
    return MR_OK;
}

static void add_name(struct mr_buf *out, const char *member)
{
    mr_buf_char(out, '"');
    mr_buf_text(out, member);
    mr_buf_text(out, "\":");
}

static void add_text(struct mr_buf *out, const char *member, const char *text)
{
    add_name(out, member);
    mr_buf_char(out, '"');
    mr_buf_json(out, text, strlen(text));
    mr_buf_text(out, "\",");
}

static void add_int(struct mr_buf *out, const char *member, int64_t number)
{
    if (number >= 0)
        mr_buf_printf(out, "\"%s\":%" PRId64 ",", member, number);
}

/* Not by %f: the program around libmillrace may have a locale with a decimal comma. */
static void add_seconds(struct mr_buf *out, const char *member, uint64_t ms)
{
    const char rest[] = {'.', (char)('0' + ms % 1000 / 100), (char)('0' + ms % 100 / 10),
                         (char)('0' + ms % 10), ','};

    add_name(out, member);
    mr_buf_u64(out, ms / 1000);
    mr_buf_add(out, rest, sizeof(rest));
}

/* A comma string, never an array: an array makes Laravel's own worker throw. */
static void add_backoff(struct mr_buf *out, const struct mr_compose *compose)
{
    if (compose->n_backoff == 0)
        return;
    mr_buf_text(out, "\"backoff\":\"");
    for (unsigned i = 0; i < compose->n_backoff; i++)
        mr_buf_printf(out, "%s%" PRIu32, i ? "," : "", compose->backoff_s[i]);
    mr_buf_text(out, "\",");
}

static void add_wishes(struct mr_buf *out, const struct mr_compose *compose)
{
    add_int(out, "maxTries", compose->tries);
    add_int(out, "maxExceptions", compose->max_exceptions);
    if (compose->fail_on_timeout)
        mr_buf_text(out, "\"failOnTimeout\":true,");
    add_backoff(out, compose);
    add_int(out, "timeout", compose->timeout_s);
    add_int(out, "retryUntil", compose->retry_until_s);
    if (compose->expires_at_s >= 0)
        add_seconds(out, "expiresAt", (uint64_t)(compose->expires_at_s * 1000 + 0.5));
    if (compose->traceparent)
        add_text(out, "traceparent", compose->traceparent);
}

static void add_tags(struct mr_buf *out, const struct mr_compose *compose)
{
    if (compose->n_tags == 0)
        return;
    mr_buf_text(out, "\"tags\":[");
    for (unsigned i = 0; i < compose->n_tags; i++) {
        mr_buf_text(out, i ? ",\"" : "\"");
        mr_buf_json(out, compose->tags[i], strlen(compose->tags[i]));
        mr_buf_char(out, '"');
    }
    mr_buf_text(out, "],");
}

static int take_bytes(const char *bytes, size_t len, void *out)
{
    mr_buf_add(out, bytes, len);
    return 0;
}

/* Text is taken as it is: the scan of the whole envelope tells whether it is one JSON value. */
static enum mr_code add_data(struct mr_buf *out, const struct mr_compose *compose,
                             struct mr_err *err)
{
    add_name(out, "data");
    if (compose->data) {
        if (json_dump_callback(compose->data, take_bytes, out, JSON_COMPACT | JSON_ENCODE_ANY))
            return mr_fail(err, MR_EINVAL, "data: cannot be written as JSON");
    } else if (compose->data_json.at) {
        mr_buf_add(out, compose->data_json.at, compose->data_json.len);
    } else {
        mr_buf_text(out, "null");
    }
    mr_buf_char(out, ',');
    return MR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct mr_bytes trim(struct mr_bytes text)
{
    while (text.len > 0 && is_blank(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

/* What is wrong with the text itself, rather than with the envelope that it broke. MR_OK: nothing. */
static enum mr_code check_text(struct mr_bytes text, struct mr_err *err)
{
    json_error_t why;
    json_t *value = json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

    if (!value)
        return mr_fail(err, MR_EINVAL, "data: not JSON at byte %d: %s", why.position, why.text);
    json_decref(value);
    return MR_OK;
}

/*
 * What a worker would refuse is refused here, where its producer can still be told. The text of data must be all of the
 * member that the scan finds: else it has closed it and opened others.
 */
static enum mr_code check_result(const struct mr_compose *compose, struct mr_bytes made,
                                 struct mr_err *err)
{
    struct mr_bytes text = compose->data ? (struct mr_bytes){0} : compose->data_json;
    struct mr_envelope envelope;
    enum mr_code code = mr_envelope_scan(made.at, made.len, &compose->limits, &envelope, err);
    bool whole = code == MR_OK && (!text.at || envelope.data.len == trim(text).len);

    if (code == MR_OK)
        mr_envelope_fini(&envelope);
    if (whole || !text.at)
        return code;
    struct mr_err of_text;
    if (check_text(text, &of_text) == MR_OK)
        return code != MR_OK ? code : mr_fail(err, MR_EINVAL, "data: not one JSON value");
    *err = of_text;
    return MR_EINVAL;
}

enum mr_code mr_compose_envelope(const struct mr_compose *compose, struct mr_buf *out,
                                 char out_uuid[MR_COMPOSE_UUID_MAX], struct mr_err *err)
{
    char uuid[MR_COMPOSE_UUID_MAX];
    uint64_t now_ms = mr_clock_wall_ms();
    size_t start = out->len;
    enum mr_code code = check(compose, err);

    if (code != MR_OK)
        return code;
    mr_uuid_make(uuid);
    if (compose->uuid)
        snprintf(uuid, sizeof(uuid), "%s", compose->uuid);

    mr_buf_char(out, '{');
    add_text(out, "uuid", uuid);
    add_text(out, "displayName", compose->job);
    add_text(out, "job", compose->job);
    add_wishes(out, compose);
    code = add_data(out, compose, err);
    add_text(out, "id", uuid);
    add_tags(out, compose);
    add_seconds(out, "pushedAt", now_ms);
    mr_buf_text(out, "\"attempts\":0}");

    if (code == MR_OK)
        code = check_result(compose, (struct mr_bytes){out->at + start, out->len - start}, err);
    if (code != MR_OK) {
        out->len = start;
        out->at[start] = '\0';
        return code;
    }
    if (out_uuid)
        snprintf(out_uuid, MR_COMPOSE_UUID_MAX, "%s", uuid);
    return MR_OK;
}
