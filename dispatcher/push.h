/* The route that enqueues jobs: one, or an array of them. */
#ifndef MR_DISPATCHER_PUSH_H
#define MR_DISPATCHER_PUSH_H

struct mr_request;

void mr_push_jobs(struct mr_request *request);

#endif
