#include "proto/keys.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void mr_queue_keys_init(struct mr_queue_keys *keys, const char *prefix, const char *queue)
{
    char *ready = mr_asprintf("%squeues:%s", prefix, queue);

    *keys = (struct mr_queue_keys){
        .name = mr_strdup(queue),
        .ready = ready,
        .delayed = mr_asprintf("%s:delayed", ready),
        .reserved = mr_asprintf("%s:reserved", ready),
        .notify = mr_asprintf("%s:notify", ready),
        .workers = mr_asprintf("%s:workers", ready),
        .reaped = mr_asprintf("%s:reaped", ready),
        .dead = mr_asprintf("%s:dead", ready),
        .dead_jobs = mr_asprintf("%s:dead:jobs", ready),
        .paused = mr_asprintf("%s:paused", ready),
        .promoting = mr_asprintf("%s:promoting", ready),
    };
}

void mr_queue_keys_fini(struct mr_queue_keys *keys)
{
    if (!keys)
        return;
    free(keys->name);
    free(keys->ready);
    free(keys->delayed);
    free(keys->reserved);
    free(keys->notify);
    free(keys->workers);
    free(keys->reaped);
    free(keys->dead);
    free(keys->dead_jobs);
    free(keys->paused);
    free(keys->promoting);
    *keys = (struct mr_queue_keys){0};
}

size_t mr_key_lease(const struct mr_queue_keys *keys, const char *worker, unsigned k, char *out,
                    size_t size)
{
    return (size_t)snprintf(out, size, "%s:lease:%s:%u", keys->ready, worker, k);
}

size_t mr_key_wake(const struct mr_queue_keys *keys, const char *worker, unsigned j, char *out,
                   size_t size)
{
    return (size_t)snprintf(out, size, "%s:lease:%s:w%u", keys->ready, worker, j);
}

size_t mr_key_dead_big(const struct mr_queue_keys *keys, const char *id, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%s:big:%s", keys->dead, id);
}

size_t mr_key_fleet(const char *prefix, const char *what, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%smillrace:%s", prefix, what);
}
