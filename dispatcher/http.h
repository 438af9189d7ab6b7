/* The HTTP server under the dispatcher's loop: a unix socket and, when asked, TCP (libmicrohttpd under uv_poll). */
#ifndef MR_DISPATCHER_HTTP_H
#define MR_DISPATCHER_HTTP_H

#include "proto/base/err.h"

struct mr_dispatcher;
struct mr_http;

/* Listens as the configuration says. MR_EBUSY: the port or socket is in use; MR_EINVAL: refused address (off loopback without token). */
enum mr_code mr_http_start(struct mr_dispatcher *dispatcher, struct mr_http **out,
                           struct mr_err *err);
void mr_http_stop(struct mr_http *http, void (*on_stopped)(void *arg), void *arg);

#endif
