/* What was pushed: header members read by one scan over the bytes, changed by byte edits; `data` is JSON on demand. */
#ifndef MR_PROTO_ENVELOPE_H
#define MR_PROTO_ENVELOPE_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MR_ENVELOPE_BACKOFFS 32
#define MR_ENVELOPE_ABSENT (-1)

struct mr_limits {
    uint64_t payload_bytes; /* default 8 MiB */
    uint32_t depth;         /* default 64; the object itself is level 1 */
};

struct mr_limits mr_limits_default(void);

/*
 * A scanned envelope. All mr_bytes of strings are decoded (escapes resolved) and valid as long
 * as raw and the envelope live; data, errors and tags are raw JSON inside raw. Absent and null are the same, and an
 * empty uuid is none. Integers absent are MR_ENVELOPE_ABSENT, but attempts, crashes, suspect and in_doubt are then 0.
 * Copying the struct moves it.
 */
struct mr_envelope {
    struct mr_bytes raw; /* borrowed */
    struct mr_bytes uuid, id, job, display_name, traceparent;
    int64_t attempts; /* deliveries spent */
    int64_t crashes;  /* processes it took down */
    int64_t suspect;  /* times it was one of several that may have */
    int64_t in_doubt; /* deliveries cut off when a remote side may have done its work */
    int64_t max_tries, max_exceptions; /* max_tries 0: unlimited */
    int64_t timeout_s, retry_until_s, created_at_s, delay_s;
    double expires_at_s, pushed_at_s; /* negative when absent */
    uint32_t backoff_s[MR_ENVELOPE_BACKOFFS];
    unsigned n_backoff; /* 0 when absent */
    bool fail_on_timeout;
    struct mr_bytes data, errors, tags;
    struct mr_bytes uuid_at, attempts_at, crashes_at, suspect_at, in_doubt_at,
        errors_at;  /* the values' places in raw, null included, for edits */
    size_t open_at; /* just behind the opening brace */
    char *decoded;  /* owned; NULL unless a header string held an escape */
};

/*
 * Reads the header members in one pass, without building a tree. Accepts and refuses exactly
 * the bytes jansson does with JSON_ALLOW_NUL (RFC 8259, valid UTF-8, integers within int64), and
 * refuses besides: over the limits, not an object, no `job` or a bad name, duplicate header members, a wrong type in a
 * header member, a NUL byte anywhere. err then says what and at which byte. out is untouched on failure.
 */
enum mr_code mr_envelope_scan(const char *raw, size_t len, const struct mr_limits *limits,
                              struct mr_envelope *out, struct mr_err *err);
void mr_envelope_fini(struct mr_envelope *envelope);

/* `data` as a new reference (json_null when absent); NULL and err when jansson refuses it. */
json_t *mr_envelope_data(const struct mr_envelope *envelope, struct mr_err *err);

/* What a rewrite changes; negative or NULL leaves a member alone. Begin with MR_ENVELOPE_NO_EDIT. */
struct mr_envelope_edit {
    int64_t attempts, crashes, suspect, in_doubt;
    const char *uuid;  /* inserted when the envelope has none */
    const char *error; /* one more of `errors`: the last 5 are kept, each cut at 1,000 bytes */
    uint64_t error_at_ms;
};

#define MR_ENVELOPE_NO_EDIT                                                                    \
    (struct mr_envelope_edit)                                                                  \
    {                                                                                          \
        .attempts = -1, .crashes = -1, .suspect = -1, .in_doubt = -1                           \
    }

/* Appends the envelope to out with the edit made and every other byte as it was; members it lacks go right behind '{'. */
void mr_envelope_rewrite(const struct mr_envelope *envelope,
                         const struct mr_envelope_edit *edit, struct mr_buf *out);

#endif
