/* One attempt at one job: an envelope in a place, from start to outcome. */
#ifndef MR_WORKER_DELIVERY_H
#define MR_WORKER_DELIVERY_H

#include "proto/envelope.h"
#include "proto/policy.h"
#include "proto/verdict.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mr_handler;
struct mr_runner;

/* Where a job stands in Redis; it never moves while the lease lives. */
struct mr_address {
    unsigned queue; /* index in the pool's queues */
    unsigned k;     /* lease name */
    unsigned index; /* place in the lease */
};

struct mr_delivery {
    struct mr_address address;
    struct mr_envelope envelope; /* empty (raw only) when the bytes could not be scanned */
    struct mr_policy policy;
    struct mr_attempt attempt;
    void *owner; /* the data side's item, given at start */
    /* the rest belongs to the run side */
    struct mr_runner *runner;
    unsigned place;
    const struct mr_handler *handler;
    void *handler_state;
    void *own;                           /* mr_job_set */
    char *job_name, *uuid, *traceparent; /* NUL-ended, made on first use */
    json_t *data;
    uint64_t started_us;
    uint64_t run_us; /* known when it ended */
    uint64_t deadline_at_ms;
    unsigned job_row; /* of the page */
    _Atomic bool cancelled;
    bool cancel_called, finished, on_thread, alone, timed_out;
};

#endif
