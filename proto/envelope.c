#include "proto/envelope.h"

#include "proto/base/mem.h"
#include "proto/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 13, NAME_ROOM = 6 * NAME_MAX_BYTES };

struct mr_limits mr_limits_default(void)
{
    return (struct mr_limits){.payload_bytes = 8 << 20, .depth = 64};
}

/* One scan under way. */
struct scan {
    struct mr_json json;
    struct mr_envelope *envelope;
    unsigned depth;     /* containers that a member's value may nest */
    size_t escaped_len; /* bytes of header strings that still hold escapes */
    uint32_t escaped;   /* and which headers they are */
};

/* ---- the header members: one row is all there is to know of each ---- */

struct header;
typedef bool read_fn(struct scan *scan, const struct header *header);

static read_fn read_text, read_count, read_seconds, read_backoff, read_bool, read_list,
    read_any;

struct header {
    const char *name;
    read_fn *read;
    const char *wants; /* said when the type is wrong */
    size_t value;      /* offsetof in struct mr_envelope; NONE */
    size_t place;      /* of the mr_bytes that remembers where the value stands; NONE */
};

#define NONE SIZE_MAX
#define AT(member) offsetof(struct mr_envelope, member)
#define COUNT read_count, "must be an integer, 0 or more"
#define LIST read_list, "must be an array"
#define SECONDS read_seconds, "must be unix seconds"
#define TEXT read_text, "must be a string"
#define ANY read_any, ""

/* Sorted by the length of the name, so that a name meets at most five rows. */
/* clang-format off */
static const struct header headers[] = {
    {"id",            TEXT,    AT(id),             NONE},
    {"job",           TEXT,    AT(job),            NONE},
    {"data",          ANY,     NONE,               AT(data)},
    {"uuid",          TEXT,    AT(uuid),           AT(uuid_at)},
    {"tags",          LIST,    AT(tags),           NONE},
    {"then",          ANY,     NONE,               NONE},
    {"delay",         COUNT,   AT(delay_s),        NONE},
    {"batch",         ANY,     NONE,               NONE},
    {"errors",        LIST,    AT(errors),         AT(errors_at)},
    {"unique",        ANY,     NONE,               NONE},
    {"timeout",       COUNT,   AT(timeout_s),      NONE},
    {"backoff",       read_backoff, "must be seconds: 10, \"10,30\" or [10, 30]", NONE, NONE},
    {"crashes",       COUNT,   AT(crashes),        AT(crashes_at)},
    {"suspect",       COUNT,   AT(suspect),        AT(suspect_at)},
    {"inDoubt",       COUNT,   AT(in_doubt),       AT(in_doubt_at)},
    {"attempts",      COUNT,   AT(attempts),       AT(attempts_at)},
    {"maxTries",      COUNT,   AT(max_tries),      NONE},
    {"pushedAt",      SECONDS, AT(pushed_at_s),    NONE},
    {"createdAt",     COUNT,   AT(created_at_s),   NONE},
    {"expiresAt",     SECONDS, AT(expires_at_s),   NONE},
    {"retryUntil",    COUNT,   AT(retry_until_s),  NONE},
    {"displayName",   TEXT,    AT(display_name),   NONE},
    {"traceparent",   TEXT,    AT(traceparent),    NONE},
    {"failOnTimeout", read_bool, "must be true or false", AT(fail_on_timeout), NONE},
    {"maxExceptions", COUNT,   AT(max_exceptions), NONE},
};
/* clang-format on */

/* The first row whose name has this length; [length + 1] is where they end. */
static const unsigned char first_row[NAME_MAX_BYTES + 2] = {0,  0,  0,  1,  2,  6,  8, 10,
                                                            15, 18, 20, 21, 23, 23, 25};

static const struct header *find_header(struct mr_bytes name)
{
    if (name.len > NAME_MAX_BYTES)
        return NULL;
    for (unsigned row = first_row[name.len]; row < first_row[name.len + 1]; row++)
        if (headers[row].name[0] == name.at[0] &&
            memcmp(headers[row].name, name.at, name.len) == 0)
            return &headers[row];
    return NULL;
}

static void *field(struct mr_envelope *envelope, size_t offset)
{
    return (char *)envelope + offset;
}

