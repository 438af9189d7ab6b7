#include "dispatcher/ending.h"

#include "proto/backoff.h"

#include <sys/wait.h>

enum { CONFIG_WAIT_MS = 30000 };

static enum mr_ending of_code(int code)
{
    switch (code) {
    case 0:
        return MR_ENDING_CLEAN;
    case MR_EXIT_RECYCLE:
        return MR_ENDING_RECYCLED;
    case MR_EXIT_FENCED:
        return MR_ENDING_FENCED;
    default:
        return MR_ENDING_CRASHED;
    }
}

enum mr_ending mr_ending_of(const struct mr_exit *its)
{
    bool exited = WIFEXITED(its->status);

    if (exited && WEXITSTATUS(its->status) == MR_EXIT_CONFIG)
        return MR_ENDING_CONFIG;
    if (!its->served)
        return its->asked ? MR_ENDING_CLEAN : MR_ENDING_FAILED;
    if (its->killed_by_us)
        return MR_ENDING_KILLED;
    return exited ? of_code(WEXITSTATUS(its->status)) : MR_ENDING_CRASHED;
}

const char *mr_ending_name(enum mr_ending ending)
{
    static const char *const names[MR_ENDINGS] = {"clean",  "recycled", "fenced", "crashed",
                                                  "killed", "failed",   "config"};

    return (unsigned)ending < MR_ENDINGS ? names[ending] : "ending?";
}

uint64_t mr_ending_wait_ms(enum mr_ending ending, unsigned failures, uint32_t roll)
{
    static const struct mr_backoff spacing = {
        .base_ms = 100, .cap_ms = 30000, .jitter_pct = 50};
    uint64_t wait_ms = mr_backoff_delay_ms(&spacing, failures, roll);

    return ending == MR_ENDING_CONFIG ? CONFIG_WAIT_MS + wait_ms : wait_ms;
}
