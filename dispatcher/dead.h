/* The routes that show dead letters: a list, and one of them whole. */
#ifndef MR_DISPATCHER_DEAD_H
#define MR_DISPATCHER_DEAD_H

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdbool.h>

struct mr_request;

void mr_dead_list(struct mr_request *request);
void mr_dead_show(struct mr_request *request);

/* ---- shared with the routes that retry and drop ---- */

/* Which letters are meant; NULL matches all. Borrowed. */
struct mr_dead_filter {
    const char *job, *class;
};

/* One row of the store's list as a record, with the id it is kept under; NULL when the row is none. New reference. */
json_t *mr_dead_record(const redisReply *row);
bool mr_dead_matches(const json_t *record, const struct mr_dead_filter *filter);

#endif
