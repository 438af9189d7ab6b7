/* Asks Redis how much every queue holds, when somebody wants to know and at most twice a second. */
#ifndef MR_DISPATCHER_SIZES_H
#define MR_DISPATCHER_SIZES_H

struct mr_dispatcher;
struct mr_sizes;

/* dispatcher is borrowed; the answers go into its table of queues. */
struct mr_sizes *mr_sizes_new(struct mr_dispatcher *dispatcher);

/*
 * done runs once: at once when the numbers are fresh, else when Redis has answered for every queue. What it did not
 * answer stands as -1. Many that ask at the same time share one round of questions.
 */
void mr_sizes_ask(struct mr_sizes *sizes, void (*done)(void *arg), void *arg);

/* Somebody changed something: the next who asks gets new numbers, however fresh the old ones are. */
void mr_sizes_expire(struct mr_sizes *sizes);

/* No further question; those who wait are answered when the last reply is in, and then it is gone. */
void mr_sizes_free(struct mr_sizes *sizes);

#endif
