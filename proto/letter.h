/* The JSON record of a dead letter, beside the payload that is kept byte for byte. Written by worker and reaper alike. */
#ifndef MR_PROTO_LETTER_H
#define MR_PROTO_LETTER_H

#include "proto/base/str.h"
#include "proto/envelope.h"
#include "proto/verdict.h"

#include <stdbool.h>
#include <stdint.h>

#define MR_LETTER_ID_MAX 104        /* with its NUL */
#define MR_LETTER_REASON_BYTES 1000 /* longer reasons and errors are cut */

/* All pointers are borrowed for the call. */
struct mr_letter {
    const struct mr_envelope *envelope; /* raw only where the bytes could not be scanned */
    const char *id;                     /* of mr_letter_id */
    const char *queue;                  /* its name, without prefix */
    enum mr_dead_class dead;
    const char *outcome; /* of the last attempt (mr_outcome_name); NULL: the class says it */
    const char *reason;
    int64_t attempts, crashes; /* with the last attempt counted */
    uint64_t pushed_at_ms;     /* unix; 0: as the envelope says, null when it does not */
    uint64_t died_at_ms;       /* unix */
    const char *worker, *host; /* who wrote it: incarnation, host name */
    bool big;                  /* the payload stands in a key of its own */
};

/*
 * The name the letter is kept under: the envelope's uuid, or a made one where there is none or where it could not be
 * a name (odd characters, too long). Draw it once per letter: a repeated DEAD must say the same id.
 */
void mr_letter_id(const struct mr_envelope *envelope, char out[MR_LETTER_ID_MAX]);

/* Appends the record as one line of JSON. Its history is the envelope's `errors` and then this last attempt. */
void mr_letter_meta(struct mr_buf *out, const struct mr_letter *letter);

#endif
