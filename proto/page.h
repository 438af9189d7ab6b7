/*
 * The shared page: what a worker is doing, written by it without a system call, read by its dispatcher at a
 * scrape and after a crash. A file on tmpfs that outlives both. The reader trusts nothing it finds.
 */
#ifndef MR_PROTO_PAGE_H
#define MR_PROTO_PAGE_H

#include "proto/base/err.h"
#include "proto/base/histogram.h"
#include "proto/base/uuid.h"
#include "proto/verdict.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MR_PAGE_MAGIC 0x6d696c6c72616365ull /* "millrace" */
#define MR_PAGE_VERSION 4u
#define MR_PAGE_JOBS 64    /* job names counted apart; row 0 is "other" */
#define MR_PAGE_VERDICTS 4 /* done, retry, release, dead: the order of mr_page_verdict */
#define MR_PAGE_RING 256
#define MR_PAGE_COUNTERS 32
#define MR_PAGE_GAUGES 16
#define MR_PAGE_NAME 64
#define MR_PAGE_RUN 48
#define MR_PAGE_UUID                                                                           \
    104 /* with its NUL: as long as a uuid of ours may be, "<uuid>.mail" and all */
#define MR_PAGE_BATCH 128 /* places of one lease, at most */
#define MR_PAGE_NOBODY UINT32_MAX
#define MR_PAGE_HANDED 2u /* MR_JOB_HANDED of worker/handler.h, as a place's mark */

enum mr_page_verdict { MR_PAGE_DONE, MR_PAGE_RETRY, MR_PAGE_RELEASE, MR_PAGE_DEAD };

enum mr_worker_state {
    MR_WORKER_STARTING,
    MR_WORKER_SERVING,
    MR_WORKER_DRAINING,
    MR_WORKER_LEFT
};

enum mr_place_state {
    MR_PLACE_FREE,
    MR_PLACE_PARSING,
    MR_PLACE_RUNNING,
    MR_PLACE_CANCELLED,
    MR_PLACE_WAITING, /* for a thread: its handler has not begun, so no death is its doing */
    MR_PLACE_STATES
};

/* What the sizes of the arrays follow from. */
struct mr_page_shape {
    uint32_t n_queues;  /* 1..64 */
    uint32_t n_names;   /* K: lease names per queue, 1..65536 */
    uint32_t n_places;  /* concurrency, 1..65536 */
    uint32_t n_threads; /* of run handlers; current[0] is the loop, then one each */
};

/* One concurrent delivery. The fields are written first, state last. */
struct mr_page_place {
    _Atomic uint32_t state;   /* enum mr_place_state */
    uint32_t queue, k, index; /* the job's address */
    uint32_t attempt;         /* from 1 */
    uint32_t
        timed_out; /* its deadline has passed: a death now is the deadline's, not a crash */
    uint64_t started_at_ms;  /* monotonic */
    uint64_t deadline_at_ms; /* monotonic; 0 none */
    _Atomic uint64_t progress_count;
    _Atomic uint32_t progress_pct;
    _Atomic uint32_t marks; /* MR_PAGE_HANDED */
    uint32_t job;           /* row of job_names */
    char uuid[MR_PAGE_UUID];
};

/* What of one lease is finished but not yet answered by Redis. A bit is set when the verdict stands, all vanish with n = 0. */
struct mr_page_lease {
    _Atomic uint32_t n; /* places; 0: this name is not in use */
    uint32_t unused;
    _Atomic uint64_t done[2];     /* verdict done */
    _Atomic uint64_t settling[2]; /* retry, release or dead: sent or about to be */
};

/* One finished job, newest overwrites oldest. seq is odd while the entry is being written (seqlock). */
struct mr_page_finished {
    _Atomic uint64_t seq;
    uint64_t at_ms; /* unix */
    uint64_t run_us;
    uint32_t queue, job, verdict, attempt;
    char uuid[40];
};

