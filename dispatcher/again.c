#include "dispatcher/again.h"

/* Where the job never counted something, the member stays away: a retry adds no more than it must. */
static void reset(const struct mr_envelope *envelope, struct mr_buf *out)
{
    struct mr_envelope_edit edit = {
        .attempts = envelope->attempts_at.at ? 0 : -1,
        .crashes = envelope->crashes_at.at ? 0 : -1,
        .suspect = envelope->suspect_at.at ? 0 : -1,
        .in_doubt = envelope->in_doubt_at.at ? 0 : -1,
    };

    mr_envelope_rewrite(envelope, &edit, out);
}

/* raw with its list of errors emptied. */
static void empty_errors(const struct mr_envelope *envelope, struct mr_buf *out)
{
    size_t before = (size_t)(envelope->errors_at.at - envelope->raw.at);
    size_t behind = before + envelope->errors_at.len;

    mr_buf_add(out, envelope->raw.at, before);
    mr_buf_text(out, "[]");
    mr_buf_add(out, envelope->raw.at + behind, envelope->raw.len - behind);
}

bool mr_again_rewrite(struct mr_bytes raw, const struct mr_limits *limits, struct mr_buf *out)
{
    struct mr_envelope envelope;
    struct mr_buf emptied = {0};

    if (mr_envelope_scan(raw.at, raw.len, limits, &envelope, NULL) != MR_OK)
        return false;
    if (envelope.errors_at.at) {
        empty_errors(&envelope, &emptied);
        mr_envelope_fini(&envelope);
        if (mr_envelope_scan(emptied.at, emptied.len, limits, &envelope, NULL) != MR_OK) {
            mr_buf_fini(&emptied);
            return false;
        }
    }
    reset(&envelope, out);
    mr_envelope_fini(&envelope);
    mr_buf_fini(&emptied);
    return true;
}
