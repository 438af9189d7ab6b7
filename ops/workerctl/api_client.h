/* Speaks the control API of a dispatcher, over its unix socket or by URL. */
#ifndef MR_OPS_API_CLIENT_H
#define MR_OPS_API_CLIENT_H

#include "proto/api.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>

/* Where the dispatcher is; borrowed. Either socket or url. */
struct mr_api_target {
    const char *socket;
    const char *url;   /* http://host:port */
    const char *token; /* NULL: none */
};

/* What one call asks. */
struct mr_api_ask {
    enum mr_api_call call;
    const char *params[MR_API_PARAMS];
    const char *query;  /* "limit=5&job=x", already encoded; NULL: none */
    const json_t *body; /* NULL: none */
};

struct mr_api_answer {
    long status;
    char *text;   /* the body as it came, NUL-ended */
    json_t *json; /* NULL when the body is none */
};

/*
 * MR_OK: somebody answered, whatever the status. MR_EDOWN: nobody did, and nothing was done; MR_EUNKNOWN: the answer
 * was lost. err says what was tried and what to do.
 */
enum mr_code mr_api_call(const struct mr_api_target *target, const struct mr_api_ask *ask,
                         struct mr_api_answer *out, struct mr_err *err);
void mr_api_answer_fini(struct mr_api_answer *answer);

#endif
