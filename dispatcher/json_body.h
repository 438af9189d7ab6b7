/* Reads the JSON body of a request into typed fields, by a table; errors name the member and what was meant. */
#ifndef MR_DISPATCHER_JSON_BODY_H
#define MR_DISPATCHER_JSON_BODY_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum mr_member_type {
    MR_MEMBER_INTEGER, /* long long, within min..max */
    MR_MEMBER_NUMBER,  /* double, within min..max */
    MR_MEMBER_TEXT,    /* const char *, borrowed from the JSON */
    MR_MEMBER_TRUE,    /* bool; only true may be said */
    MR_MEMBER_ARRAY,   /* json_t *, borrowed */
    MR_MEMBER_OBJECT,  /* json_t *, borrowed */
    MR_MEMBER_ANY      /* json_t *, borrowed */
};

/* Absent members leave their field as it was; null counts as absent, but for ANY. */
struct mr_member {
    const char *name;
    enum mr_member_type type;
    size_t offset; /* of the field in the caller's struct */
    double min, max;
    bool needed;
};

/* Any JSON text; an empty body is an empty object. NULL and err when it is none. New reference. */
json_t *mr_body_parse(struct mr_bytes body, struct mr_err *err);

/* Fills out by the table; a member that the table does not know is an error. where ("job 3: ") begins each line of err. */
enum mr_code mr_body_read(const json_t *object, const char *where,
                          const struct mr_member *members, size_t n, void *out,
                          struct mr_err *err);

#endif
