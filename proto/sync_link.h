/* One blocking connection to one Redis, for programs without a loop. Never repeats a command by itself. */
#ifndef MR_PROTO_SYNC_LINK_H
#define MR_PROTO_SYNC_LINK_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <hiredis/hiredis.h>

struct mr_sync_link;

/* Strings are borrowed until mr_sync_link_new returns. */
struct mr_sync_link_options {
    const char *url;                 /* as mr_redis_url_parse takes it */
    const char *username, *password; /* win over the url's; NULL when none */
    const char *name;                /* CLIENT SETNAME; NULL for none */
    unsigned connect_timeout_ms, reply_timeout_ms;
};

/* Does not connect yet. A bad url is MR_EINVAL with the reason. */
enum mr_code mr_sync_link_new(const struct mr_sync_link_options *options,
                              struct mr_sync_link **out, struct mr_err *err);
void mr_sync_link_free(struct mr_sync_link *link);

/*
 * Writes the n commands that request holds in RESP and waits for their n answers, which are the caller's to free; an
 * answer may be an error of Redis. Connects first where needed. MR_EDOWN, or MR_EREFUSED where Redis does not let us
 * in: nothing was sent. MR_EUNKNOWN: the connection was lost on the way, and no answer is given.
 */
enum mr_code mr_sync_link_ask(struct mr_sync_link *link, const struct mr_buf *request, size_t n,
                              redisReply **answers, struct mr_err *err);

/* Ends the connection; the next question opens another. */
void mr_sync_link_drop(struct mr_sync_link *link);

#endif
