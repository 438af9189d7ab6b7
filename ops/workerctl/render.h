/* Aligned tables for people, safe to print whatever the cells hold. */
#ifndef MR_OPS_RENDER_H
#define MR_OPS_RENDER_H

#include "proto/base/str.h"

#include <stddef.h>
#include <stdint.h>

struct mr_table;

/* Titles of n columns; one that begins with '>' is aligned to the right. */
struct mr_table *mr_table_new(const char *const *titles, size_t n);
/* n cells, copied; NULL prints as "-". */
void mr_table_add(struct mr_table *table, const char *const *cells);
size_t mr_table_rows(const struct mr_table *table);
/* Appends the table, as wide as its widest cells; columns are counted as a terminal shows them. */
void mr_table_print(const struct mr_table *table, struct mr_buf *out);
/* Prints the table on standard output and frees it. */
void mr_table_say(struct mr_table *table);
void mr_table_free(struct mr_table *table);

/* Appends text with control bytes and broken UTF-8 made visible (\x1b): what a producer pushed must not steer a terminal. */
void mr_render_safe(const char *text, struct mr_buf *out);
/* "4s", "3m20s", "5h10m", "2d3h": two units at most. out holds 32 bytes. */
void mr_render_span(double seconds, char *out);

#endif
