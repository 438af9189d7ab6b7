/* Signals belong to the loop's thread: a thread that is begun between these two inherits that they are blocked. */
#ifndef MR_PROTO_BASE_SIGNALS_H
#define MR_PROTO_BASE_SIGNALS_H

#include <signal.h>

/* All but crashes, for the calling thread. */
void mr_signals_block(sigset_t *out_before);
void mr_signals_restore(const sigset_t *before);

#endif
