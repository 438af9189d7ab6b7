/* Walks over JSON text without building anything; takes exactly the bytes that jansson takes. */
#ifndef MR_PROTO_JSON_H
#define MR_PROTO_JSON_H

#include "proto/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MR_JSON_DEPTH_MAX 1024 /* jansson ends at 2048; nobody needs as many */

/* A place in the text. at moves forward; after a failure it stands where the fault is, and why says what it is. */
struct mr_json {
    const char *at, *end;
    const char *why; /* static text; NULL while all is well */
};

/* What stands between the quotes. */
struct mr_json_string {
    struct mr_bytes inside; /* raw: escapes are not resolved */
    bool escaped;           /* there are some */
};

struct mr_json_number {
    struct mr_bytes text;
    bool whole; /* neither fraction nor exponent: integer holds its value */
    int64_t integer;
};

/* The next byte, -1 at the end. Does not move. */
static inline int mr_json_peek(const struct mr_json *json)
{
    return json->at < json->end ? (unsigned char)*json->at : -1;
}

/* Remembers the fault and returns false, so that failing is one statement. */
bool mr_json_fail(struct mr_json *json, const char *why);
void mr_json_skip_blanks(struct mr_json *json);

/* Mostly there are none. */
static inline void mr_json_blanks(struct mr_json *json)
{
    if (mr_json_peek(json) <= ' ')
        mr_json_skip_blanks(json);
}

/* Skips blanks; true, and one further, if c comes next. */
static inline bool mr_json_take(struct mr_json *json, char c)
{
    mr_json_blanks(json);
    if (json->at == json->end || *json->at != c)
        return false;
    json->at++;
    return true;
}

/* Each reads one value that must begin at json->at; false and a fault when there is no such value. */
bool mr_json_string(struct mr_json *json, struct mr_json_string *out);
bool mr_json_number(struct mr_json *json, struct mr_json_number *out);
bool mr_json_word(struct mr_json *json, const char *word); /* null, true, false */
/* A member's name (blanks may precede it) and the ':' behind it. No \u0000 in it: jansson's keys are C strings. */
bool mr_json_key(struct mr_json *json, struct mr_json_string *out);
/* Any value, with at most depth containers inside each other. Not recursive. */
bool mr_json_skip(struct mr_json *json, unsigned depth);

/* Resolves the escapes of a string that mr_json_string took; out holds inside.len bytes at least. Returns the length. */
size_t mr_json_unescape(struct mr_bytes inside, char *out);
/* The value of a number that mr_json_number took, or that could be one; infinite when too large. */
double mr_json_double(struct mr_bytes text);

#endif
