/* One worker process: its argv, environment and fds, the words on its pulse, and its end. */
#ifndef MR_DISPATCHER_SPAWN_H
#define MR_DISPATCHER_SPAWN_H

#include "dispatcher/child.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct mr_spawn;

/* Everything is borrowed for the call. */
struct mr_spawn_plan {
    const char *program;
    const char *pool, *worker;
    struct mr_bytes
        config; /* resolved, with secrets: goes down by fd, never by argv or environment */
    int page_fd;
    int nice;
    bool one_by_one; /* one job at a time, until it has ended one */
};

struct mr_spawn_events {
    void (*on_word)(void *arg, char word);  /* of the pulse: 'r', 'd', 'h' */
    void (*on_exit)(void *arg, int status); /* as of waitpid; once */
    void *arg;
};

/* Runs the program in a session of its own. MR_EIO with the system's reason: nothing was started. */
enum mr_code mr_spawn_start(uv_loop_t *loop, const struct mr_spawn_plan *spawn,
                            const struct mr_spawn_events *events, struct mr_spawn **out,
                            struct mr_err *err);
pid_t mr_spawn_pid(const struct mr_spawn *process);
/* Asks it to stop: 'q' on the pulse and SIGTERM, to the worker alone: what it started is its own to stop. */
void mr_spawn_ask_to_stop(struct mr_spawn *process);
/* 'c', uuid, newline on the pulse. False when the uuid has no place there (over 200 bytes, a control byte) or the pulse is full. */
bool mr_spawn_cancel(struct mr_spawn *process, const char *uuid);
/* No event comes any more; freed when its handles have closed. A process that still runs is left to itself. NULL is accepted. */
void mr_spawn_free(struct mr_spawn *process);

/* Where the worker program is: configured (may be NULL), beside us, in the build tree, or installed. The caller frees out. */
enum mr_code mr_spawn_find_worker(const char *configured, char **out, struct mr_err *err);

#endif
