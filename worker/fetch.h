/* Asks for a batch and takes it in. */
#ifndef MR_WORKER_FETCH_H
#define MR_WORKER_FETCH_H

#include "proto/base/str.h"

struct mr_lease;
struct mr_worker;

/* Asks for jobs if there is room for some, nothing is asked yet and the gate is open. */
void mr_fetch_if_wanted(struct mr_worker *worker);
/* Reads the next payloads of a held lease. */
void mr_fetch_read(struct mr_lease *lease);
/* Takes in the payload of place i. */
void mr_fetch_take(struct mr_lease *lease, unsigned i, struct mr_bytes payload);

#endif
