/* Workers that run without us: left behind by a dispatcher before us, or deaf to our SIGKILL. Watched until they end, then reaped. */
#ifndef MR_DISPATCHER_ORPHANS_H
#define MR_DISPATCHER_ORPHANS_H

#include "dispatcher/child.h"

struct mr_dispatcher;
struct mr_orphans;

struct mr_orphans *mr_orphans_new(struct mr_dispatcher *dispatcher);
/* Every page in the runtime directory: the dead are reaped, the living watched. */
enum mr_code mr_orphans_adopt(struct mr_orphans *orphans, struct mr_err *err);
/* Takes a child of ours that will not die. */
void mr_orphans_add(struct mr_orphans *orphans, struct mr_child *child);
/* Once a second: those whose lock is free have ended. (A pidfd says so at once; this is for those whose pid is not known.) */
void mr_orphans_look(struct mr_orphans *orphans);
unsigned mr_orphans_count(const struct mr_orphans *orphans);
/* Stops watching; the children and their pages stay for the next dispatcher. NULL is accepted. */
void mr_orphans_free(struct mr_orphans *orphans);

#endif
