/* What the codes of Twilio's API mean for a message that was not taken. */
#ifndef MR_JOBS_SMS_TWILIO_CODES_H
#define MR_JOBS_SMS_TWILIO_CODES_H

#include "jobs/sms/reply.h"

struct mr_twilio_code {
    int code;
    enum mr_reply_end end;
    const char *meaning; /* for people, where Twilio's own words are none or hard to read */
};

/* NULL for a code that is not in the table. */
const struct mr_twilio_code *mr_twilio_code_find(long long code);

#endif