/* ---- reading a value, one function a type; null never comes here ---- */

static bool wrong(struct scan *scan, const struct header *header)
{
    return mr_json_fail(&scan->json, header->wants);
}

static bool read_text(struct scan *scan, const struct header *header)
{
    struct mr_json_string text;

    if (mr_json_peek(&scan->json) != '"')
        return wrong(scan, header);
    if (!mr_json_string(&scan->json, &text))
        return false;
    if (text.escaped) {
        scan->escaped |= UINT32_C(1) << (header - headers);
        scan->escaped_len += text.inside.len;
    }
    *(struct mr_bytes *)field(scan->envelope, header->value) = text.inside;
    return true;
}

/* A number is wanted: the value is one, or the wrong thing stands there. */
static bool take_number(struct scan *scan, const struct header *header,
                        struct mr_json_number *out)
{
    int c = mr_json_peek(&scan->json);

    if (c != '-' && (c < '0' || c > '9'))
        return wrong(scan, header);
    return mr_json_number(&scan->json, out);
}

static bool take_count(struct scan *scan, const struct header *header, int64_t *out)
{
    struct mr_json_number number;
    const char *start = scan->json.at;

    if (!take_number(scan, header, &number))
        return false;
    if (!number.whole || number.integer < 0) {
        scan->json.at = start;
        return wrong(scan, header);
    }
    *out = number.integer;
    return true;
}

static bool read_count(struct scan *scan, const struct header *header)
{
    return take_count(scan, header, field(scan->envelope, header->value));
}

/* A walk over the inside of a string, which ends where the string ends. */
static struct mr_json inside_of(struct mr_bytes text)
{
    struct mr_json inside = {.at = text.at, .end = text.at + text.len};

    mr_json_blanks(&inside);
    return inside;
}

static bool at_end(struct mr_json *inside)
{
    mr_json_blanks(inside);
    return inside->at == inside->end;
}

/* Horizon writes its pushedAt as a string: "1795437139.7547". */
static bool take_number_in_string(struct scan *scan, const struct header *header,
                                  struct mr_json_number *out)
{
    struct mr_json_string text;

    if (!mr_json_string(&scan->json, &text))
        return false;
    struct mr_json inside = inside_of(text.inside);
    return (mr_json_number(&inside, out) && at_end(&inside)) || wrong(scan, header);
}

static bool read_seconds(struct scan *scan, const struct header *header)
{
    struct mr_json_number number;
    const char *start = scan->json.at;
    bool is_number = mr_json_peek(&scan->json) == '"'
                         ? take_number_in_string(scan, header, &number)
                         : take_number(scan, header, &number);

    if (!is_number)
        return false;
    double seconds = number.whole ? (double)number.integer : mr_json_double(number.text);
    if (seconds < 0) {
        scan->json.at = start;
        return wrong(scan, header);
    }
    *(double *)field(scan->envelope, header->value) = seconds;
    return true;
}

/* Of more waits than there is room for, the last one is kept in the last place: it is the one that repeats. */
static bool add_backoff(struct scan *scan, const struct header *header, int64_t seconds)
{
    struct mr_envelope *envelope = scan->envelope;

    if (seconds > UINT32_MAX)
        return wrong(scan, header);
    if (envelope->n_backoff < MR_ENVELOPE_BACKOFFS)
        envelope->n_backoff++;
    envelope->backoff_s[envelope->n_backoff - 1] = (uint32_t)seconds;
    return true;
}

/* Laravel's form: "10,30,120". */
static bool read_backoff_text(struct scan *scan, const struct header *header)
{
    struct mr_json_string text;
    struct mr_json_number number;

    if (!mr_json_string(&scan->json, &text))
        return false;
    struct mr_json inside = inside_of(text.inside);
    if (at_end(&inside))
        return true;
    do {
        mr_json_blanks(&inside);
        if (!mr_json_number(&inside, &number) || !number.whole || number.integer < 0)
            return wrong(scan, header);
        if (!add_backoff(scan, header, number.integer))
            return false;
    } while (mr_json_take(&inside, ','));
    return at_end(&inside) || wrong(scan, header);
}

