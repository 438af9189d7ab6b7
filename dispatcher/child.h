/* A worker process as its dispatcher knows it: started here, or left behind by a dispatcher before us. */
#ifndef MR_DISPATCHER_CHILD_H
#define MR_DISPATCHER_CHILD_H

#include "proto/base/list.h"
#include "proto/base/uuid.h"
#include "proto/page.h"

#include <stdbool.h>
#include <sys/types.h>

/* One owner: its slot, or the list of orphans. The page stays mapped until the reaper is through with it. */
struct mr_child {
    struct mr_list node; /* in mr_dispatcher.children while it lives or is being reaped */
    char worker[MR_WORKER_MAX];
    char *pool;
    char **queues; /* names, as its page says */
    unsigned n_queues;
    pid_t pid; /* 0 before spawn; also its process group */
    struct mr_page page;
    int page_fd;
    char *page_path;   /* removed when reaped */
    bool registered;   /* in Q:workers of every queue */
    bool orphan;       /* renews itself; watched by pidfd */
    bool dead;         /* exited: no more renewal */
    bool killed_by_us; /* SIGKILL by a deadline of ours: not a crash */
    int status;        /* of waitpid; -1 for orphans, whose status nobody gets */
};

#endif
