/*
 * One attempt of a program: bytes on its standard input, its standard output thrown away, the end of its standard
 * error kept, and all of its process group gone when it is over. It stays in the worker's session, so that the
 * dispatcher can kill what a dead worker leaves behind.
 */
#ifndef MR_JOBS_EXEC_CHILD_H
#define MR_JOBS_EXEC_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define MR_CHILD_SAID                                                                          \
    900 /* bytes kept of standard error: with the words before it a reason of 1,000 */

struct mr_child_end {
    int spawn_error;  /* as libuv has it: it never ran; else 0 */
    int64_t status;   /* exit status */
    int term_signal;  /* that killed it, or 0 */
    const char *said; /* the end of its standard error, no blanks at its ends; borrowed */
};

struct mr_child_options {
    char **argv, **env;
    const char *dir; /* or NULL */
    const char *input;
    size_t n_input; /* borrowed until done */
    /* Exactly once, from the loop, never from inside mr_child_start. */
    void (*done)(void *arg, const struct mr_child_end *end);
    void *arg;
};

struct mr_child;

/* argv and env are copied by the kernel, input is borrowed until done. The child frees itself after done. */
struct mr_child *mr_child_start(uv_loop_t *loop, const struct mr_child_options *options);
/* Asks its whole group to end (SIGTERM), and kills it (SIGKILL) patience_ms later. done comes as ever. */
void mr_child_stop(struct mr_child *child, uint64_t patience_ms);

#endif
