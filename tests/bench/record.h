/* What a job that is compared leaves behind: its number, its push and its start, one line each in a file of its process. */
#ifndef MR_TESTS_BENCH_RECORD_H
#define MR_TESTS_BENCH_RECORD_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline int64_t record_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A new file in the folder that MILLRACE_BENCH_RECORDS names; closed, and so written to the end, by the caller. NULL on failure. */
static inline FILE *record_open(void)
{
    const char *folder = getenv("MILLRACE_BENCH_RECORDS");
    char path[512];

    if (!folder)
        return NULL;
    snprintf(path, sizeof(path), "%s/%s-%d-XXXXXX", folder, "c", (int)getpid());
    int fd = mkstemp(path);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

/* The number after name in text; 0 when it is not there. A whole JSON parser would be measured instead of a queue. */
static inline int64_t record_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* data: a job's `data`, NUL-ended somewhere behind. */
static inline void record_start(FILE *file, const char *data)
{
    fprintf(file, "%" PRId64 " %" PRId64 " %" PRId64 "\n", record_number(data, "\"n\":"),
            record_number(data, "\"at_ns\":"), record_now_ns());
}

#endif
