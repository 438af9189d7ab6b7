/* Digests under a key, for signatures and for names that nobody shall read. */
#ifndef MR_JOBS_SERVICES_DIGEST_H
#define MR_JOBS_SERVICES_DIGEST_H

#define MR_DIGEST_HEX 65 /* of SHA-256, with its NUL */

/* HMAC-SHA256 (RFC 2104) of text, in lower-case hexadecimal. */
void mr_digest_hmac(const char *key, const char *text, char out[MR_DIGEST_HEX]);

#endif
