/* A worker process as its dispatcher knows it: started here, or left behind by a dispatcher before us. */
#ifndef MR_DISPATCHER_CHILD_H
#define MR_DISPATCHER_CHILD_H

#include "proto/base/list.h"
#include "proto/base/uuid.h"
#include "proto/page.h"

#include <stdbool.h>
#include <sys/types.h>

/* One owner: its slot, or the list of orphans; once dead, whoever has it reaped. The page stays mapped until the reaper is through with it. */
struct mr_child {
    struct mr_list node; /* in mr_dispatcher.children while it lives or is being reaped */
    char worker[MR_WORKER_MAX];
    char *pool;
    char **queues; /* names, as its page says */
    unsigned n_queues;
    pid_t
        pid; /* 0 before spawn, or where spawn failed; also its session and its process group */
    struct mr_page page; /* header NULL: the file was nonsense, the page is lost */
    int page_fd;         /* -1: none */
    char *page_path;     /* removed when reaped */
    bool registered;     /* in Q:workers of every queue */
    bool orphan;       /* not renewed by us: it renews itself, or will not die of our SIGKILL */
    bool dead;         /* exited: no more renewal */
    bool killed_by_us; /* SIGKILL by a deadline of ours: not a crash */
    bool one_by_one;   /* fetches one job at a time until it has ended a delivery */
    bool unexplained;  /* died with jobs leased, and the reaper found nobody to blame */
    int status;        /* of waitpid; -1 for orphans, whose status nobody gets */
};

/* A child of this pool with copies of the queues' names, in no list, without page. worker may be NULL until drawn. */
struct mr_child *mr_child_new(const char *pool, const char *worker, const char *const *queues,
                              unsigned n_queues);
/* Replaces the queues' names, for a child whose page is lost. */
void mr_child_set_queues(struct mr_child *child, const char *const *queues, unsigned n_queues);
/* Leaves its list; unmaps and closes the page, the file stays (mr_pages_drop removes it). NULL is accepted. */
void mr_child_free(struct mr_child *child);
/* SIGKILL to its whole process group. */
void mr_child_kill(struct mr_child *child);

#endif
