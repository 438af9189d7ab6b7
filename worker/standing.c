#include "worker/standing.h"

#include "proto/base/clock.h"
#include "worker/sync.h"
#include "worker/worker.h"

bool mr_standing_is_fresh(const struct mr_worker *worker, uint64_t per_mille)
{
    uint64_t stamp = worker->page.header->renewed_at_ms;

    return stamp && mr_clock_ms() - stamp < worker->config->lease_ms * per_mille / 1000;
}

static void renewed(struct mr_worker *worker)
{
    if (worker->renew_failed)
        return;
    worker->page.header->renewed_at_ms = worker->renew_sent_at_ms;
    mr_worker_wake(worker);
}

static void on_renewed(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_worker *worker = arg;

    if (code != MR_OK)
        worker->renew_failed = true;
    else if (reply->elements > 0) {
        worker->renew_failed = true;
        mr_worker_fenced(worker, "renew");
    }
    if (--worker->renew_owed == 0)
        renewed(worker);
}

/* One rule covers an orphan, a dispatcher that hangs, and a worker started by hand: nobody else renews, so it does. */
void mr_standing_renew_if_needed(struct mr_worker *worker)
{
    const char *names[] = {worker->incarnation};

    if (!worker->synced || worker->renew_owed > 0 || worker->page.header->fenced)
        return;
    if (!worker->standalone && !worker->parent_gone && mr_standing_is_fresh(worker, 500))
        return;
    worker->renew_failed = false;
    worker->renew_sent_at_ms = mr_clock_ms();
    for (unsigned i = 0; i < worker->n_sources; i++)
        if (mr_store_renew(worker->store, &worker->sources[i].keys, names, 1,
                           worker->config->lease_ms, on_renewed, worker) == MR_OK)
            worker->renew_owed++;
}

static void on_registered(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_worker *worker = arg;

    if (code == MR_OK && reply->integer == 1) {
        if (++worker->n_registered == worker->n_sources) {
            worker->page.header->renewed_at_ms = worker->renew_sent_at_ms;
            mr_sync_start(worker);
        }
    } else if (code == MR_OK) {
        mr_worker_fenced(worker, "register");
    } else if (reply) {
        mr_link_drop(mr_store_link(worker->store), "registration was refused");
    }
}

/* A worker started by hand has nobody who registers it before. */
void mr_standing_register(struct mr_worker *worker)
{
    worker->n_registered = 0;
    worker->renew_sent_at_ms = mr_clock_ms();
    for (unsigned i = 0; i < worker->n_sources; i++)
        mr_store_register(worker->store, &worker->sources[i].keys, worker->incarnation,
                          worker->config->lease_ms, on_registered, worker);
}
