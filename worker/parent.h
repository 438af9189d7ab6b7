/* fd 3, the pulse: told to drain, told to cancel, left alone. */
#ifndef MR_WORKER_PARENT_H
#define MR_WORKER_PARENT_H

#include <stdbool.h>
#include <uv.h>

#define MR_PARENT_WORD_MAX 256 /* the longest uuid that can be named, with its end */

struct mr_parent_events {
    void (*on_drain)(void *arg);
    void (*on_cancel)(void *arg, const char *uuid);
    void (*on_gone)(void *arg); /* end of file: the dispatcher died. Once */
    void *arg;
};

/*
 * Memory the caller holds until the loop has closed it; opaque in use. What the dispatcher says: 'q' drain; 'c', a
 * uuid, newline: cancel that job. A newline between words is passed over, and so is what we do not know.
 */
struct mr_parent {
    uv_pipe_t pipe;
    uv_timer_t late; /* tells of a pulse that never was */
    struct mr_parent_events events;
    char room[512];
    char uuid[MR_PARENT_WORD_MAX];
    unsigned n_uuid;
    bool in_cancel; /* between 'c' and its newline */
    bool gone, stopped;
};

/* Takes fd (3). On an error it is as if the parent had gone: on_gone comes later, from the loop. */
void mr_parent_start(struct mr_parent *parent, uv_loop_t *loop, int fd,
                     const struct mr_parent_events *events);
/* 'r' ready, 'd' draining, 'h' a stuck job. Best effort, never blocks. */
void mr_parent_say(struct mr_parent *parent, char word);
/* No event comes after it. */
void mr_parent_stop(struct mr_parent *parent);

#endif
