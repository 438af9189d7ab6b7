/* What the end of a worker process means, and how long its slot waits before the next. Pure. */
#ifndef MR_DISPATCHER_ENDING_H
#define MR_DISPATCHER_ENDING_H

#include <stdbool.h>
#include <stdint.h>

/* What workers exit with: 0 left as told. */
#define MR_EXIT_RECYCLE 75
#define MR_EXIT_FENCED 76
#define MR_EXIT_CONFIG 78

enum mr_ending {
    MR_ENDING_CLEAN,    /* left as told, or with nothing begun */
    MR_ENDING_RECYCLED, /* enough jobs, age or memory */
    MR_ENDING_FENCED,   /* had lost its lease */
    MR_ENDING_CRASHED,
    MR_ENDING_KILLED, /* by us: a deadline passed */
    MR_ENDING_FAILED, /* died before it was ready */
    MR_ENDING_CONFIG, /* says that only a person can change it */
    MR_ENDINGS
};

struct mr_exit {
    int status;        /* as of waitpid */
    bool served;       /* had said that it is ready */
    bool asked;        /* had been told to stop */
    bool killed_by_us; /* SIGKILL by a deadline of ours */
};

enum mr_ending mr_ending_of(const struct mr_exit *its);
const char *mr_ending_name(enum mr_ending ending); /* "crashed" */

/*
 * How long until the slot tries again after that many deaths in a row without anything done (from 1): 100 ms doubling to 30 s,
 * up to half of it taken off by roll, uniform; at least 30 s where the configuration is at fault.
 */
uint64_t mr_ending_wait_ms(enum mr_ending ending, unsigned failures, uint32_t roll);

#endif
