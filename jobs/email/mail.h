/* The mail a job asks for: checked, with its headers written. Knows no SMTP. */
#ifndef MR_JOBS_EMAIL_MAIL_H
#define MR_JOBS_EMAIL_MAIL_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdint.h>

/* Everything owned. */
struct mr_mail {
    char *sender;      /* bare address, for MAIL FROM */
    char **recipients; /* bare addresses of to, cc and bcc, for RCPT TO */
    unsigned n_recipients;
    char **headers; /* complete lines, folded, without line ends */
    unsigned n_headers;
    char *text, *html; /* NULL when not given */
};

/*
 * Reads data {to, cc?, bcc?, from?, reply_to?, subject, text?, html?}; default_from (may be NULL) where it says no from. uuid ("" for none)
 * makes Message-ID and X-Millrace-Uuid, so that a repeated mail is the same mail. MR_EINVAL: what is wrong, with
 * the member's name; CR, LF and NUL in any header or address are refused. The caller frees out with mr_mail_fini.
 */
enum mr_code mr_mail_read(json_t *data, const char *default_from, const char *uuid,
                          uint64_t now_ms, struct mr_mail *out, struct mr_err *err);
void mr_mail_fini(struct mr_mail *mail);

/* Appends "Name: value" to out, encoded (RFC 2047) where it is not plain ASCII, folded (RFC 5322, 78 columns). */
void mr_mail_header(struct mr_buf *out, const char *name, const char *value);

#endif
