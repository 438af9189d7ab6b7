/* What the provider's reply makes of the job: sent, refused for good, not now, or nobody knows. */
#ifndef MR_JOBS_SMS_REPLY_H
#define MR_JOBS_SMS_REPLY_H

#include "jobs/services/http_client.h"
#include "jobs/sms/message.h"
#include "proto/outcome.h"

#define MR_REPLY_SID 64

/*
 * The outcome, the caller's. named: the request had a key, so that sending it again sends nothing twice. roll is any uniform 32-bit number: it
 * scatters those that the provider told to wait. out_sid gets the provider's name for the message, "" when it gave none. The
 * provider's words become the reason, without the numbers and the text where they repeat them.
 */
struct mr_outcome mr_reply_judge(const struct mr_http_answer *answer,
                                 const struct mr_message *message, bool named, uint32_t roll,
                                 char out_sid[MR_REPLY_SID]);

#endif
