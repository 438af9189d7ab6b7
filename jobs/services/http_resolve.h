/*
 * Names to addresses, on a few threads of its own: libuv's are too few to be held by a name server that hangs, since Redis is found by
 * them as well, and the loop could not end before they do; curl's own would make it wait in the middle.
 */
#ifndef MR_JOBS_SERVICES_HTTP_RESOLVE_H
#define MR_JOBS_SERVICES_HTTP_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

enum { MR_HTTP_ADDRESSES = 8 }; /* of one name; what comes behind them is never called */

struct mr_http_addresses {
    unsigned n;
    struct sockaddr_storage at[MR_HTTP_ADDRESSES];
};

struct mr_http_resolver;

/* As getaddrinfo(3); a test passes its own, which runs on several threads. */
typedef int mr_http_getaddrinfo_fn(const char *node, const char *service,
                                   const struct addrinfo *hints, struct addrinfo **out);
/* On the loop's thread. found is borrowed and has one at least, unless status is an EAI_... */
typedef void mr_http_resolved_fn(void *arg, int status, const struct mr_http_addresses *found);

struct mr_http_resolver *mr_http_resolver_new(uv_loop_t *loop, mr_http_getaddrinfo_fn *ask);
/* Does not wait for a thread that hangs: what it finds is thrown away. No callback comes after this. */
void mr_http_resolver_close(struct mr_http_resolver *resolver);

/* done comes once, later; nothing bounds the time. host is copied. On the loop's thread. */
void mr_http_resolve(struct mr_http_resolver *resolver, const char *host,
                     mr_http_resolved_fn *done, void *arg);

/* Whether host is an address in itself, in any of the forms that connecting would understand. Asks nobody. */
bool mr_http_resolve_numeric(const char *host, struct mr_http_addresses *out);
bool mr_http_addresses_equal(const struct mr_http_addresses *a,
                             const struct mr_http_addresses *b);

#endif
