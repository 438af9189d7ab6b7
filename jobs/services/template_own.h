/* A compiled template from inside: what the parser makes and the renderer walks. */
#ifndef MR_JOBS_SERVICES_TEMPLATE_OWN_H
#define MR_JOBS_SERVICES_TEMPLATE_OWN_H

#include "jobs/services/template.h"

#include <stdatomic.h>

enum { MR_TEMPLATE_NAME_MAX = 200, MR_TEMPLATE_DEPTH_MAX = 32 };

enum mr_template_kind {
    MR_NODE_TEXT,
    MR_NODE_VALUE,
    MR_NODE_RAW,
    MR_NODE_SECTION,
    MR_NODE_INVERTED,
    MR_NODE_PARTIAL
};

struct mr_template_node {
    enum mr_template_kind kind;
    bool
        begins_line; /* TEXT: a partial's indentation goes before it; it may be empty, to say just that */
    size_t at;            /* where it stands in the template */
    struct mr_bytes text; /* TEXT: itself; PARTIAL: its indentation */
    char *name;           /* of all others, as it was written: "a.b" */
    size_t end;           /* of sections: the index of the node behind the last inside */
};

struct mr_template {
    atomic_uint refs;
    char *name, *text;
    size_t len;
    struct mr_template_node *nodes;
    size_t n_nodes, room;
};

/* Fails with code and name:line:column of the byte at, then the words. */
enum mr_code mr_template_fail(const struct mr_template *template, size_t at, struct mr_err *err,
                              enum mr_code code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
