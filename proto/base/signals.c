#include "proto/base/signals.h"

#include "proto/base/mem.h"

void mr_signals_block(sigset_t *out_before)
{
    static const int crashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    sigset_t blocked;

    sigfillset(&blocked);
    for (size_t i = 0; i < MR_COUNT(crashes); i++)
        sigdelset(&blocked, crashes[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, out_before);
}

void mr_signals_restore(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}
