/* The text message a job asks for, checked. Knows no provider. */
#ifndef MR_JOBS_SMS_MESSAGE_H
#define MR_JOBS_SMS_MESSAGE_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdbool.h>

#define MR_MESSAGE_CHARACTERS 1600 /* the provider takes no more */

/* How it travels, and what the configuration says of that. */
struct mr_message_channel {
    const char *name;        /* "sms", "whatsapp" */
    const char *from;        /* where data says none; may be NULL */
    const char *from_option; /* the configuration's name for it */
    const json_t *senders;   /* those that data may name; NULL or empty: any */
    bool numbers_only;       /* no names and no short numbers send on it */
    unsigned max_segments;   /* 0: the channel knows no segments */
};

/* Everything owned. */
struct mr_message {
    char *to, *from;
    char *text;
    bool chosen;       /* data named the sender: no provider's own stands for it */
    unsigned segments; /* as billed; 1 where the channel knows none */
};

/*
 * Reads data {to, text, from?}; text (borrowed; NULL: data.text) stands for what a template gave. MR_EINVAL: what is wrong, with the
 * member's name and without the number or the text. The caller frees out with mr_message_fini.
 */
enum mr_code mr_message_read(json_t *data, const char *text,
                             const struct mr_message_channel *channel, struct mr_message *out,
                             struct mr_err *err);
void mr_message_fini(struct mr_message *message);

/* Whether a sender is one on that channel; name says where it stands. */
enum mr_code mr_message_check_sender(const char *name, const char *sender, bool numbers_only,
                                     struct mr_err *err);
/* Whether the uuid of a job can stand in a header as what the provider knows a repeated message by. */
enum mr_code mr_message_check_uuid(const char *uuid, struct mr_err *err);
#endif
