/* Any payload as a dead letter: its record is one line of JSON that says of the envelope what stands in it. */
#include "proto/base/mem.h"
#include "proto/letter.h"
#include "tests/fuzz/must.h"

#include <string.h>

static void must_be(struct mr_bytes text, const json_t *meta, const char *name)
{
    const json_t *value = json_object_get(meta, name);

    must(value);
    must(text.at ? json_is_string(value) : json_is_null(value));
    must(!text.at || mr_bytes_equal(text, (struct mr_bytes){json_string_value(value),
                                                            json_string_length(value)}));
}

static void check(const struct mr_envelope *envelope, const char *words)
{
    char id[MR_LETTER_ID_MAX];
    struct mr_buf out = {0};

    mr_letter_id(envelope, id);
    const struct mr_letter letter = {.envelope = envelope,
                                     .id = id,
                                     .queue = words,
                                     .dead = MR_DEAD_REFUSED,
                                     .reason = words,
                                     .attempts = envelope->attempts,
                                     .died_at_ms = 1795437139754,
                                     .worker = words,
                                     .host = words};
    mr_letter_meta(&out, &letter);
    json_t *meta = json_loadb(out.at, out.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(meta) && !memchr(out.at, '\n', out.len));
    must_be(envelope->uuid, meta, "uuid");
    must_be(envelope->job, meta, "job");
    must_be(mr_bytes_of(id), meta, "id");
    must(id[0] && !strpbrk(id, ":~ \r\n"));
    size_t n = json_array_size(json_object_get(meta, "history"));
    must(n >= 1 && n <= 10);
    json_decref(meta);
    mr_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope envelope = {
        .raw = {(const char *)bytes, len}
    };
    char *words = mr_strndup((const char *)bytes, len);

    bool scanned =
        mr_envelope_scan((const char *)bytes, len, &limits, &envelope, NULL) == MR_OK;
    check(&envelope, words);
    if (scanned)
        mr_envelope_fini(&envelope);
    free(words);
    return 0;
}
