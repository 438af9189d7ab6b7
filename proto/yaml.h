/* A YAML document as a small tree in which every value knows the place where it was written. */
#ifndef MR_PROTO_YAML_H
#define MR_PROTO_YAML_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/config_errors.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    MR_YAML_DEPTH_MAX = 16,
    MR_YAML_NODES_MAX = 20000,
    MR_YAML_BYTES_MAX = 1 << 20,
    MR_YAML_KEY_MAX = 200
};

enum mr_yaml_type { MR_YAML_SCALAR, MR_YAML_LIST, MR_YAML_MAP };

/* One value. The root owns all below it. */
struct mr_yaml {
    enum mr_yaml_type type;
    struct mr_place at;     /* its origin is borrowed from the caller, or is variable */
    struct mr_place key_at; /* where key stands, in a map's member */
    char *key;              /* NULL but in a map's member */
    char *text;             /* of a scalar; valid UTF-8 without NUL */
    bool plain;             /* a scalar without quotes, so that `~` or nothing means absent */
    bool expanded;          /* text came from elsewhere and may be secret: never show it */
    char *variable;         /* the environment variable it came from, or NULL */
    struct mr_yaml **items; /* of a list or map, in the order written */
    size_t n_items;
};

/*
 * Reads one document; an empty one is an empty map. name ("millrace.yaml") is borrowed for the
 * tree's life. Refused, with all places found: bad syntax, duplicate keys, anchors, aliases
 * and tags, keys that are no plain text, NUL characters, more than one document, and what is
 * over the limits above.
 */
enum mr_code mr_yaml_parse(const char *bytes, size_t len, const char *name,
                           struct mr_yaml **out, struct mr_config_errors *errors);
void mr_yaml_free(struct mr_yaml *root);

/* Borrows the member of that key; NULL if there is none or node is no map. */
struct mr_yaml *mr_yaml_get(const struct mr_yaml *node, const char *key);
/* Whether node says nothing: NULL, or a plain empty scalar, `~` or `null`. */
bool mr_yaml_is_absent(const struct mr_yaml *node);
/* "a list", "a map", the quoted beginning of a scalar, or that it came from elsewhere. */
void mr_yaml_describe(const struct mr_yaml *node, struct mr_buf *out);

/* A value with nothing in it; both places are at. */
struct mr_yaml *mr_yaml_new(enum mr_yaml_type type, struct mr_place at);
/* Takes item, which has a key if node is a map. */
void mr_yaml_append(struct mr_yaml *node, struct mr_yaml *item);
/*
 * The member of that key, made a map if there is none or it says nothing; NULL if it is
 * something else.
 */
struct mr_yaml *mr_yaml_put_map(struct mr_yaml *map, const char *key);
/* Sets the member of that key to text that came from an environment variable. */
void mr_yaml_put_variable(struct mr_yaml *map, const char *key, const char *variable,
                          const char *text);
/* Takes the member of that key out, if there is one. */
void mr_yaml_drop(struct mr_yaml *map, const char *key);

/*
 * Adds text as a scalar that reads back as exactly this text: plain where it is a simple word,
 * else quoted.
 */
void mr_yaml_quote(struct mr_buf *out, const char *text);

#endif
