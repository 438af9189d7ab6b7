/*
 * Which addresses a job may call when the url came with it: public ones, and those that the configuration allows. Pure:
 * whoever calls looks the name up once, asks here about every address, and connects to those and to no others.
 */
#ifndef MR_JOBS_SERVICES_HTTP_GUARD_H
#define MR_JOBS_SERVICES_HTTP_GUARD_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

/* A block of addresses. IPv4 stands as IPv6 writes it: ::ffff:10.0.0.0, with 96 bits more. */
struct mr_http_block {
    uint8_t bytes[16];
    unsigned bits;
};

/* "10.1.0.0/16", "::1", "fd00::/8". MR_EINVAL for anything else, bits beyond the prefix included. */
enum mr_code mr_http_block_parse(const char *text, struct mr_http_block *out,
                                 struct mr_err *err);

/*
 * Public, or in one of the blocks of allow (as text, NULL-ended, or NULL; what does not parse allows nothing). An IPv4
 * address inside of an IPv6 one is judged as what it is.
 */
bool mr_http_may_call(const struct sockaddr *address, const char *const *allow);

#endif
