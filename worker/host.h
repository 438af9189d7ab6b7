/* What handler.h promises, kept: the one worker process as all its modules see it. */
#ifndef MR_WORKER_HOST_H
#define MR_WORKER_HOST_H

#include "proto/base/list.h"
#include "proto/config.h"
#include "proto/page.h"

#include <uv.h>

/* Borrows everything it is given; the loop's thread owns it, but for the counters. */
struct mr_host {
    uv_loop_t *loop;
    const struct mr_config *config;
    const struct mr_pool_config *pool;
    struct mr_page *page;
    uv_mutex_t counters_lock;
    struct mr_list shares; /* the newest first */
};

void mr_host_init(struct mr_host *host, uv_loop_t *loop, const struct mr_config *config,
                  const struct mr_pool_config *pool, struct mr_page *page);
/* Closes what was shared, the newest first. */
void mr_host_fini(struct mr_host *host);

#endif
