/* fd 3, the pulse: told to drain, told to cancel, left alone. */
#ifndef MR_WORKER_PARENT_H
#define MR_WORKER_PARENT_H

#include <stdbool.h>
#include <uv.h>

struct mr_parent_events {
    void (*on_drain)(void *arg);
    void (*on_cancel)(void *arg, const char *uuid);
    void (*on_gone)(void *arg); /* end of file: the dispatcher died. Once */
    void *arg;
};

/* Memory the caller holds; opaque in use. */
struct mr_parent {
    uv_pipe_t pipe;
    struct mr_parent_events events;
    char line[64];
    unsigned n_line;
    bool open, gone;
};

/* Takes fd (3). On an error it is as if the parent had gone: on_gone comes later, from the loop. */
void mr_parent_start(struct mr_parent *parent, uv_loop_t *loop, int fd,
                     const struct mr_parent_events *events);
/* 'r' ready, 'd' draining, 'h' a stuck job. Best effort, never blocks. */
void mr_parent_say(struct mr_parent *parent, char word);
void mr_parent_stop(struct mr_parent *parent);

#endif
