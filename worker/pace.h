/* How many jobs to ask for: what can start at once, and what will start within about two milliseconds. Pure. */
#ifndef MR_WORKER_PACE_H
#define MR_WORKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define MR_PACE_BATCH 128            /* jobs of one lease, at most */
#define MR_PACE_BATCHES 2            /* leases fetched ahead, at most */
#define MR_PACE_BYTES (512u * 1024u) /* payload asked for at once, as far as the mean tells */
#define MR_PACE_AHEAD_US 2000u       /* a job is fetched at most so long before it starts */
#define MR_PACE_FIRST 16u /* jobs read at once while nothing is known of their size */

/* What has been seen of one queue's jobs; moving averages, 0 while nothing is known. */
struct mr_pace {
    uint32_t mean_ns; /* from start to outcome */
    uint32_t mean_bytes;
    bool
        on_loop; /* the last one ended inside its start: such jobs run one after the other, in however many places */
};

void mr_pace_ran(struct mr_pace *pace, uint64_t run_ns);
void mr_pace_sized(struct mr_pace *pace, uint64_t bytes);

/*
 * Jobs worth having beyond the free places, of a worker that runs `concurrency` at once: those that start within MR_PACE_AHEAD_US, and no
 * more than two leases full. 0 for a queue whose jobs take longer than that, or are not known yet: then priority stays strict, and idle
 * workers elsewhere get the jobs.
 */
unsigned mr_pace_ahead(const struct mr_pace *pace, unsigned concurrency);

/* The most to lease at once of jobs of this size. */
unsigned mr_pace_batch_max(const struct mr_pace *pace);

/* How many payloads to read in one step. */
unsigned mr_pace_read_step(const struct mr_pace *pace);

#endif
