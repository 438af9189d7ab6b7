/* What a mail server has said of one mail, put together from the lines of its replies. Pure: knows no socket and no libcurl. */
#ifndef MR_JOBS_EMAIL_DIALOGUE_H
#define MR_JOBS_EMAIL_DIALOGUE_H

#include "proto/base/str.h"

#include <stdbool.h>

/* Whose reply comes next. Before MR_SMTP_MAIL the server speaks of itself and of us: greeting, EHLO, STARTTLS, AUTH. */
enum mr_smtp_stage {
    MR_SMTP_GREETING,
    MR_SMTP_MAIL,
    MR_SMTP_RCPT,
    MR_SMTP_DATA,
    MR_SMTP_BODY,   /* it wants the message, and has not got all of it */
    MR_SMTP_ANSWER, /* it may have all of it, and has not said what it makes of it */
    MR_SMTP_OVER    /* it has said no, or taken the mail */
};

enum { MR_SMTP_REPLY_MAX = 300 }; /* of a reply's text are kept so many bytes */

/* A reply, of however many lines: "550 5.1.1 no such user". code 0: there was none. */
struct mr_smtp_reply {
    int code;
    char text[MR_SMTP_REPLY_MAX + 1];
};

/* What becomes of one recipient; jobs/email/judge.h decides it. */
enum mr_smtp_fate {
    MR_SMTP_LATER,   /* nothing was done; it may be asked again */
    MR_SMTP_TAKEN,   /* the server answers for it from here on */
    MR_SMTP_REFUSED, /* nothing was done, and nothing ever will be */
    MR_SMTP_UNKNOWN  /* nobody knows */
};

struct mr_smtp_recipient {
    int code;   /* at RCPT; 0: not asked */
    char *said; /* the server's words, owned; NULL where it said yes */
    enum mr_smtp_fate fate;
};

struct mr_smtp_dialogue {
    enum mr_smtp_stage stage;
    enum mr_smtp_stage answered;          /* whose reply the last one was */
    struct mr_smtp_recipient *recipients; /* in the mail's order */
    unsigned n_recipients, n_asked;
    struct mr_smtp_reply last;     /* the last whole reply */
    struct mr_smtp_reply arriving; /* lines of the next one */
    size_t arriving_bytes;
    unsigned n_replies; /* whole ones */
    bool heard;         /* at least one whole reply to this mail's own commands */
    bool endless;       /* a reply went on and on */
};

/* For a mail to so many; the caller ends it with mr_smtp_dialogue_fini. */
void mr_smtp_dialogue_init(struct mr_smtp_dialogue *d, unsigned n_recipients);
void mr_smtp_dialogue_fini(struct mr_smtp_dialogue *d);

/* The server has let us in: what it says from here on is about the mail. */
void mr_smtp_dialogue_begin(struct mr_smtp_dialogue *d);
/* The next line of its side; false when the reply has become too long to be one. */
bool mr_smtp_dialogue_line(struct mr_smtp_dialogue *d, struct mr_bytes line);
/* All of the message has been handed over, so the server may have it. */
void mr_smtp_dialogue_handed(struct mr_smtp_dialogue *d);

/* How many recipients it said yes to, no for now, and no for good. */
struct mr_smtp_count {
    unsigned good, later, refused;
};
struct mr_smtp_count mr_smtp_dialogue_count(const struct mr_smtp_dialogue *d);

#endif
