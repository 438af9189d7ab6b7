/* One message on its way: what is known of it, who is asked, who is asked next, and how the job ends. */
#ifndef MR_JOBS_SMS_SENDING_H
#define MR_JOBS_SMS_SENDING_H

struct mr_job;
struct mr_service;

/* As a handler's start and cancel: the job is finished, now or later. */
void mr_sending_start(struct mr_service *service, struct mr_job *job);
void mr_sending_cancel(struct mr_job *job);

#endif
