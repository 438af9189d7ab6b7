/* Why a worker goes, and how: nothing new is taken, what runs may end, what is finished is settled. */
#ifndef MR_WORKER_LEAVE_H
#define MR_WORKER_LEAVE_H

struct mr_worker;

/* Each turn of a worker that is to go: ends what grace has run out for, and closes all when nothing is left to do. */
void mr_leave_if_over(struct mr_worker *worker);

#endif
