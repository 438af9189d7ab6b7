/* After any new connection, and whenever a stranger may have landed: Redis and memory are compared before anything else is sent. */
#ifndef MR_WORKER_SYNC_H
#define MR_WORKER_SYNC_H

#include <stdbool.h>

struct mr_lease;
struct mr_source;
struct mr_worker;

/*
 * The store is ready on a new connection. Asks whether this incarnation is registered, reads every list this worker names, compares place by
 * place and by bytes, and looks for lists it does not know. worker->synced when all was answered.
 */
void mr_sync_start(struct mr_worker *worker);
/* Redis may hold more or less under this lease than memory says: reads and compares it alone. */
void mr_sync_lease(struct mr_lease *lease);
/* Gives back what stands under names that nobody here uses. With `all` the free names are asked too, not the retired alone. */
void mr_sync_audit(struct mr_worker *worker, bool all);
/* The list under the name k, whatever it holds, goes back to the head. Nothing if the name is in use. */
void mr_sync_return_name(struct mr_source *source, unsigned k);

#endif
