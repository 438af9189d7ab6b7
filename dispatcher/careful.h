/*
 * When a pool has to be careful: its workers die while they hold jobs, and nothing of it had begun. Then one job at a time tells
 * which of them it is.
 */
#ifndef MR_DISPATCHER_CAREFUL_H
#define MR_DISPATCHER_CAREFUL_H

#include "dispatcher/child.h"

#include <stdbool.h>

#define MR_CAREFUL_DEATHS 2 /* unexplained: after so many the next workers begin one by one */

/* Zero-initialised is a pool without a care. */
struct mr_careful {
    unsigned deaths; /* unexplained, since a careful worker last ended a delivery */
};

bool mr_careful_is_on(const struct mr_careful *careful);
/* A living worker: once one that began one by one has ended a delivery, it is as any other, and the pool's care is over. */
void mr_careful_look(struct mr_careful *careful, struct mr_child *child);
/* The same of one that is dead and reaped; if nobody could be blamed for its death, that counts. */
void mr_careful_died(struct mr_careful *careful, struct mr_child *child);

#endif
