/* One mail to one mail server over libcurl, on a thread. */
#ifndef MR_JOBS_EMAIL_TRANSFER_H
#define MR_JOBS_EMAIL_TRANSFER_H

#include "jobs/email/judge.h"

#include <curl/curl.h>
#include <stdint.h>

/* A mail as it travels. Borrowed. */
struct mr_smtp_mail {
    const char *sender; /* bare addresses */
    const char *const *recipients;
    unsigned n_recipients;
    struct mr_bytes message; /* lines end in CRLF; a line that begins with a dot is as it is */
};

/* Where it goes, and how. Borrowed. */
struct mr_smtp_server {
    const char *url; /* smtp://host:port/name-in-EHLO, smtps:// for TLS from the first byte */
    long use_ssl;    /* CURLUSESSL_ */
    const char *username; /* NULL: nobody logs in */
    const char *password;
    const char *login_options;   /* "AUTH=PLAIN"; NULL: the best that the server offers */
    bool bearer;                 /* the password is an OAuth 2.0 token */
    const char *ca_file;         /* NULL: the system's */
    uint64_t connect_timeout_ms; /* to be reached, to greet, to let us in */
    uint64_t timeout_ms;         /* all in all */
};

/* Asked at least once a second: whether to stop. A message that is out is waited for a little longer. */
struct mr_smtp_stop {
    bool (*asked)(const void *arg); /* NULL: never */
    const void *arg;
    uint64_t patience_ms; /* from when it is asked to stop, for the answer to a message */
};

struct mr_smtp_result {
    enum mr_smtp_end end;
    struct mr_smtp_recipient
        *recipients; /* in the mail's order; no addresses in their words either */
    unsigned n_recipients;
    char *reason;   /* for a person, without addresses in clear; NULL where all is well */
    bool connected; /* over a connection of its own */
};

/* Sends mail once with easy, a handle without options; out is the caller's, ended with mr_smtp_result_fini. */
void mr_smtp_transfer(CURL *easy, const struct mr_smtp_server *server,
                      const struct mr_smtp_mail *mail, const struct mr_smtp_stop *stop,
                      struct mr_smtp_result *out);
/* The result of a mail that was not sent: the same for all its recipients. */
void mr_smtp_result_init(struct mr_smtp_result *out, const struct mr_smtp_mail *mail,
                         enum mr_smtp_end end, const char *reason);
void mr_smtp_result_fini(struct mr_smtp_result *result);

#endif
