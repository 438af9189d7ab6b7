/* Bytes with a length: borrowed (mr_bytes) and growing (mr_buf). Payloads may hold NUL, so lengths rule. */
#ifndef MR_PROTO_BASE_STR_H
#define MR_PROTO_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrow: somebody else owns the bytes. at == NULL means absent. */
struct mr_bytes {
    const char *at;
    size_t len;
};

/* A growing byte string; zero-initialised is empty and valid. There is always a NUL behind len. */
struct mr_buf {
    char *at;
    size_t len;
    size_t room;
};

struct mr_bytes mr_bytes_of(const char *text); /* NULL gives absent */
bool mr_bytes_equal(struct mr_bytes a, struct mr_bytes b);
bool mr_bytes_is(struct mr_bytes a, const char *text);

void mr_buf_fini(struct mr_buf *buf);
void mr_buf_clear(struct mr_buf *buf); /* keeps the memory */
void mr_buf_reserve(struct mr_buf *buf, size_t more);
void mr_buf_add(struct mr_buf *buf, const char *bytes, size_t len);
void mr_buf_text(struct mr_buf *buf, const char *text);
void mr_buf_char(struct mr_buf *buf, char c);
void mr_buf_u64(struct mr_buf *buf, uint64_t number); /* decimal */
void mr_buf_printf(struct mr_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds text as the inside of a JSON string: quotes, backslashes and control bytes escaped, bad UTF-8 as U+FFFD. */
void mr_buf_json(struct mr_buf *buf, const char *bytes, size_t len);
/* Moves the bytes out, NUL-ended, owned by the caller; buf is empty afterwards. */
char *mr_buf_steal(struct mr_buf *buf);

/* The value of a hexadecimal digit, -1 for any other character. */
int mr_str_hex(char c);
/* Each byte as two such digits, in lower case: 2 * len + 1 bytes of out, with its NUL. */
void mr_str_print_hex(const void *bytes, size_t len, char *out);

/* The nearest of the n words for "did you mean", or NULL when none is near (Damerau-Levenshtein <= 1/3 of the length). */
const char *mr_str_nearest(const char *word, const char *const *words, size_t n);

/* The length of the valid UTF-8 sequence (RFC 3629) at at, where left bytes stand; 0 when there is none. */
size_t mr_str_utf8(const char *at, size_t left);
/* The length of text cut to at most max bytes, never inside a UTF-8 character. */
size_t mr_str_cut(const char *text, size_t max);

/* Names of queues and pools: [A-Za-z0-9_.{}-]{1,100}; of jobs: [A-Za-z0-9_.\@-]{1,200}. */
bool mr_str_is_queue_name(struct mr_bytes name);
bool mr_str_is_job_name(struct mr_bytes name);

#endif
