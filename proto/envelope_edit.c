#include "proto/base/mem.h"
#include "proto/envelope.h"
#include "proto/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS_MAX = 5, ERROR_BYTES = 1000, EDITS_MAX = 6 };

/* Bytes of the envelope and what stands there instead. len 0: an insertion. */
struct patch {
    size_t at, len;
    struct mr_buf text;
};

struct patches {
    const struct mr_envelope *envelope;
    struct patch list[EDITS_MAX];
    unsigned n;
};

/* The patch that gives member a new value: over the old one, or as a new member right behind the opening brace. */
static struct mr_buf *begin(struct patches *patches, const char *member, struct mr_bytes place)
{
    struct patch *patch = &patches->list[patches->n++];

    *patch = (struct patch){.at = patches->envelope->open_at};
    if (place.at) {
        patch->at = (size_t)(place.at - patches->envelope->raw.at);
        patch->len = place.len;
    } else {
        mr_buf_printf(&patch->text, "\"%s\":", member);
    }
    return &patch->text;
}

/* There is always a `job` behind a member that is new, hence the comma. */
static void end(struct mr_buf *text, struct mr_bytes place)
{
    if (!place.at)
        mr_buf_char(text, ',');
}

static void set_count(struct patches *patches, const char *member, struct mr_bytes place,
                      int64_t count)
{
    if (count < 0)
        return;
    struct mr_buf *text = begin(patches, member, place);
    mr_buf_u64(text, (uint64_t)count);
    end(text, place);
}

static void set_uuid(struct patches *patches, const char *uuid)
{
    struct mr_bytes place = patches->envelope->uuid_at;

    if (!uuid || patches->envelope->uuid.at)
        return;
    struct mr_buf *text = begin(patches, "uuid", place);
    mr_buf_char(text, '"');
    mr_buf_json(text, uuid, strlen(uuid));
    mr_buf_char(text, '"');
    end(text, place);
}

/* The raw elements of the list that are kept beside a new one: its last ones. Returns how many. */
static unsigned last_errors(struct mr_bytes list, struct mr_bytes kept[ERRORS_MAX - 1])
{
    unsigned n = 0;

    if (!list.at)
        return 0;
    struct mr_json json = {.at = list.at, .end = list.at + list.len};
    if (!mr_json_take(&json, '[') || mr_json_take(&json, ']'))
        return 0;
    do {
        mr_json_blanks(&json);
        const char *start = json.at;

        if (!mr_json_skip(&json, MR_JSON_DEPTH_MAX))
            break; /* the scan has taken it, so this does not happen */
        if (n == ERRORS_MAX - 1)
            memmove(kept, kept + 1, --n * sizeof(*kept));
        kept[n++] = (struct mr_bytes){start, (size_t)(json.at - start)};
    } while (mr_json_take(&json, ','));
    return n;
}

static void add_error(struct patches *patches, const char *error, uint64_t at_ms)
{
    struct mr_bytes place = patches->envelope->errors_at;
    struct mr_bytes kept[ERRORS_MAX - 1];

    if (!error)
        return;
    struct mr_buf *text = begin(patches, "errors", place);
    unsigned n = last_errors(patches->envelope->errors, kept);
    mr_buf_char(text, '[');
    for (unsigned i = 0; i < n; i++) {
        mr_buf_add(text, kept[i].at, kept[i].len);
        mr_buf_char(text, ',');
    }
    mr_buf_printf(text, "{\"at_ms\":%" PRIu64 ",\"error\":\"", at_ms);
    mr_buf_json(text, error, mr_str_cut(error, ERROR_BYTES));
    mr_buf_text(text, "\"}]");
    end(text, place);
}

/* Insertions all stand at open_at; their order does not matter. */
static int by_place(const void *a, const void *b)
{
    const struct patch *left = a, *right = b;

    return (left->at > right->at) - (left->at < right->at);
}

void mr_envelope_rewrite(const struct mr_envelope *envelope,
                         const struct mr_envelope_edit *edit, struct mr_buf *out)
{
    struct patches patches = {.envelope = envelope};
    size_t copied = 0;

    set_uuid(&patches, edit->uuid);
    set_count(&patches, "attempts", envelope->attempts_at, edit->attempts);
    set_count(&patches, "crashes", envelope->crashes_at, edit->crashes);
    set_count(&patches, "suspect", envelope->suspect_at, edit->suspect);
    set_count(&patches, "inDoubt", envelope->in_doubt_at, edit->in_doubt);
    add_error(&patches, edit->error, edit->error_at_ms);
    qsort(patches.list, patches.n, sizeof(patches.list[0]), by_place);

    for (unsigned i = 0; i < patches.n; i++) {
        struct patch *patch = &patches.list[i];

        mr_buf_add(out, envelope->raw.at + copied, patch->at - copied);
        mr_buf_add(out, patch->text.at, patch->text.len);
        copied = patch->at + patch->len;
        mr_buf_fini(&patch->text);
    }
    mr_buf_add(out, envelope->raw.at + copied, envelope->raw.len - copied);
}
