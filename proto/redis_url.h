/* Where a Redis is and who asks it: one URL taken apart. */
#ifndef MR_PROTO_REDIS_URL_H
#define MR_PROTO_REDIS_URL_H

#include "proto/base/err.h"

/* Every string is owned and NUL-ended. Either path, or host and port, are there. */
struct mr_redis_url {
    char *path;                /* of a unix socket; NULL for TCP */
    char *host, *port;         /* the host without brackets; NULL for a unix socket */
    char *username, *password; /* percent-decoded; NULL when absent */
    unsigned db;
    char *address; /* for people: "host:port/db" or the path; never credentials */
};

/*
 * Understands redis://[user[:password]@]host[:port][/db][?db=n], the same with an IPv6 [address],
 * redis+unix://[user[:password]@]/path[?db=n] and unix:/path[?db=n]. MR_EINVAL with what is wrong
 * otherwise: the text never holds the URL's password. out is untouched on failure.
 */
enum mr_code mr_redis_url_parse(const char *text, struct mr_redis_url *out, struct mr_err *err);
void mr_redis_url_fini(struct mr_redis_url *url);

#endif
