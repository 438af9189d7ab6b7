/*
 * libmillrace: puts jobs on millrace's queues.
 *
 *     struct millrace *queue = millrace_open(NULL, error, sizeof(error));
 *     struct millrace_job job = {.job = "email.send", .data = "{\"to\":\"ann@example.org\"}"};
 *     if (millrace_push(queue, "default", &job, NULL) != MILLRACE_OK)
 *         fprintf(stderr, "%s\n", millrace_error(queue));
 *     millrace_close(queue);
 *
 * Calls block until Redis has answered. A client belongs to one thread at a time. Memory that is not there ends
 * the process.
 */
#ifndef MILLRACE_H
#define MILLRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MILLRACE_UUID_SIZE 101 /* with the NUL; uuids made here have 36 letters */
#define MILLRACE_UNLIMITED (-1)

enum millrace_result {
    MILLRACE_OK = 0,
    MILLRACE_INVALID, /* no worker could run it as given; it was not sent */
    MILLRACE_REFUSED, /* Redis said no (full, loading, no permission) and did nothing */
    MILLRACE_DOWN,    /* no connection; it was not sent */
    MILLRACE_UNKNOWN  /* the connection was lost on the way: it may have been pushed, or not */
};

/* NULL and 0 mean the default, in every member. Strings are borrowed until millrace_open returns. */
struct millrace_options {
    /* redis://[user[:password]@]host[:port][/db] or redis+unix:///path[?db=n]; default: MILLRACE_REDIS_URL of the
     * environment, else redis://127.0.0.1:6379/0 */
    const char *url;
    const char *prefix;   /* before every key; default: MILLRACE_REDIS_PREFIX, else none */
    const char *username; /* wins over the url's; default: MILLRACE_REDIS_USERNAME */
    const char *password; /* wins over the url's; default: MILLRACE_REDIS_PASSWORD */
    const char *name;     /* as CLIENT LIST shows it; default: libmillrace */
    unsigned connect_timeout_ms; /* 5,000 */
    unsigned reply_timeout_ms;   /* 10,000 */
    uint64_t payload_bytes;      /* the workers' limits.payload; 8 MiB */
};

/* One job. NULL and 0 mean that nothing is said, and the pool's configuration decides. Strings are borrowed. */
struct millrace_job {
    const char *job;  /* the handler's name: [A-Za-z0-9_.\@-]{1,200}; needed */
    const char *data; /* any JSON value as text, handed to the handler as it is; NULL: null */
    const char *uuid; /* [A-Za-z0-9_.-]{1,100}; NULL: one is made */
    double delay_s;   /* not before so many seconds from now */
    int64_t tries;    /* attempts at most; MILLRACE_UNLIMITED */
    int64_t max_exceptions;    /* dead at the so many-th failure, whatever tries says */
    int64_t timeout_s;         /* deadline of one attempt; MILLRACE_UNLIMITED */
    int64_t retry_until_s;     /* unix time: tried until then, whatever tries says */
    double expires_at_s;       /* unix time: not started any more after it */
    int fail_on_timeout;       /* 1: an attempt over its deadline is the last */
    const uint32_t *backoff_s; /* waits between attempts: the n-th, then the last for ever */
    unsigned n_backoff;        /* 32 at most */
    unsigned n_tags;
    const char *const *tags;
    const char *traceparent; /* W3C trace context */
    const void *reserved[4]; /* NULL */
};

struct millrace;

/*
 * A client; it connects at the first push, and again after a loss. options may be NULL. NULL when the url cannot be
 * understood: error (of size bytes, NULL is allowed) says why.
 */
struct millrace *millrace_open(const struct millrace_options *options, char *error,
                               size_t size);
/* NULL is accepted. */
void millrace_close(struct millrace *client);

/* Pushes one job. out_uuid (NULL is allowed) gets its uuid on MILLRACE_OK and MILLRACE_UNKNOWN. */
enum millrace_result millrace_push(struct millrace *client, const char *queue,
                                   const struct millrace_job *job,
                                   char out_uuid[MILLRACE_UUID_SIZE]);

/*
 * Pushes n jobs in their order, some hundred at a time. *out_pushed (NULL is allowed) jobs of the beginning are
 * certainly in Redis; unless the answer is MILLRACE_OK, jobs[*out_pushed] is the first that met the trouble, and none
 * behind it was sent, but that after MILLRACE_UNKNOWN those sent with it (up to 500) are as unknown as it is.
 * out_uuids (NULL is allowed) gets n uuids, of which those of jobs that were not composed are empty.
 */
enum millrace_result millrace_push_many(struct millrace *client, const char *queue,
                                        const struct millrace_job *jobs, size_t n,
                                        char (*out_uuids)[MILLRACE_UUID_SIZE],
                                        size_t *out_pushed);

/* Pushes a payload as it is, of whatever shape: nothing is checked but that it is not empty. */
enum millrace_result millrace_push_raw(struct millrace *client, const char *queue,
                                       const void *payload, size_t len, double delay_s);

/* What the last call that failed has to say, one line; "" when none has. Borrowed until the next call. */
const char *millrace_error(const struct millrace *client);
/* "ok", "invalid", "refused", "down", "unknown". */
const char *millrace_result_name(enum millrace_result result);

#ifdef __cplusplus
}
#endif

#endif
