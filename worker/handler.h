/*
 * The handler ABI: all that worker and jobs know of each other. A handler sees a borrowed job and
 * answers it exactly once; it never touches the queue, a lease or a retry.
 */
#ifndef MR_WORKER_HANDLER_H
#define MR_WORKER_HANDLER_H

#include "proto/base/err.h"
#include "proto/outcome.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MR_HANDLER_ABI 1u

/* Flags of a handler. */
#define MR_CRASH_PRONE 1u /* runs alone in its process, whatever the pool's concurrency */
#define MR_PATTERN                                                                             \
    2u /* name is not one job's: serves every job whose configuration names it (jobs.X.handler) */

struct mr_host; /* the worker process, as a module sees it */
struct mr_job;  /* one delivery, borrowed until it is finished */
struct uv_loop_s;

struct mr_handler {
    unsigned abi; /* MR_HANDLER_ABI */
    size_t size;  /* sizeof(struct mr_handler) as compiled: room to grow */
    uint32_t flags;
    const char *name; /* "email.send" */
    /* Once per process, before the first job; NULL if there is nothing to open. close gets what open gave. */
    enum mr_code (*open)(struct mr_host *host, void **out_state, struct mr_err *err);
    void (*close)(void *state);
    /* One of the two. start: on the loop, must not block, answers later by mr_job_finish(job, outcome). */
    void (*start)(void *state, struct mr_job *job);
    /* run: on a thread, may block, looks at mr_job_cancelled(job) wherever it waits. */
    struct mr_outcome (*run)(void *state, struct mr_job *job);
    /* start only: the deadline or a shutdown; at most once, never after finish; then finish as usual. */
    void (*cancel)(void *state, struct mr_job *job);
};

/* What a module exports: its handlers, NULL-ended. Visible also under -fvisibility=hidden. */
extern __attribute__((visibility("default"))) const struct mr_handler *const mr_handlers[];

/* ---- the host ---- */

