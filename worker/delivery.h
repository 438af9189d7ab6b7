/* One attempt at one job: an envelope in a place, from start to outcome. */
#ifndef MR_WORKER_DELIVERY_H
#define MR_WORKER_DELIVERY_H

#include "proto/base/list.h"
#include "proto/envelope.h"
#include "proto/outcome.h"
#include "proto/policy.h"
#include "proto/verdict.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mr_follow;
struct mr_handler;
struct mr_job;
struct mr_runner;

/* Where a job stands in Redis; it never moves while the lease lives. */
struct mr_address {
    unsigned queue; /* index in the pool's queues */
    unsigned k;     /* lease name */
    unsigned index; /* place in the lease */
};

/* Why a delivery was asked to stop; the first reason counts. */
enum mr_stop { MR_STOP_NONE, MR_STOP_DEADLINE, MR_STOP_RELEASE, MR_STOP_OPERATOR };

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
    const char *job_name;      /* NUL-ended, the registry's; NULL when nobody serves the job */
    unsigned job_row;          /* of the page */
    void *own;                 /* mr_job_set */
    char *uuid, *traceparent;  /* NUL-ended, made on first use */
    json_t *data;              /* likewise */
    struct mr_follow *follows; /* jobs to push when it is done, the newest first */
    unsigned n_follows;
    uint64_t started_us;
    uint64_t run_us;         /* known when it ended; 0 if it never ran */
    uint64_t deadline_at_ms; /* monotonic; UINT64_MAX: none */
    uint64_t due_ms;         /* deadline.c: when to look at it next */
    unsigned heap_slot;      /* deadline.c: 1.. while it waits there, else 0 */
    struct mr_list node;     /* threads.c: waiting for a thread, or done and not yet answered */
    struct mr_outcome outcome; /* threads.c: what run said */
    _Atomic bool cancelled;
    _Atomic uint32_t marks; /* mr_job_mark */
    enum mr_stop stop;
    bool cancel_called, finished, on_thread, alone, timed_out;
    bool starting; /* inside its handler's start */
};

/* A delivery is what a handler knows as a job. */
static inline struct mr_job *mr_delivery_job(struct mr_delivery *delivery)
{
    return (struct mr_job *)delivery;
}

static inline struct mr_delivery *mr_delivery_of(const struct mr_job *job)
{
    return (struct mr_delivery *)(uintptr_t)job;
}

/* A place's memory becomes a new delivery: runner and place stay, all else is as new. */
void mr_delivery_begin(struct mr_delivery *delivery, const struct mr_address *address,
                       void *owner);
/* Frees what it made for itself. */
void mr_delivery_end(struct mr_delivery *delivery);

/* NUL-ended borrows for handlers; "" when absent. Not from two threads at once. */
const char *mr_delivery_uuid(struct mr_delivery *delivery);
const char *mr_delivery_traceparent(struct mr_delivery *delivery);
json_t *mr_delivery_data(struct mr_delivery *delivery, struct mr_err *err);
/* From 1. */
unsigned mr_delivery_attempt(const struct mr_delivery *delivery);

#endif
