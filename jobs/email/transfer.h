/* One mail to one mail server, over a line to it. */
#ifndef MR_JOBS_EMAIL_TRANSFER_H
#define MR_JOBS_EMAIL_TRANSFER_H

#include "jobs/email/judge.h"
#include "jobs/email/line.h"

/* A mail as it travels. Borrowed. */
struct mr_smtp_mail {
    const char *sender; /* bare addresses, ASCII */
    const char *const *recipients;
    unsigned n_recipients;
    struct mr_bytes message; /* lines end in CRLF; a line that begins with a dot is as it is */
};

struct mr_smtp_result {
    enum mr_smtp_end end;
    struct mr_smtp_recipient *recipients; /* in the mail's order; no addresses in their words */
    unsigned n_recipients;
    char *reason;   /* for a person, without addresses in clear; NULL where all is well */
    bool connected; /* over a line of its own */
    bool stopped;   /* by us, so that the end says nothing of the server */
};

/*
 * Sends mail over *line, or a fresh one where that is NULL; then *line is one for the next mail, or NULL. out is the caller's, ended with
 * mr_smtp_result_fini. Blocks; asks watch five times a second, and once where it connects.
 */
void mr_smtp_transfer(struct mr_smtp_line **line, const struct mr_smtp_server *server,
                      const struct mr_smtp_mail *mail, const struct mr_smtp_watch *watch,
                      struct mr_smtp_result *out);
/* The result of a mail that was not sent: the same for all its recipients. */
void mr_smtp_result_init(struct mr_smtp_result *out, const struct mr_smtp_mail *mail,
                         enum mr_smtp_end end, const char *reason);
void mr_smtp_result_fini(struct mr_smtp_result *result);

#endif
