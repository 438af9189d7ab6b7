/* An open connection to a mail server that has let us in: bytes to it, lines from it, each within a mail's time. */
#ifndef MR_JOBS_EMAIL_LINE_H
#define MR_JOBS_EMAIL_LINE_H

#include "jobs/email/dialogue.h"

#include <curl/curl.h>
#include <stdint.h>

/* Where it leads, and how. Borrowed. */
struct mr_smtp_server {
    const char *url; /* smtp://host:port/name-in-EHLO, smtps:// for TLS from the first byte */
    long use_ssl;    /* CURLUSESSL_ */
    const char *username; /* NULL: nobody logs in */
    const char *password;
    const char *login_options;   /* "AUTH=PLAIN"; NULL: the best that the server offers */
    bool bearer;                 /* the password is an OAuth 2.0 token */
    const char *ca_file;         /* NULL: the system's */
    uint64_t connect_timeout_ms; /* to be reached, to greet, to let us in */
    uint64_t timeout_ms;         /* for a mail, all in all */
};

/* Somebody who waits for a mail on its way. Zero-initialised nobody does. */
struct mr_smtp_watch {
    bool (*asked)(const void *arg); /* now and then: whether to stop; NULL: never */
    void (*handed)(
        void *arg); /* right before the end of the message leaves; NULL: it is all the same */
    void *arg;
    uint64_t patience_ms; /* from when it is asked to stop, for the answer to a message */
};

/* The time that one mail has, and why it is up. The caller fills the first two in. */
struct mr_smtp_time {
    const struct mr_smtp_watch *watch;
    uint64_t until_ms;   /* on the monotonic clock */
    uint64_t stop_at_ms; /* when we were first asked to stop; 0: not yet */
    bool stopped, timed_out;
};

struct mr_smtp_line;

/*
 * Connects, encrypts and logs in as server says; d hears the lines meanwhile, and then waits for what is said of a mail. Otherwise why, of
 * CURL_ERROR_SIZE bytes, says more than the code.
 */
CURLcode mr_smtp_line_open(const struct mr_smtp_server *server, struct mr_smtp_dialogue *d,
                           struct mr_smtp_time *time, struct mr_smtp_line **out, char *why);
/* Says good-bye, and does not wait for an answer. */
void mr_smtp_line_close(struct mr_smtp_line *line);

bool mr_smtp_line_has_pipelining(const struct mr_smtp_line *line); /* RFC 2920 */
bool mr_smtp_line_has_size(const struct mr_smtp_line *line);       /* RFC 1870 */

/* CURLE_OPERATION_TIMEDOUT where time is up; d says how far the mail is. */
CURLcode mr_smtp_line_write(struct mr_smtp_line *line, struct mr_bytes bytes,
                            const struct mr_smtp_dialogue *d, struct mr_smtp_time *time);
/* Hands the lines of the next whole reply to d. */
CURLcode mr_smtp_line_hear(struct mr_smtp_line *line, struct mr_smtp_dialogue *d,
                           struct mr_smtp_time *time);
/* Nothing was said that nobody heard: the next mail may use it. */
bool mr_smtp_line_is_quiet(const struct mr_smtp_line *line);

#endif
