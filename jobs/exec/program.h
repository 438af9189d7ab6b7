/* What the configuration says of one job that runs a program, and what its exit status means. */
#ifndef MR_JOBS_EXEC_PROGRAM_H
#define MR_JOBS_EXEC_PROGRAM_H

#include "proto/base/err.h"
#include "proto/outcome.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct mr_program {
    char *job;   /* the job's name */
    char **argv; /* NULL-ended; the strings are the configuration's */
    const char *dir;
    const json_t *env;        /* object of strings, or NULL */
    const json_t *ok, *retry; /* lists of exit statuses; NULL: 0 alone; all others */
};

/* Borrows settings, jobs.NAME of the configuration. */
enum mr_code mr_program_init(struct mr_program *program, const char *job,
                             const json_t *settings, struct mr_err *err);
void mr_program_fini(struct mr_program *program);

/*
 * The environment of one attempt, owned by the caller (mr_program_free_env): a few variables of the worker's own (PATH,
 * HOME, ...), the configured ones, and MILLRACE_{JOB,UUID,ATTEMPT,QUEUE}. Nothing else: no secret leaks by inheritance.
 */
char **mr_program_env(const struct mr_program *program, const char *uuid, const char *queue,
                      unsigned attempt);
void mr_program_free_env(char **env);

/*
 * What an end means: an ok status is done; a retry status, or any other where retry is not configured, is a retry; the
 * rest is failed for good. Death by a signal is a retry. said: the end of its standard error.
 */
struct mr_outcome mr_program_outcome(const struct mr_program *program, int64_t status,
                                     int term_signal, const char *said);

#endif
