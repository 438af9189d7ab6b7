/* Which handler serves which job name: modules are loaded, and handlers opened, when the first job needs them. */
#ifndef MR_WORKER_REGISTRY_H
#define MR_WORKER_REGISTRY_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/config.h"
#include "worker/handler.h"

#include <stdint.h>

struct mr_registry;

/* All there is to know of one job name. */
struct mr_kind {
    char *name;              /* NULL for the jobs that nobody serves */
    struct mr_policy policy; /* the pool's, with what the configuration says of this job */
    unsigned job_row;        /* of the page */
    const struct mr_handler *handler; /* NULL until it is open */
    void *state;
};

/* All borrowed for its life. */
struct mr_registry *mr_registry_new(const struct mr_config *config,
                                    const struct mr_pool_config *pool, struct mr_host *host);
/* Loads a module of ours by its short name ("email"), for `preload`. */
enum mr_code mr_registry_preload(struct mr_registry *registry, const char *module,
                                 struct mr_err *err);
/*
 * Finds who serves name. out is filled on failure too, without a handler: its policy counts for jobs that cannot be
 * served. MR_ENOTFOUND: nobody here knows this job. Anything else: its handler cannot be opened now; it is tried again
 * after a while. now_ms is monotonic.
 */
enum mr_code mr_registry_find(struct mr_registry *registry, struct mr_bytes name,
                              uint64_t now_ms, const struct mr_kind **out, struct mr_err *err);
/* Closes the handlers that are open, the last opened first, and frees. Modules stay loaded. */
void mr_registry_free(struct mr_registry *registry);

#endif
