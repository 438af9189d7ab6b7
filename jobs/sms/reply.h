/* What a provider's answer says of the message, and what that makes of the job. Pure. */
#ifndef MR_JOBS_SMS_REPLY_H
#define MR_JOBS_SMS_REPLY_H

#include "jobs/services/http_client.h"
#include "jobs/sms/message.h"
#include "proto/outcome.h"

/* In the order in which they speak for a message that several providers did not take: the later one counts. */
enum mr_reply_end {
    MR_REPLY_NONE,     /* nobody was asked */
    MR_REPLY_NOT_HERE, /* nothing sent, and this provider never will; another may */
    MR_REPLY_UNABLE,   /* nothing sent: it is not there, or not configured for us */
    MR_REPLY_LATER, /* nothing sent: it says when to come back, or we leave it alone till then */
    MR_REPLY_REFUSED, /* nothing sent, and nobody ever will */
    MR_REPLY_UNKNOWN, /* it may have been sent */
    MR_REPLY_SENT,
};

enum { MR_REPLY_ID = 128, MR_REPLY_CODE = 40, MR_REPLY_WORDS = 700 };

struct mr_reply {
    enum mr_reply_end end;
    int64_t after_ms;     /* LATER; -1: it does not say */
    char id[MR_REPLY_ID]; /* SENT: the provider's name for the message, "" when it has none */
    char code[MR_REPLY_CODE];   /* the provider's code of what was wrong, "" when it has none */
    char words[MR_REPLY_WORDS]; /* unless SENT, for a person: no number, no text, no secret */
};

/* Whom an answer came from, and what it was asked; strings are borrowed. */
struct mr_reply_context {
    const char *section; /* of its options, for people: "sms", "sms.providers.acme" */
    const struct mr_message *message;
    const char *sender; /* who it was sent from */
};

/* An answer of Twilio's shape. */
void mr_reply_read(const struct mr_http_answer *answer, const struct mr_reply_context *context,
                   struct mr_reply *out);

/* ---- for other shapes ---- */

void mr_reply_say(struct mr_reply *out, enum mr_reply_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Reads what is no whole answer; true if that was it. */
bool mr_reply_read_silence(const struct mr_http_answer *answer,
                           const struct mr_reply_context *context, struct mr_reply *out);
/* Reads the statuses that say the same in every API: busy, not let in, away. words are the answer's own. True if that was it. */
bool mr_reply_read_doorkeeper(const struct mr_http_answer *answer,
                              const struct mr_reply_context *context, const char *words,
                              struct mr_reply *out);
/* Appends a provider's words, cut, without the numbers and the text where they repeat them. */
void mr_reply_add_words(struct mr_buf *out, const char *said,
                        const struct mr_reply_context *context);

/* ---- the job ---- */

/* Whether another provider may be asked: it is sure that this one sent nothing. */
bool mr_reply_is_safe(const struct mr_reply *reply);

struct mr_reply_policy {
    bool named;    /* the request had a key, under which asking again sends nothing twice */
    bool hold;     /* what nobody knows is a person's affair */
    bool recorded; /* it stands in millrace_notifications */
    uint32_t roll; /* any uniform number: it scatters those that were told to wait */
};

/* What becomes of the job, the caller's. */
struct mr_outcome mr_reply_outcome(const struct mr_reply *reply,
                                   const struct mr_reply_policy *policy);

#endif