static bool read_backoff_list(struct scan *scan, const struct header *header)
{
    int64_t seconds;

    scan->json.at++;
    if (mr_json_take(&scan->json, ']'))
        return true;
    do {
        mr_json_blanks(&scan->json);
        if (!take_count(scan, header, &seconds) || !add_backoff(scan, header, seconds))
            return false;
    } while (mr_json_take(&scan->json, ','));
    return mr_json_take(&scan->json, ']') ||
           mr_json_fail(&scan->json, "',' or ']' was expected");
}

static bool read_backoff(struct scan *scan, const struct header *header)
{
    int64_t seconds;

    switch (mr_json_peek(&scan->json)) {
    case '"':
        return read_backoff_text(scan, header);
    case '[':
        return scan->depth > 0 ? read_backoff_list(scan, header) : wrong(scan, header);
    default:
        return take_count(scan, header, &seconds) && add_backoff(scan, header, seconds);
    }
}

static bool read_bool(struct scan *scan, const struct header *header)
{
    bool *value = field(scan->envelope, header->value);

    *value = mr_json_peek(&scan->json) == 't';
    if (!*value && mr_json_peek(&scan->json) != 'f')
        return wrong(scan, header);
    return mr_json_word(&scan->json, *value ? "true" : "false");
}

/* Redis' cjson, which Laravel's own pop uses, turns [] into {}: an empty object is an empty list. */
static bool read_list(struct scan *scan, const struct header *header)
{
    struct mr_json *json = &scan->json;
    const char *start = json->at;
    int open = mr_json_peek(json);

    if (open == '{') {
        json->at++;
        if (mr_json_take(json, '}'))
            return true;
        json->at = start;
    }
    if (open != '[')
        return wrong(scan, header);
    if (!mr_json_skip(json, scan->depth))
        return false;
    *(struct mr_bytes *)field(scan->envelope, header->value) =
        (struct mr_bytes){start, (size_t)(json->at - start)};
    return true;
}

static bool read_any(struct scan *scan, const struct header *header)
{
    (void)header;
    return mr_json_skip(&scan->json, scan->depth);
}

/* ---- the scan ---- */

static bool read_header(struct scan *scan, const struct header *header)
{
    const char *start = scan->json.at;
    bool null = mr_json_peek(&scan->json) == 'n' && header->read != read_any;

    if (null ? !mr_json_word(&scan->json, "null") : !header->read(scan, header))
        return false;
    if (header->place != NONE)
        *(struct mr_bytes *)field(scan->envelope, header->place) =
            (struct mr_bytes){start, (size_t)(scan->json.at - start)};
    return true;
}

/* The row of a member's name, its escapes resolved; NULL: the member is none of ours. */
static const struct header *header_of(const struct mr_json_string *key)
{
    char plain[NAME_ROOM];

    if (!key->escaped)
        return find_header(key->inside);
    if (key->inside.len > sizeof(plain))
        return NULL;
    return find_header((struct mr_bytes){plain, mr_json_unescape(key->inside, plain)});
}

/* All members, up to and with the closing brace. at_header is the header at which it failed, if it did at one. */
static bool read_members(struct scan *scan, const struct header **at_header)
{
    struct mr_json *json = &scan->json;
    struct mr_json_string key;
    uint32_t seen = 0;

    if (mr_json_take(json, '}'))
        return true;
    do {
        *at_header = NULL;
        if (!mr_json_key(json, &key))
            return false;
        const struct header *header = *at_header = header_of(&key);
        uint32_t bit = header ? UINT32_C(1) << (header - headers) : 0;

        if (seen & bit)
            return mr_json_fail(json, "is there twice");
        seen |= bit;
        mr_json_blanks(json);
        if (header ? !read_header(scan, header) : !mr_json_skip(json, scan->depth))
            return false;
    } while (mr_json_take(json, ','));
    *at_header = NULL;
    return mr_json_take(json, '}') || mr_json_fail(json, "',' or '}' was expected");
}

