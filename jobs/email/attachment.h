/* Files that a mail carries: beside its text, or within its HTML. */
#ifndef MR_JOBS_EMAIL_ATTACHMENT_H
#define MR_JOBS_EMAIL_ATTACHMENT_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdint.h>

enum { MR_ATTACHMENTS_MAX = 50 };

/* item owns the strings; it is a reference of ours. */
struct mr_attachment {
    json_t *item;
    const char *name; /* NULL: none, an inline image needs none */
    const char *type; /* "image/png" */
    const char *cid;  /* NULL: not inline */
    const char *key;  /* of the storage; NULL: base64 */
    const char *base64;
    size_t base64_len;
};

struct mr_attachments {
    struct mr_attachment *items;
    unsigned n;
};

/*
 * Gets the bytes of a stored file, in order; on_bytes as mr_storage_read calls it. max_bytes: a larger file is MR_EINVAL before its
 * first byte. Other codes are the storage's.
 */
typedef enum mr_code mr_mail_fetch_fn(void *arg, const char *key, uint64_t max_bytes,
                                      enum mr_code (*on_bytes)(void *to, const void *bytes,
                                                               size_t len, struct mr_err *err),
                                      void *to, struct mr_err *err);

/* Reads data.attachments; MR_EINVAL with the place of what is wrong. The caller frees out with mr_attachments_fini. */
enum mr_code mr_attachments_read(json_t *data, struct mr_attachments *out, struct mr_err *err);
void mr_attachments_fini(struct mr_attachments *attachments);
/* How many are inline. */
unsigned mr_attachments_inline(const struct mr_attachments *attachments);

/* Appends one as a part of a message, which may not grow beyond max_size bytes. fetch may be NULL: then no key can be served. */
enum mr_code mr_attachment_add(struct mr_buf *out, const struct mr_attachment *attachment,
                               mr_mail_fetch_fn *fetch, void *arg, uint64_t max_size,
                               struct mr_err *err);

#endif
