/* The mail a job asks for: checked, with its headers written. Knows no SMTP. */
#ifndef MR_JOBS_EMAIL_MAIL_H
#define MR_JOBS_EMAIL_MAIL_H

#include "jobs/email/attachment.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdint.h>

/* Everything owned. */
struct mr_mail {
    char *sender;      /* bare address, for MAIL FROM */
    char **recipients; /* bare addresses of to, cc and bcc, for RCPT TO: each once */
    unsigned n_recipients, n_named; /* how many those are, and how many were named */
    char **headers;                 /* complete lines, folded, without line ends */
    unsigned n_headers;
    char *text, *html; /* NULL when not given */
    struct mr_attachments attachments;
};

/* What the configuration says of all mails. Borrowed. */
struct mr_mail_rules {
    const char *from; /* where a job says none; NULL: every job must */
    unsigned max_recipients;
    uint64_t max_size; /* bytes of the whole message, as it travels */
};

/*
 * Reads data {to, cc?, bcc?, from?, reply_to?, subject, text?, html?, attachments?} and what extras.h names. uuid ("" for none)
 * makes Message-ID and X-Millrace-Uuid, so that a repeated mail is the same mail. MR_EINVAL: what is wrong, with
 * the member's name; control characters in any header or address are refused. The caller frees out with mr_mail_fini.
 */
enum mr_code mr_mail_read(json_t *data, const struct mr_mail_rules *rules, const char *uuid,
                          uint64_t now_ms, struct mr_mail *out, struct mr_err *err);
void mr_mail_fini(struct mr_mail *mail);

#endif
