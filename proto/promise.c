#include "proto/promise.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *name, *line;
} rows[] = {
    [MR_DURABILITY_UNKNOWN]  = {"unknown",
        "unknown: Redis does not tell its settings (CONFIG GET refused); ask for appendonly yes, appendfsync always"},
    [MR_DURABILITY_ALWAYS]   = {"always",
        "AOF always: no acknowledged job is lost when Redis dies"},
    [MR_DURABILITY_EVERYSEC] = {"everysec",
        "AOF everysec: acknowledged jobs of about the last second may be lost when Redis dies"},
    [MR_DURABILITY_OS]       = {"os",
        "AOF without fsync: acknowledged jobs of about the last half minute may be lost when Redis' machine dies"},
    [MR_DURABILITY_SNAPSHOT] = {"snapshot",
        "snapshots alone: every job since the last snapshot is lost when Redis dies"},
    [MR_DURABILITY_NONE]     = {"none",
        "no persistence: every job is lost when Redis dies"},
};
/* clang-format on */

const char *mr_durability_name(enum mr_durability durability)
{
    return (unsigned)durability < MR_COUNT(rows) ? rows[durability].name : "durability?";
}

enum mr_durability mr_promise_judge(const char *appendonly, const char *appendfsync,
                                    const char *save)
{
    if (!appendonly)
        return MR_DURABILITY_UNKNOWN;
    if (strcmp(appendonly, "yes") != 0)
        return !save     ? MR_DURABILITY_UNKNOWN
               : save[0] ? MR_DURABILITY_SNAPSHOT
                         : MR_DURABILITY_NONE;
    if (!appendfsync)
        return MR_DURABILITY_UNKNOWN;
    if (strcmp(appendfsync, "always") == 0)
        return MR_DURABILITY_ALWAYS;
    return strcmp(appendfsync, "everysec") == 0 ? MR_DURABILITY_EVERYSEC : MR_DURABILITY_OS;
}

bool mr_promise_may_evict(const char *policy)
{
    return policy && strncmp(policy, "allkeys", strlen("allkeys")) == 0;
}

void mr_promise_say(enum mr_durability durability, const char *maxmemory_policy, char *out,
                    size_t size)
{
    int len = snprintf(out, size, "%s", rows[durability].line);

    if (mr_promise_may_evict(maxmemory_policy) && len > 0 && (size_t)len < size)
        snprintf(out + len, size - (size_t)len,
                 "; maxmemory-policy %s may throw whole queues away: set noeviction",
                 maxmemory_policy);
}