struct uv_loop_s *
mr_host_loop(struct mr_host *host); /* only for start handlers, on the loop's thread */
/* A section of the configuration ("email", "jobs"), checked and resolved; borrowed; NULL when there is none. */
json_t *mr_host_config(struct mr_host *host, const char *section);
/* level: 0 error, 1 warn, 2 info, 3 debug. One line, printf-like. No payload, no secret. Any thread. */
void mr_host_log(struct mr_host *host, int level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds n to the module's counter, shown as millrace_handler_events_total{event}. Any thread. name is [a-z_]+, at most 32 names a process. */
void mr_host_counter(struct mr_host *host, const char *name, uint64_t n);
/*
 * Adds n, which may be negative, to what is so just now (circuits that are open), shown as millrace_handler_gauge{gauge}, summed over
 * the living workers. Any thread. name as above, at most 16 names a process.
 */
void mr_host_gauge(struct mr_host *host, const char *name, int64_t n);
/*
 * One thing per process that several handlers share (an HTTP client): the first caller opens it, all get the same
 * pointer, close runs at the end of the process. open may be called on the loop's thread only.
 */
enum mr_code mr_host_share(struct mr_host *host, const char *name,
                           enum mr_code (*open)(struct mr_host *host, void **out,
                                                struct mr_err *err),
                           void (*close)(void *shared), void **out, struct mr_err *err);

/* ---- the job: borrowed until finish, read-only; strings are NUL-ended borrows ---- */

const char *mr_job_name(const struct mr_job *job);
const char *mr_job_uuid(
    const struct mr_job
        *job); /* the producer's; "" when it gave none: then the job has no lasting name */
const char *mr_job_queue(const struct mr_job *job);
unsigned mr_job_attempt(const struct mr_job *job);   /* from 1 */
unsigned mr_job_max_tries(const struct mr_job *job); /* 0: unlimited */
/* `data`, parsed at the first call, borrowed; NULL and err when it is not what jansson takes. Not from two threads at once. */
json_t *mr_job_data(struct mr_job *job, struct mr_err *err);
const char *mr_job_raw(const struct mr_job *job,
                       size_t *out_len); /* the whole envelope's bytes */
/* The bytes of `data` as they were pushed; "null" when there is none. */
const char *mr_job_data_raw(const struct mr_job *job, size_t *out_len);
uint64_t
mr_job_deadline_ms(const struct mr_job *job); /* on the monotonic clock; UINT64_MAX when none */
/* From cancel to the moment when the job counts as stuck and its process is replaced. */
uint64_t mr_job_grace_ms(const struct mr_job *job);
const char *mr_job_traceparent(const struct mr_job *job); /* "" when none */
struct mr_host *mr_job_host(struct mr_job *job);
void mr_job_set(struct mr_job *job, void *own); /* a pointer the handler keeps with the job */
void *mr_job_get(const struct mr_job *job);
/* What services note of a job for each other while this attempt lasts: bits, once set they stay. Any thread. */
#define MR_JOB_WROTE 1u /* it changed the database: what it reads from now on must show that */
/*
 * From here on a remote side may do, or have done, what must not be done twice. Set it before the last byte leaves: should the process die
 * before the job is settled, mr_job_in_doubt tells the next delivery.
 */
#define MR_JOB_HANDED 2u
void mr_job_mark(struct mr_job *job, uint32_t marks);
uint32_t mr_job_marks(const struct mr_job *job);
/*
 * Whether an earlier delivery of this job was cut off behind MR_JOB_HANDED, or somewhere that nobody knows (its host is gone). Until somebody
 * takes the job out of the dead letters again.
 */
bool mr_job_in_doubt(const struct mr_job *job);
/* For the live view: how far it is, 0..100; how many of its own units (rows, mails) it has done. Any thread. */
void mr_job_progress(struct mr_job *job, unsigned pct);
void mr_job_progress_count(struct mr_job *job, uint64_t done);
/* One line of the log with the job's name and uuid; level as mr_host_log. */
void mr_job_log(struct mr_job *job, int level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/*
 * start handlers: what the loop does from here on is this job's doing, so that a crash is blamed on the right one. Call
 * it first in each callback of yours; it ends with mr_job_finish, or with mr_job_leave where the job goes on.
 * Around start and cancel the worker does it itself.
 */
void mr_job_enter(struct mr_job *job);
void mr_job_leave(struct mr_job *job);
/*
 * A job of the handler's own. Members that are 0 are not said: then the rules of the pool hold that serves it.
 */
struct mr_push {
    const char *queue; /* NULL: the queue this job came from */
    const char *job;   /* "email.send" */
    json_t *data;      /* borrowed for the call; NULL: null */
    const char *
        name; /* "mail": its uuid is this job's uuid (made legal where it is not), a dot and the name, so that a repeat of this job pushes the same */
    const char *
        uuid; /* instead of name: [A-Za-z0-9_.-]{1,100}; without either, or where this job has no uuid, a new one is made */
    uint64_t delay_ms; /* from now */
    int64_t tries, timeout_s;
};
/*
 * Puts a job on a queue when, and only when, this job's outcome is done: before this job itself is settled. It may be
 * put there twice under the same uuid (after a crash or a lost connection), but never lost; with any other outcome
 * it is forgotten. Composed at once, so MR_EINVAL (a bad name, data over the limits, more than 1,000 of them) is
 * known before the job ends. On the thread that works for the job, before it finishes.
 */
enum mr_code mr_job_push(struct mr_job *job, const struct mr_push *push, struct mr_err *err);
bool mr_job_cancelled(const struct mr_job *job); /* run handlers: time to stop. Any thread */
/* start handlers: the answer; takes the outcome. On the loop's thread, exactly once; may be called inside start. */
void mr_job_finish(struct mr_job *job, struct mr_outcome outcome);

#endif
