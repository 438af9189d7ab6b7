/* The sockets that the control API listens on. */
#ifndef MR_DISPATCHER_LISTEN_H
#define MR_DISPATCHER_LISTEN_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Where control.listen points: a plain value. */
struct mr_listen_address {
    char host[256]; /* as written, without brackets; "" for every address */
    struct sockaddr_storage at;
    socklen_t size;
    bool loopback;
};

/* "host:port", "[::1]:port" or ":port". Asks the resolver where host is a name. */
enum mr_code mr_listen_resolve(const char *text, struct mr_listen_address *out,
                               struct mr_err *err);

/* Gives a listening descriptor, the caller's, and the port that is really in use. MR_EBUSY: somebody else has it. */
enum mr_code mr_listen_tcp(const struct mr_listen_address *address, int *out_fd,
                           unsigned *out_port, struct mr_err *err);

/*
 * Binds path with mode 0600. The socket file of a process that is gone is replaced; MR_EBUSY: a living one answers there;
 * MR_EINVAL: too long, or something else stands there, which is left alone.
 */
enum mr_code mr_listen_unix(const char *path, int *out_fd, struct mr_err *err);

#endif
