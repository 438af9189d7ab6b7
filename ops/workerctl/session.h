/* One run of workerctl: what the command line said, and the way to the dispatcher. */
#ifndef MR_OPS_SESSION_H
#define MR_OPS_SESSION_H

#include "ops/workerctl/api_client.h"
#include "proto/config.h"

#include <stdbool.h>

/* The words of options; NULL where not given, "" for those without a value. Borrowed from argv. */
struct mr_options {
    const char *config, *socket, *url, *redis, *prefix, *output;
    const char *pause_for;
    const char *delay, *tries, *timeout, *backoff, *uuid, *lines;
    const char *job, *class, *all, *limit, *cursor;
    const char *dry_run;
    const char *id;
};

struct mr_session {
    struct mr_options options;
    struct mr_config *config; /* NULL until mr_session_config */
    char *socket;             /* found, owned */
};

void mr_session_fini(struct mr_session *session);

/* -o json was asked for. */
bool mr_session_wants_json(const struct mr_session *session);

/*
 * Reads the configuration of -c, $MILLRACE_CONFIG or the environment alone, once. On errors prints them and gives NULL:
 * the exit status is 78 then.
 */
const struct mr_config *mr_session_config(struct mr_session *session);

/*
 * Asks the dispatcher. 0 with the answer when it did it (2xx); else what the exit status shall be, the reason printed: 1 it said no,
 * 69 nobody answers, 78 the configuration that should name the socket is bad. out is the caller's to fini when 0.
 */
int mr_session_ask(struct mr_session *session, const struct mr_api_ask *ask,
                   struct mr_api_answer *out);

/* "workerctl: " and the line, on standard error; gives status. */
int mr_session_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
