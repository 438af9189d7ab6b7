/* Looks through Redis for leases of workers that nobody knows: jobs that wait for the dispatchers' hourly look. */
#ifndef MR_OPS_STRAYS_H
#define MR_OPS_STRAYS_H

#include "proto/base/err.h"
#include "proto/sync_link.h"

/*
 * Walks all keys under prefix and changes nothing. out_leases is how many lease lists belong to a worker that stands neither
 * among the living nor among the reaped.
 */
enum mr_code mr_strays_count(struct mr_sync_link *link, const char *prefix,
                             unsigned long *out_leases, struct mr_err *err);

#endif