struct mr_page_header {
    uint64_t magic;
    uint32_t version;
    uint32_t pid; /* written by the worker */
    uint64_t size;
    struct mr_page_shape shape;
    char worker[MR_WORKER_MAX]; /* incarnation */
    char pool[104];
    _Atomic uint64_t
        renewed_at_ms; /* monotonic: when the last successful renewal was SENT; by whoever renewed */
    _Atomic uint64_t beat_ms;      /* monotonic: the loop turned; at least every lease/5 */
    _Atomic uint32_t fenced;       /* set by whoever learned it: no start, no fetch */
    _Atomic uint32_t state;        /* enum mr_worker_state */
    _Atomic uint32_t stuck;        /* a delivery ignores its deadline: replace me */
    _Atomic uint32_t crash_signal; /* set by the crash handler */
    _Atomic uint32_t crash_place;  /* the place of the thread that crashed, or MR_PAGE_NOBODY */
    _Atomic uint64_t fetched, started, finished, lease_lost, late_settles, empty_fetches, wakes;
    _Atomic uint64_t redis_reconnects;
    _Atomic uint32_t redis_up;
    /* The run of Redis that the leases below were compared with last: of another one their names may hold older batches. */
    char redis_run[MR_PAGE_RUN];
    _Atomic uint32_t n_jobs;
    char job_names[MR_PAGE_JOBS][MR_PAGE_NAME];
    char counter_names[MR_PAGE_COUNTERS][MR_PAGE_NAME];
    _Atomic uint64_t counters[MR_PAGE_COUNTERS];
    char gauge_names[MR_PAGE_GAUGES][MR_PAGE_NAME];
    _Atomic int64_t
        gauges[MR_PAGE_GAUGES]; /* what is so now: worth nothing once the worker is gone */
    struct mr_histogram run[MR_PAGE_JOBS];
    struct mr_page_finished ring[MR_PAGE_RING];
    _Atomic uint64_t ring_next;
};

/* A mapped page: pointers into it, checked against its size. Loops run over this shape, never over the header's: that one can be overwritten. */
struct mr_page {
    struct mr_page_header *header;
    struct mr_page_shape shape;
    struct mr_page_place *places; /* n_places */
    struct mr_page_lease *leases; /* n_queues * n_names, see mr_page_lease_of */
    _Atomic uint32_t *current;    /* 1 + n_threads: the place whose code that thread is in */
    _Atomic uint64_t *verdicts;   /* n_queues * MR_PAGE_JOBS * MR_PAGE_VERDICTS */
    struct mr_histogram *waits;   /* n_queues */
    char (*queue_names)[104];     /* n_queues */
    size_t size;
};

/* Bytes of a page of this shape; 0 when the shape is out of bounds. */
size_t mr_page_size(const struct mr_page_shape *shape);

/* Makes the file at path (0600, new, O_EXCL) and maps it; fd (close-on-exec) is the caller's. queues are names without prefix. */
enum mr_code mr_page_create(const char *path, const struct mr_page_shape *shape,
                            const char *worker, const char *pool, const char *const *queues,
                            struct mr_page *out, int *out_fd, struct mr_err *err);
/* An anonymous page for a worker that runs without a dispatcher. */
enum mr_code mr_page_create_private(const struct mr_page_shape *shape, const char *worker,
                                    const char *pool, const char *const *queues,
                                    struct mr_page *out, struct mr_err *err);
/* Maps an existing page; every size in it is checked. MR_EINVAL: nonsense, treat it as lost. */
enum mr_code mr_page_map(int fd, struct mr_page *out, struct mr_err *err);
void mr_page_unmap(struct mr_page *page);

/*
 * The worker holds the lock (flock) as long as it lives; taken by somebody else = it is dead. MR_EBUSY: it lives.
 * The lock belongs to the open file: the dispatcher takes it before spawn and the worker inherits it with the fd,
 * so that a dispatcher that comes later, opening the file anew, never finds a living worker's page unlocked.
 */
enum mr_code mr_page_lock(int fd, struct mr_err *err);

/* Both NULL when out of bounds. */
struct mr_page_lease *mr_page_lease_of(const struct mr_page *page, uint32_t queue, uint32_t k);
_Atomic uint64_t *mr_page_verdict_of(const struct mr_page *page, uint32_t queue, uint32_t job,
                                     enum mr_page_verdict verdict);
/* The row of a job's name, adding it if there is room; 0 ("other") else. For the worker only. */
uint32_t mr_page_job(struct mr_page *page, const char *name);
/* For readers: how many rows are filled, never above MR_PAGE_JOBS; a row's name, NUL-ended whatever stands there. */
uint32_t mr_page_n_jobs(const struct mr_page *page);
void mr_page_job_name(const struct mr_page *page, uint32_t row, char out[MR_PAGE_NAME]);

#endif
