/* Which promise about acknowledged jobs Redis keeps as it is configured just now, said in one line. Pure. */
#ifndef MR_PROTO_PROMISE_H
#define MR_PROTO_PROMISE_H

#include <stdbool.h>
#include <stddef.h>

enum mr_durability {
    MR_DURABILITY_UNKNOWN,
    MR_DURABILITY_ALWAYS,   /* AOF, fsync before each answer */
    MR_DURABILITY_EVERYSEC, /* AOF, fsync once a second */
    MR_DURABILITY_OS,       /* AOF, fsync when the kernel likes */
    MR_DURABILITY_SNAPSHOT, /* RDB alone */
    MR_DURABILITY_NONE
};

/* As CONFIG GET says it; NULL where it does not say. */
enum mr_durability mr_promise_judge(const char *appendonly, const char *appendfsync,
                                    const char *save);
/* The line for people; maxmemory_policy adds its warning where Redis may evict queues ("" or NULL: not known). */
void mr_promise_say(enum mr_durability durability, const char *maxmemory_policy, char *out,
                    size_t size);
const char *mr_durability_name(enum mr_durability durability); /* "everysec" */
/* Whether this maxmemory-policy may take queues: ours carry no time to live, so only those over all keys can. NULL: no. */
bool mr_promise_may_evict(const char *maxmemory_policy);

#endif
