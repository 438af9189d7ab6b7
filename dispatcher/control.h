/* The routes by which an operator changes things: scale, pause, resume, cancel, drain, restart, reload. */
#ifndef MR_DISPATCHER_CONTROL_H
#define MR_DISPATCHER_CONTROL_H

struct mr_queue;
struct mr_request;

void mr_control_scale(struct mr_request *request);
void mr_control_pause(struct mr_request *request);
void mr_control_resume(struct mr_request *request);
void mr_control_cancel(struct mr_request *request);
void mr_control_drain(struct mr_request *request);
void mr_control_restart(struct mr_request *request);
void mr_control_reload(struct mr_request *request);

/* The queue that the path names; answers the request with 404 and gives NULL when nobody here knows it. */
struct mr_queue *mr_control_queue(struct mr_request *request);

#endif
