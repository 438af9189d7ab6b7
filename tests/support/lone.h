/*
 * One worker behind a bad network, alone: no dispatcher sees it, so nobody but itself can put things right. Its queue is "main".
 */
#ifndef MR_TESTS_LONE_H
#define MR_TESTS_LONE_H

#include "tests/support/mill.h"
#include "tests/support/proxy.h"

/* Configurations for one to four jobs at once. A dispatcher of theirs starts no worker: it only moves what is due. */
extern const char mr_lone_four[], mr_lone_one[];
/* "job-1": nothing runs beside a job that has crashed before, so it stays in its lease, unstarted. */
extern const char mr_lone_waits_alone[];

enum { MR_LONE_PATIENCE_MS = 10000 };

struct mr_lone {
    struct mr_mill mill;
    struct mr_proxy proxy;
};

void mr_lone_begin(struct mr_lone *lone, const char *yaml);
/* The worker joins, and faults from now on concern its main connection alone. */
void mr_lone_work(struct mr_lone *lone);
void mr_lone_end(struct mr_lone *lone);

/* RPUSH of n jobs from job-<from> on. */
void mr_lone_push(struct mr_lone *lone, unsigned from, unsigned n, unsigned ms, unsigned fail);
/* Waits until nothing is left; then each of job-0..job-<n-1> has ended so often. */
void mr_lone_expect_ends(struct mr_lone *lone, unsigned n, unsigned least, unsigned most);
/* Connections that clients of the proxy have made in all. */
unsigned mr_lone_connections(struct mr_lone *lone);

#endif
