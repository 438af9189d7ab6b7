/* Where a provider reports what became of a message: the configured url, which names the message and proves that we asked. */
#ifndef MR_JOBS_SMS_CALLBACK_H
#define MR_JOBS_SMS_CALLBACK_H

/*
 * "BASE?uuid=UUID&signature=HEX", the caller's; behind a & where BASE has a query already. HEX is the HMAC-SHA256 of UUID under secret.
 * NULL for a uuid of "": what has no name cannot be reported.
 */
char *mr_callback_url(const char *base, const char *secret, const char *uuid);

#endif
