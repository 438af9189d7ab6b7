/* Spans and sizes as people write them: 250ms, 10s, 1h30m, 64MiB. */
#ifndef MR_PROTO_BASE_DURATION_H
#define MR_PROTO_BASE_DURATION_H

#include "proto/base/err.h"

#include <stdint.h>

/* "10s", "250ms", "1h30m", "2d", "0". A bare number is seconds; anything else is MR_EINVAL. */
enum mr_code mr_duration_parse(const char *text, uint64_t *out_ms, struct mr_err *err);
/* The shortest exact spelling: 90000 -> "1m30s". out holds at least 32 bytes. */
void mr_duration_print(uint64_t ms, char *out);

/* "512", "64KiB", "8MiB", "1GiB"; kB, MB, GB are powers of 1000. */
enum mr_code mr_size_parse(const char *text, uint64_t *out_bytes, struct mr_err *err);
void mr_size_print(uint64_t bytes, char *out); /* at least 32 bytes */

#endif
