/* One request to a provider, as it will leave. */
#ifndef MR_JOBS_SMS_POSTING_H
#define MR_JOBS_SMS_POSTING_H

#include "proto/base/str.h"

enum { MR_POSTING_HEADERS = 34 };

/* Everything owned, but method. Zero-initialised it is empty. */
struct mr_posting {
    const char *method;
    char *url;
    char *headers[MR_POSTING_HEADERS]; /* "Name: value", NULL-ended */
    unsigned n_headers;
    struct mr_buf body; /* at NULL: none */
};

/* Takes header. */
void mr_posting_add_header(struct mr_posting *posting, char *header);
void mr_posting_fini(struct mr_posting *posting);

/* What there is to say of a message to whichever provider; strings are borrowed. */
struct mr_message;
struct mr_order {
    const struct mr_message *message;
    const char *channel;  /* "sms", "whatsapp" */
    const char *uuid;     /* "" for none */
    const char *callback; /* NULL: none is wanted */
};

#endif
