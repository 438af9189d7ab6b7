/* The bytes of a mail: its headers and its bodies, as they travel. */
#ifndef MR_JOBS_EMAIL_MESSAGE_H
#define MR_JOBS_EMAIL_MESSAGE_H

#include "jobs/email/mail.h"

/* The whole message, lines ended by CRLF, into out; the bodies quoted-printable. */
void mr_mail_message(const struct mr_mail *mail, struct mr_buf *out);

#endif
