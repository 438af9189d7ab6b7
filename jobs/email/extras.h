/* Headers that a job may ask for beside those every mail has: of its own, priority, unsubscribing, the thread it belongs to. */
#ifndef MR_JOBS_EMAIL_EXTRAS_H
#define MR_JOBS_EMAIL_EXTRAS_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>

/*
 * Gives each line, folded and without its end, to add. Reads data.headers {name: value}, priority ("high", "normal", "low"),
 * list_unsubscribe (RFC 2369, RFC 8058), in_reply_to and references. MR_EINVAL: what is wrong; a header that the mail has by other
 * members, or that belongs to the structure or the way of a mail, is refused.
 */
enum mr_code mr_mail_extras(json_t *data, void (*add)(void *arg, struct mr_buf *taken),
                            void *arg, struct mr_err *err);

#endif
