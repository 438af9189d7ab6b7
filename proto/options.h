/* A table of options and its walker: a document goes in, checked row by row, a tree of checked values comes out. */
#ifndef MR_PROTO_OPTIONS_H
#define MR_PROTO_OPTIONS_H

#include "proto/base/str.h"
#include "proto/config_errors.h"
#include "proto/yaml.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct mr_option;

struct mr_option_table {
    const struct mr_option *rows; /* those of one group ("redis.") stand together */
    size_t n_rows;
};

/* A value about to be read. */
struct mr_option_site {
    const struct mr_option *row;
    const char *path; /* its full name: "pools.high.tries" */
    const struct mr_yaml *node;
    struct mr_config_errors *errors;
};

/*
 * What all rows of a kind share. A value stands in the tree as JSON: spans as integers in ms,
 * sizes as integers in bytes, the rest as one would think.
 */
struct mr_option_type {
    const char *name;   /* for people: "span of time" */
    const char *suffix; /* ends the member's name where modules see the value: "_ms"; or NULL */
    /* A new reference, or NULL after a complaint. */
    json_t *(*read)(const struct mr_option_site *site);
    /* Writes what read accepts. secrets false: without passwords. */
    void (*print)(const json_t *value, bool secrets, struct mr_buf *out);
    /* Into the struct; value is NULL where the option is absent. NULL: never has a field. */
    void (*fill)(const struct mr_option *row, const json_t *value, void *base);
    /* Frees what fill made; NULL: nothing. */
    void (*empty)(const struct mr_option *row, void *base);
    /* Of a map from names to entries: what an entry holds, what it may be called. Else NULL. */
    const struct mr_option_table *entries;
    bool (*is_name)(struct mr_bytes name);
    const char *name_rule;
};

enum { MR_OPTION_SECRET = 0x100 }; /* the other flags mean what the table's owner says */

/* One row is all there is to know of an option. */
struct mr_option {
    const char *name; /* with dots: "redis.url" */
    const struct mr_option_type *type;
    size_t at, size;      /* the struct's field; see the macros below */
    const char *fallback; /* as written in a file; NULL: absent */
    const char *range;    /* "2s..1h", "strict|weighted", "smtp://|smtps://"; NULL: any */
    unsigned flags;
    const char *doc;
};

#define MR_OPTION_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)
/* A list's size is the place of its counter. */
#define MR_OPTION_LIST_AT(type, member, counter) offsetof(type, member), offsetof(type, counter)
/* No field: the value lives in the tree alone, for modules or for the table's owner. */
#define MR_OPTION_TREE 0, 0

extern const struct mr_option_type mr_option_text;   /* char *, owned; NULL when absent */
extern const struct mr_option_type mr_option_url;    /* the same; range: how it may begin */
extern const struct mr_option_type mr_option_ms;     /* uint64_t or uint32_t; 0 when absent */
extern const struct mr_option_type mr_option_bytes;  /* the same */
extern const struct mr_option_type mr_option_count;  /* the same */
extern const struct mr_option_type mr_option_int;    /* int */
extern const struct mr_option_type mr_option_bool;   /* bool */
extern const struct mr_option_type mr_option_choice; /* an enum in the order of range */
extern const struct mr_option_type mr_option_texts;  /* char **; a list, or text with commas */

/*
 * Checks node, a map, against the table. Gives an object nested as the names are, with defaults
 * filled in; complains of every error it meets and goes on. path is node's own name, "" at the
 * top. A new reference, never NULL.
 */
json_t *mr_options_read(const struct mr_option_table *table, const struct mr_yaml *node,
                        const char *path, struct mr_config_errors *errors);
/* The read of a type that has entries. */
json_t *mr_options_read_entries(const struct mr_option_site *site);

void mr_options_fill(const struct mr_option_table *table, const json_t *values, void *base);
void mr_options_empty(const struct mr_option_table *table, void *base);

/* The value of that name ("redis.url"), borrowed; NULL when absent. */
json_t *mr_options_get(const json_t *values, const char *name);
/* Takes value; NULL sets nothing. */
void mr_options_set(json_t *values, const char *name, json_t *value);

/*
 * As YAML that mr_options_read reads back to the same values; secrets false: secrets as "***".
 */
void mr_options_print(const struct mr_option_table *table, const json_t *values, bool secrets,
                      unsigned depth, struct mr_buf *out);

/*
 * The values that have no field, as modules see them: names end in their type's suffix. A new
 * reference.
 */
json_t *mr_options_sections(const struct mr_option_table *table, const json_t *values);

/* For types: "<path> must be <what>, got <value>"; a secret's value is not shown. */
void mr_option_complain(const struct mr_option_site *site, const char *what);
/* The same, and what was probably meant; NULL: nobody knows. */
void mr_option_complain_meant(const struct mr_option_site *site, const char *what,
                              const char *meant);
/*
 * For types that are lists: a list of scalars, or one scalar cut at its commas. read_item
 * makes each value (NULL after a complaint) and is given the item's own place. A new
 * reference, or NULL after complaints.
 */
json_t *mr_option_read_list(const struct mr_option_site *site,
                            json_t *(*read_item)(const struct mr_option_site *item,
                                                 const char *text));
/* "[a, b]". */
void mr_option_print_list(const json_t *value, bool secrets, struct mr_buf *out);
void mr_option_fill_list(const struct mr_option *row, const json_t *value, void *base);
void mr_option_empty_list(const struct mr_option *row, void *base);
/* A whole number within INT64; false if text is none. */
bool mr_option_parse_int(const char *text, int64_t *out);

#endif
