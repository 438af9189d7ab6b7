/* The bytes with which a dead letter starts over: a fresh count of attempts, everything else as it was. Pure. */
#ifndef MR_DISPATCHER_AGAIN_H
#define MR_DISPATCHER_AGAIN_H

#include "proto/base/str.h"
#include "proto/envelope.h"

#include <stdbool.h>

/*
 * Appends raw to out with attempts, crashes, suspect and errors as in a job that was never tried. False when the bytes
 * cannot be read: out is untouched, and the letter goes back as it is.
 */
bool mr_again_rewrite(struct mr_bytes raw, const struct mr_limits *limits, struct mr_buf *out);

#endif
