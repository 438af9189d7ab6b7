/* Mailboxes: a name for people and an address for servers. */
#ifndef MR_JOBS_EMAIL_ADDRESS_H
#define MR_JOBS_EMAIL_ADDRESS_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>

/* Owned. */
struct mr_mailbox {
    char *name;    /* NULL: none */
    char *address; /* bare; a domain with other letters than ASCII's as IDNA writes it */
    bool angled;   /* it was given in <>, with a name or without */
};

/*
 * Reads a string ("ann@example.org", "Ann <ann@example.org>") or an object {address, name?}. MR_EINVAL: data.<member> is none,
 * or would be read as more than one. The caller frees out with mr_mailbox_fini.
 */
enum mr_code mr_mailbox_read(const char *member, json_t *value, struct mr_mailbox *out,
                             struct mr_err *err);
/* The same of a string of the configuration. */
enum mr_code mr_mailbox_of(const char *what, const char *text, struct mr_mailbox *out,
                           struct mr_err *err);
void mr_mailbox_fini(struct mr_mailbox *box);
/* Appends it as a header has it: the name encoded apart from the address, which stays readable for every server. */
void mr_mailbox_add(struct mr_buf *out, const struct mr_mailbox *box);

#endif
