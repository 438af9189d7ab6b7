#include "dispatcher/child.h"

#include "proto/base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct mr_child *mr_child_new(const char *pool, const char *worker, const char *const *queues,
                              unsigned n_queues)
{
    struct mr_child *child = mr_zalloc(sizeof(*child));

    mr_list_init(&child->node);
    child->pool = mr_strdup(pool);
    child->page_fd = -1;
    child->status = -1;
    if (worker)
        snprintf(child->worker, sizeof(child->worker), "%s", worker);
    mr_child_set_queues(child, queues, n_queues);
    return child;
}

static void free_queues(struct mr_child *child)
{
    for (unsigned q = 0; q < child->n_queues; q++)
        free(child->queues[q]);
    free(child->queues);
}

void mr_child_set_queues(struct mr_child *child, const char *const *queues, unsigned n_queues)
{
    free_queues(child);
    child->queues = mr_zalloc_array(n_queues, sizeof(*child->queues));
    child->n_queues = n_queues;
    for (unsigned q = 0; q < n_queues; q++)
        child->queues[q] = mr_strdup(queues[q]);
}

void mr_child_free(struct mr_child *child)
{
    if (!child)
        return;
    mr_list_remove(&child->node);
    mr_page_unmap(&child->page);
    if (child->page_fd >= 0)
        close(child->page_fd);
    free_queues(child);
    free(child->page_path);
    free(child->pool);
    free(child);
}

void mr_child_kill(struct mr_child *child)
{
    if (child->pid <= 0)
        return;
    /* Between fork and setsid the group does not exist yet. */
    if (kill(-child->pid, SIGKILL) < 0)
        kill(child->pid, SIGKILL);
}
