/* The table of Redis errors: what each means for us. */
#ifndef MR_PROTO_REPLIES_H
#define MR_PROTO_REPLIES_H

#include "proto/base/err.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

enum mr_redis_action {
    MR_REDIS_OK,    /* no error at all */
    MR_REDIS_FENCE, /* no such key, index out of range, WRONGTYPE on a lease: the lease was lost */
    MR_REDIS_LOAD, /* NOSCRIPT: load the scripts, send again */
    MR_REDIS_RETRY, /* LOADING, BUSY, TRYAGAIN, CLUSTERDOWN, OOM, NOREPLICAS, MISCONF, max clients: later */
    MR_REDIS_RERESOLVE, /* READONLY, MASTERDOWN, MOVED, ASK, UNBLOCKED: this is not the server; drop the socket */
    MR_REDIS_STOP, /* NOAUTH, WRONGPASS, NOPERM, CROSSSLOT, unknown command: a person must act */
    MR_REDIS_UNKNOWN /* anything else, e.g. an error from inside a script: nobody knows how far it got */
};

struct mr_redis_verdict {
    enum mr_redis_action action;
    enum mr_code code; /* MR_OK, MR_EFENCED, MR_EREFUSED, MR_EFAULT, MR_EUNKNOWN */
    bool oom; /* refused because Redis is full: the scripts with allow-oom still work */
};

/* NULL (the link was lost) is MR_REDIS_UNKNOWN. */
struct mr_redis_verdict mr_replies_classify(const redisReply *reply);

#endif
