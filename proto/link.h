/*
 * One connection to one Redis on a libuv loop: connects, authenticates, reconnects; never repeats a command by itself.
 * The process must ignore SIGPIPE: libuv writes to sockets that the other end may have closed.
 */
#ifndef MR_PROTO_LINK_H
#define MR_PROTO_LINK_H

#include "proto/base/err.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct mr_link;

/* All strings are borrowed until mr_link_new returns. */
struct mr_link_options {
    const char *
        url; /* redis://[user[:password]@]host[:port][/db], redis+unix:///path[?db=n], unix:/path */
    const char *username, *password; /* win over the url's; NULL when none */
    const char *name;                /* CLIENT SETNAME, for CLIENT LIST; NULL for none */
    uint64_t connect_timeout_ms;     /* resolve + connect + handshake; 0: none */
    /*
     * So long without any byte while a reply is owed: the connection is dropped; 0: never. A
     * connection that waits in BLMOVE needs more than it may block.
     */
    uint64_t reply_timeout_ms;
    bool want_client_id; /* ask CLIENT ID in the handshake */
};

/* All callbacks of a link come from the loop, never from inside a call of yours, and may call everything below. */
struct mr_link_events {
    void (*on_up)(
        void *arg); /* handshake answered: AUTH, SELECT, SETNAME. Nothing left before */
    /*
     * The connection is gone, or one more attempt to get one failed; every owed reply has come
     * as NULL before. Reconnecting goes on by itself, so this may come every two seconds: log
     * it at growing intervals. why is borrowed; its code says what kind: MR_EFAULT a person must
     * act (password, database), MR_EREFUSED the server is not ready yet (LOADING, full of
     * clients), MR_ETIMEDOUT silence, MR_EDOWN the rest.
     */
    void (*on_down)(void *arg, const struct mr_err *why);
    void *arg;
};

/* reply is borrowed and freed afterwards; NULL: the link was lost and nobody knows whether Redis did it. Exactly once. */
typedef void mr_reply_fn(void *arg, const redisReply *reply);

/* A bad url is MR_EINVAL with the reason (the password masked). Nothing connects before start. */
enum mr_code mr_link_new(uv_loop_t *loop, const struct mr_link_options *options,
                         const struct mr_link_events *events, struct mr_link **out,
                         struct mr_err *err);
void mr_link_start(struct mr_link *link);
/* Once. Drops the connection (owed replies come as NULL, on_down is not called), then frees the link; on_stopped (may be NULL) runs last; all that from the loop. */
void mr_link_stop(struct mr_link *link, void (*on_stopped)(void *arg), void *arg);

/*
 * Queues one command already in RESP (bytes are copied); it leaves at the end of this loop turn, in one write with its neighbours. fn may be
 * NULL for a reply nobody reads. MR_EDOWN when not up: then fn never runs.
 */
enum mr_code mr_link_send(struct mr_link *link, const char *resp, size_t len, mr_reply_fn *fn,
                          void *arg);
/* The same from words; lens may be NULL for NUL-ended ones. */
enum mr_code mr_link_command(struct mr_link *link, mr_reply_fn *fn, void *arg, int argc,
                             const char *const *argv, const size_t *lens);
void mr_link_flush(struct mr_link *link); /* writes now rather than at the end of the turn */
/* Drops the connection as if it had broken: down at once, NULL replies and on_down(why) at the turn's end; reconnects. Used when a reply shows the wrong server (READONLY). */
void mr_link_drop(struct mr_link *link, const char *why);
bool mr_link_is_up(const struct mr_link *link);
long long mr_link_client_id(const struct mr_link *link); /* 0 when not up or not asked */
uint64_t mr_link_reconnects(const struct mr_link *link); /* connections lost so far */
/* "host:port/db" or the socket's path, without credentials; borrowed. */
const char *mr_link_address(const struct mr_link *link);

#endif
