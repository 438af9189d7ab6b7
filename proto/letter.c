#include "proto/letter.h"

#include "proto/base/mem.h"
#include "proto/base/uuid.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { VERSION = 1, HISTORY_MAX = 10 };

/* No ':' and no '~': "x:meta" and "x~2" are spellings of the letter x's own fields. */
static bool is_id(struct mr_bytes uuid)
{
    if (!uuid.at || uuid.len == 0 || uuid.len >= MR_LETTER_ID_MAX)
        return false;
    for (size_t i = 0; i < uuid.len; i++)
        if (uuid.at[i] == '\0' || !strchr(MR_UUID_LETTERS, uuid.at[i]))
            return false;
    return true;
}

void mr_letter_id(const struct mr_envelope *envelope, char out[MR_LETTER_ID_MAX])
{
    if (!is_id(envelope->uuid)) {
        mr_uuid_make(out);
        return;
    }
    memcpy(out, envelope->uuid.at, envelope->uuid.len);
    out[envelope->uuid.len] = '\0';
}

static void add_key(struct mr_buf *out, const char *key)
{
    if (out->at[out->len - 1] != '{')
        mr_buf_char(out, ',');
    mr_buf_printf(out, "\"%s\":", key);
}

static void add_string(struct mr_buf *out, const char *key, struct mr_bytes text)
{
    add_key(out, key);
    if (!text.at) {
        mr_buf_text(out, "null");
        return;
    }
    mr_buf_char(out, '"');
    mr_buf_json(out, text.at, text.len);
    mr_buf_char(out, '"');
}

/* A cut in the middle of a character is mended by mr_buf_json. */
static void add_reason(struct mr_buf *out, const char *key, const char *reason)
{
    size_t len = reason ? strnlen(reason, MR_LETTER_REASON_BYTES) : 0;

    add_string(out, key, (struct mr_bytes){reason ? reason : "", len});
}

static void add_number(struct mr_buf *out, const char *key, int64_t number)
{
    add_key(out, key);
    mr_buf_printf(out, "%" PRId64, number);
}

/* An earlier attempt, as its rewrite noted it; which attempt it was nobody wrote down. */
static void add_earlier(struct mr_buf *out, const json_t *entry)
{
    const char *error = json_string_value(json_object_get(entry, "error"));

    if (!error)
        return;
    mr_buf_char(out, '{');
    add_number(out, "at_ms", json_integer_value(json_object_get(entry, "at_ms")));
    add_key(out, "attempt");
    mr_buf_text(out, "null");
    add_string(out, "outcome", mr_bytes_of("retry"));
    add_reason(out, "error", error);
    mr_buf_text(out, "},");
}

static void add_history(struct mr_buf *out, const struct mr_letter *letter, const char *outcome)
{
    struct mr_bytes errors = letter->envelope->errors;
    json_t *earlier =
        errors.at ? json_loadb(errors.at, errors.len, JSON_ALLOW_NUL, NULL) : NULL;
    size_t n = json_array_size(earlier);

    add_key(out, "history");
    mr_buf_char(out, '[');
    for (size_t i = n >= HISTORY_MAX ? n - (HISTORY_MAX - 1) : 0; i < n; i++)
        add_earlier(out, json_array_get(earlier, i));
    json_decref(earlier);
    mr_buf_char(out, '{');
    add_number(out, "at_ms", (int64_t)letter->died_at_ms);
    add_number(out, "attempt", letter->attempts);
    add_string(out, "outcome", mr_bytes_of(outcome));
    add_reason(out, "error", letter->reason);
    mr_buf_text(out, "}]");
}

/* Where the bytes could not be scanned, zeroes stand in the envelope: nothing was read, nothing is said. */
static uint64_t pushed_at_ms(const struct mr_letter *letter)
{
    const struct mr_envelope *envelope = letter->envelope;

    if (letter->pushed_at_ms > 0)
        return letter->pushed_at_ms;
    if (envelope->pushed_at_s > 0 && envelope->pushed_at_s < 1e12)
        return (uint64_t)(envelope->pushed_at_s * 1000);
    if (envelope->created_at_s > 0 && envelope->created_at_s < (int64_t)1e12)
        return (uint64_t)envelope->created_at_s * 1000;
    return 0;
}

static void add_pushed(struct mr_buf *out, const struct mr_letter *letter)
{
    uint64_t at_ms = pushed_at_ms(letter);

    add_key(out, "pushed_at_ms");
    if (at_ms > 0)
        mr_buf_u64(out, at_ms);
    else
        mr_buf_text(out, "null");
}

void mr_letter_meta(struct mr_buf *out, const struct mr_letter *letter)
{
    const char *class = mr_dead_class_name(letter->dead);

    mr_buf_char(out, '{');
    add_number(out, "v", VERSION);
    add_string(out, "id", mr_bytes_of(letter->id));
    add_string(out, "uuid", letter->envelope->uuid);
    add_string(out, "job", letter->envelope->job);
    add_string(out, "queue", mr_bytes_of(letter->queue));
    add_string(out, "class", mr_bytes_of(class));
    add_reason(out, "reason", letter->reason);
    add_number(out, "attempts", letter->attempts);
    add_number(out, "crashes", letter->crashes);
    add_pushed(out, letter);
    add_number(out, "died_at_ms", (int64_t)letter->died_at_ms);
    add_string(out, "worker", mr_bytes_of(letter->worker));
    add_string(out, "host", mr_bytes_of(letter->host));
    if (letter->big) {
        add_key(out, "big");
        mr_buf_text(out, "true");
    }
    add_history(out, letter, letter->outcome ? letter->outcome : class);
    mr_buf_char(out, '}');
}