/* Resolves what header strings held escapes, into one piece of memory. */
static void decode_texts(struct scan *scan)
{
    struct mr_buf decoded = {0};

    if (!scan->escaped)
        return;
    mr_buf_reserve(&decoded, scan->escaped_len);
    for (size_t row = 0; row < MR_COUNT(headers); row++) {
        if (!(scan->escaped >> row & 1))
            continue;
        struct mr_bytes *text = field(scan->envelope, headers[row].value);
        char *start = decoded.at + decoded.len;

        text->len = mr_json_unescape(*text, start);
        text->at = start;
        decoded.len += text->len;
    }
    scan->envelope->decoded = decoded.at;
}

static enum mr_code check_size(size_t len, const struct mr_limits *limits, struct mr_err *err)
{
    if (len == 0)
        return mr_fail(err, MR_EINVAL, "the payload is empty");
    if (len > limits->payload_bytes)
        return mr_fail(err, MR_EINVAL,
                       "the payload has %zu bytes, limits.payload allows %" PRIu64, len,
                       limits->payload_bytes);
    return MR_OK;
}

static bool scan_object(struct scan *scan, const struct header **at_header)
{
    struct mr_json *json = &scan->json;
    const char *start = json->at;

    if (!mr_json_take(json, '{'))
        return mr_json_fail(json, "a JSON object was expected");
    scan->envelope->open_at = (size_t)(json->at - start);
    if (!read_members(scan, at_header))
        return false;
    mr_json_blanks(json);
    return json->at == json->end || mr_json_fail(json, "something stands behind the object");
}

static enum mr_code say_fault(const struct scan *scan, const struct header *header,
                              struct mr_err *err)
{
    size_t byte = (size_t)(scan->json.at - scan->envelope->raw.at);

    if (header)
        return mr_fail(err, MR_EINVAL, "%s: %s (byte %zu)", header->name, scan->json.why, byte);
    return mr_fail(err, MR_EINVAL, "not an envelope: %s (byte %zu)", scan->json.why, byte);
}

static enum mr_code check_job(struct mr_bytes job, struct mr_err *err)
{
    if (!job.at)
        return mr_fail(err, MR_EINVAL, "job: is missing; it names the handler");
    if (!mr_str_is_job_name(job))
        return mr_fail(
            err, MR_EINVAL,
            "job: must be 1 to 200 of A-Z a-z 0-9 _ . \\ @ -, this one has %zu bytes", job.len);
    return MR_OK;
}

enum mr_code mr_envelope_scan(const char *raw, size_t len, const struct mr_limits *limits,
                              struct mr_envelope *out, struct mr_err *err)
{
    struct mr_envelope envelope = {
        .raw = {raw, len},
        .max_tries = MR_ENVELOPE_ABSENT,
        .max_exceptions = MR_ENVELOPE_ABSENT,
        .timeout_s = MR_ENVELOPE_ABSENT,
        .retry_until_s = MR_ENVELOPE_ABSENT,
        .created_at_s = MR_ENVELOPE_ABSENT,
        .delay_s = MR_ENVELOPE_ABSENT,
        .expires_at_s = -1,
        .pushed_at_s = -1,
    };
    struct scan scan = {
        .json = {.at = raw, .end = raw + len},
        .envelope = &envelope,
        .depth = limits->depth > 0 ? limits->depth - 1 : 0,
    };
    const struct header *at_header = NULL;
    enum mr_code code = check_size(len, limits, err);

    if (code != MR_OK)
        return code;
    if (!scan_object(&scan, &at_header))
        return say_fault(&scan, at_header, err);
    decode_texts(&scan);
    code = check_job(envelope.job, err);
    if (code != MR_OK) {
        mr_envelope_fini(&envelope);
        return code;
    }
    if (envelope.uuid.len == 0)
        envelope.uuid = (struct mr_bytes){0};
    *out = envelope;
    return MR_OK;
}

void mr_envelope_fini(struct mr_envelope *envelope)
{
    if (!envelope)
        return;
    free(envelope->decoded);
    envelope->decoded = NULL;
}

json_t *mr_envelope_data(const struct mr_envelope *envelope, struct mr_err *err)
{
    json_error_t why;

    if (!envelope->data.at)
        return json_null();
    json_t *data = json_loadb(envelope->data.at, envelope->data.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!data)
        mr_fail(err, MR_EINVAL, "data: %s (byte %d of it)", why.text, why.position);
    return data;
}
