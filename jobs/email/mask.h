/* Addresses as a log may show them. */
#ifndef MR_JOBS_EMAIL_MASK_H
#define MR_JOBS_EMAIL_MASK_H

/* text with the local part of each address cut to its first character, "a***@example.org"; the caller's. */
char *mr_mask_addresses(const char *text);

#endif
