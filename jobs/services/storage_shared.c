/* The one storage of a process, as handlers get it: without this file it serves programs that run no jobs. */
#include "jobs/services/storage_own.h"
#include "worker/handler.h"

static enum mr_code open_shared(struct mr_host *host, void **out, struct mr_err *err)
{
    struct mr_storage *storage;
    enum mr_code code = mr_storage_open(mr_host_config(host, "storage"), &storage, err);

    if (code != MR_OK)
        return code;
    storage->cancelled = mr_job_cancelled;
    storage->count = mr_host_counter;
    storage->host = host;
    *out = storage;
    return MR_OK;
}

static void close_shared(void *shared)
{
    mr_storage_close(shared);
}

enum mr_code mr_storage_get(struct mr_host *host, struct mr_storage **out, struct mr_err *err)
{
    void *shared;
    enum mr_code code = mr_host_share(host, "storage", open_shared, close_shared, &shared, err);

    if (code == MR_OK)
        *out = shared;
    return code;
}
