#include "worker/leave.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "worker/wake.h"
#include "worker/worker.h"

#include <signal.h>
#include <unistd.h>

enum {
    LEAVE_ANYWAY_MS =
        5000 /* after grace: what is not answered then is the reaper's, who has the page */
};

void mr_worker_leave(struct mr_worker *worker, enum mr_worker_fate fate)
{
    static const char *const names[] = {"serve", "told", "recycle", "fenced", "stuck"};

    if (worker->fate != MR_FATE_SERVE && fate != MR_FATE_FENCED)
        return;
    if (worker->fate == fate)
        return;
    mr_log_info("worker.leaves", "why=%s running=%u", names[fate],
                mr_runner_running(worker->runner));
    worker->fate = fate;
    worker->fate_at_ms = mr_clock_ms();
    worker->page.header->state = MR_WORKER_DRAINING;
    if (!worker->standalone)
        mr_parent_say(&worker->parent, fate == MR_FATE_STUCK ? 'h' : 'd');
    mr_worker_wake(worker);
}

static bool all_settled(const struct mr_worker *worker)
{
    for (unsigned i = 0; i < worker->n_sources; i++) {
        mr_list_each (node, &worker->sources[i].leases) {
            const struct mr_lease *lease = mr_list_entry(node, struct mr_lease, node);
            bool only_dropped = lease->owed == 0 && lease->count[MR_ITEM_DROPPED] > 0 &&
                                lease->n_unsettled_scripts == 0 && mr_list_empty(&lease->dirty);

            if (!only_dropped)
                return false;
        }
        if (!mr_wait_is_quiet(worker->sources[i].wait))
            return false;
    }
    return true;
}

static void closed_one(void *arg)
{
    struct mr_worker *worker = arg;

    worker->closing--;
}

static void close_all(struct mr_worker *worker)
{
    worker->leaving = true;
    worker->page.header->state = MR_WORKER_LEFT;
    uv_close((uv_handle_t *)&worker->turn_end, NULL);
    uv_close((uv_handle_t *)&worker->more, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_close((uv_handle_t *)&worker->again, NULL);
    uv_close((uv_handle_t *)&worker->sigterm, NULL);
    uv_close((uv_handle_t *)&worker->sigint, NULL);
    uv_close((uv_handle_t *)&worker->sigusr1, NULL);
    /* Nobody hears them any more, and it leaves anyway: they must not make its end look like a crash. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    if (!worker->standalone)
        mr_parent_stop(&worker->parent);
    worker->closing = 2 + worker->n_sources;
    for (unsigned i = 0; i < worker->n_sources; i++)
        mr_wait_stop(worker->sources[i].wait, closed_one, worker);
    mr_store_stop(worker->store, closed_one, worker);
    if (mr_runner_running(worker->runner) == 0)
        mr_runner_close(worker->runner, closed_one, worker);
    else
        _exit(70); /* a handler never let go: the page tells the reaper what runs */
}

/*
 * An orphan finishes what it runs, however slow: nobody asked it to be quick, and it renews itself. A worker with a
 * stuck job is ended by its parent, when the neighbours have finished.
 */
static bool nobody_hurries(const struct mr_worker *worker)
{
    if (worker->parent_gone)
        return !worker->told;
    return worker->fate == MR_FATE_STUCK && !worker->standalone;
}

void mr_leave_if_over(struct mr_worker *worker)
{
    uint64_t gone_ms = mr_clock_ms() - worker->fate_at_ms;
    unsigned running = mr_runner_running(worker->runner);
    bool patience_over = gone_ms > worker->config->grace_ms + LEAVE_ANYWAY_MS;

    if (running > 0 && nobody_hurries(worker)) {
        worker->fate_at_ms =
            mr_clock_ms(); /* grace begins when somebody does, or with the last job's end */
        return;
    }
    if (running > 0 && gone_ms > worker->config->grace_ms && !worker->released) {
        worker->released = true;
        mr_runner_release_all(worker->runner);
    }
    if ((running == 0 && all_settled(worker)) || patience_over)
        close_all(worker);
}
