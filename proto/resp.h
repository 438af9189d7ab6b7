/* Writes commands as RESP into a buffer that is used again: no allocation per command. */
#ifndef MR_PROTO_RESP_H
#define MR_PROTO_RESP_H

#include "proto/base/str.h"

#include <stddef.h>
#include <stdint.h>

/* Starts a command of argc words behind what buf holds; exactly argc words must follow. */
void mr_resp_begin(struct mr_buf *buf, size_t argc);
void mr_resp_word(struct mr_buf *buf, const char *bytes, size_t len);
void mr_resp_text(struct mr_buf *buf, const char *text);
void mr_resp_number(struct mr_buf *buf, int64_t number);
/* Seconds with a fraction, to the millisecond. */
void mr_resp_seconds(struct mr_buf *buf, double seconds);

#endif
