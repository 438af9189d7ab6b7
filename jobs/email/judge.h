/* What a mail's dialogue came to: for the relay, and for each recipient. Pure. */
#ifndef MR_JOBS_EMAIL_JUDGE_H
#define MR_JOBS_EMAIL_JUDGE_H

#include "jobs/email/dialogue.h"

#include <curl/curl.h>

/* For the relay. What it means for each recipient stands with them. */
enum mr_smtp_end {
    MR_SMTP_ANSWERED, /* it has said yes or no */
    MR_SMTP_PUT_OFF, /* "not now" before it had the message: another relay may be asked at once */
    MR_SMTP_AWAY, /* not reached, not trusted, does not let us in, or gone before it had the message */
    MR_SMTP_STALE, /* the connection of an earlier mail was no longer one: nothing is known of the relay */
    MR_SMTP_STOPPED, /* by us, before it had the message */
    MR_SMTP_LOST     /* it may have taken the message: its answer is missing */
};

/* How the transfer itself ended. */
struct mr_smtp_facts {
    CURLcode result;
    const char *why; /* libcurl's words for result */
    bool reused;     /* over the line of an earlier mail */
    bool stopped;    /* we told libcurl to stop */
};

/*
 * Decides, writes every recipient's fate, and adds to reason what a person wants to know where not all is well. A server's words
 * may hold addresses: mr_mask_addresses before anybody reads them.
 */
enum mr_smtp_end mr_smtp_judge(struct mr_smtp_dialogue *d, const struct mr_smtp_facts *facts,
                               struct mr_buf *reason);

#endif
