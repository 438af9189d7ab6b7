/* The routes that retry and drop dead letters: one, some by their names, those that match, or all. */
#ifndef MR_DISPATCHER_DEAD_ACT_H
#define MR_DISPATCHER_DEAD_ACT_H

struct mr_request;

void mr_dead_retry(struct mr_request *request);
void mr_dead_drop(struct mr_request *request);

#endif
