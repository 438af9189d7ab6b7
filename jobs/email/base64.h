/* Base64 as mail wants it (RFC 2045, 6.8): in lines of 76 characters, from bytes that come piece by piece. */
#ifndef MR_JOBS_EMAIL_BASE64_H
#define MR_JOBS_EMAIL_BASE64_H

#include "proto/base/err.h"
#include "proto/base/str.h"

/* Zero-initialised is a beginning. */
struct mr_base64 {
    unsigned char rest[3]; /* bytes that wait for the others of their group */
    unsigned n_rest;
    unsigned column;
};

/* All of it in one line, padded; for header words. */
void mr_base64_add(struct mr_buf *out, const void *bytes, size_t len);

/* Appends what len further bytes give; mr_base64_end the last group and a line end. */
void mr_base64_piece(struct mr_base64 *state, struct mr_buf *out, const void *bytes,
                     size_t len);
void mr_base64_end(struct mr_base64 *state, struct mr_buf *out);
/* Characters that so many bytes become, line ends included. */
uint64_t mr_base64_size(uint64_t bytes);

/* Appends text that is base64 already, in lines of its own or in one, as lines of 76. MR_EINVAL when it is none. */
enum mr_code mr_base64_lines(struct mr_buf *out, const char *text, size_t len,
                             struct mr_err *err);

#endif
