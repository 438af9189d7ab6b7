/* The table of the dispatcher's parts: started in order, stopped in reverse. */
#ifndef MR_DISPATCHER_PARTS_H
#define MR_DISPATCHER_PARTS_H

#include "proto/base/err.h"

struct mr_dispatcher;

/* Starts every part; the first that cannot says why, and those before it are stopped. Redis is not yet asked for anything. */
enum mr_code mr_parts_start(struct mr_dispatcher *dispatcher, struct mr_err *err);
/* One after the other; afterwards nothing of them holds the loop any more. */
void mr_parts_stop(struct mr_dispatcher *dispatcher);

#endif
