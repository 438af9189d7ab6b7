/* Header lines of a mail: encoded where they are not plain ASCII (RFC 2047, 2231), folded (RFC 5322). */
#ifndef MR_JOBS_EMAIL_HEADER_H
#define MR_JOBS_EMAIL_HEADER_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* Printable ASCII in which nothing looks like an encoded word. */
bool mr_header_is_plain(const char *value);
/* Appends a blank, or a fold where the line has no room for it and len further characters. */
void mr_header_gap(struct mr_buf *out, size_t len);
/* Appends text as encoded words, cut between characters, one a line. The first begins where out ends: in the first half of a line. */
void mr_header_words(struct mr_buf *out, const char *text);
/* Appends "Name: value" without a line end: lines of 78 columns where blanks allow it, of 998 bytes always. */
void mr_header_add(struct mr_buf *out, const char *name, const char *value);
/* The same of what programs read, addresses and ids in printable ASCII: never encoded, for there an encoded word would be none. */
void mr_header_add_tokens(struct mr_buf *out, const char *name, const char *value);
/* Appends ";\r\n name=value" of a structured header: a quoted string, or in the pieces of RFC 2231. */
void mr_header_param(struct mr_buf *out, const char *name, const char *value);

/*
 * A string of the job that goes into a header, borrowed from value: no control character, for JSON strings may hold CR, LF and NUL, and
 * in a header they would forge further ones. MR_EINVAL with data.<member>.
 */
enum mr_code mr_header_text(const char *member, const json_t *value, const char **out,
                            struct mr_err *err);

#endif
