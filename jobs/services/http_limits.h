/* How a peer is spared: how often it is asked, and when not at all. What a section of the configuration says of it. */
#ifndef MR_JOBS_SERVICES_HTTP_LIMITS_H
#define MR_JOBS_SERVICES_HTTP_LIMITS_H

#include "jobs/services/circuit.h"
#include "proto/base/rate.h"

#include <jansson.h>

struct mr_job;

/* A plain value; zero-initialised it bounds nothing. Bucket and circuit are the peer's, whoever asks it. */
struct mr_http_limits {
    const char *
        name; /* of the section, for logs and counters; lives as long as the process. NULL: not counted */
    struct mr_rate rate;
    uint64_t
        wait_ms; /* for a turn, before the exchange's own time begins; 0: as long as that */
    struct mr_circuit_rule circuit;
};

/* Reads {rate, wait_ms, circuit: {failures, share, least, window_ms, open_for_ms}} of a section that was checked; NULL gives no limits. */
void mr_http_limits_read(const json_t *section, const char *name, struct mr_http_limits *out);
/* The same limits, with a wait that leaves an exchange of timeout_ms its time before job's deadline. */
struct mr_http_limits mr_http_limits_within(const struct mr_http_limits *limits,
                                            uint64_t timeout_ms, const struct mr_job *job);

#endif
