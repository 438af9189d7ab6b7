/* The bytes of a mail: its headers, its bodies and its files, as they travel. */
#ifndef MR_JOBS_EMAIL_MESSAGE_H
#define MR_JOBS_EMAIL_MESSAGE_H

#include "jobs/email/mail.h"

/*
 * The whole message, lines ended by CRLF, into out: text and HTML as alternatives, the HTML together with what it shows (RFC 2387), all of
 * it beside the attached files (RFC 2046). fetch (may be NULL) gets stored files; its codes are passed on. MR_EINVAL where the
 * message would be larger than max_size.
 */
enum mr_code mr_mail_message(const struct mr_mail *mail, mr_mail_fetch_fn *fetch, void *arg,
                             uint64_t max_size, struct mr_buf *out, struct mr_err *err);

#endif
