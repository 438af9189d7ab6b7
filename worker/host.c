#include "worker/host.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "worker/delivery.h"
#include "worker/follow.h"
#include "worker/handler.h"
#include "worker/run.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct share {
    struct mr_list node;
    char *name;
    void *thing;
    void (*close)(void *shared);
};

void mr_host_init(struct mr_host *host, uv_loop_t *loop, const struct mr_config *config,
                  const struct mr_pool_config *pool, struct mr_page *page)
{
    *host = (struct mr_host){.loop = loop, .config = config, .pool = pool, .page = page};
    uv_mutex_init(&host->counters_lock);
    mr_list_init(&host->shares);
}

void mr_host_fini(struct mr_host *host)
{
    mr_list_each_safe (node, &host->shares) {
        struct share *share = mr_list_entry(node, struct share, node);

        if (share->close)
            share->close(share->thing);
        mr_list_remove(node);
        free(share->name);
        free(share);
    }
    uv_mutex_destroy(&host->counters_lock);
}

uv_loop_t *mr_host_loop(struct mr_host *host)
{
    return host->loop;
}

json_t *mr_host_config(struct mr_host *host, const char *section)
{
    return json_object_get(host->config->sections, section);
}

static enum mr_log_level level_of(int level)
{
    if (level <= MR_LOG_ERROR)
        return MR_LOG_ERROR;
    return level < MR_LOG_DEBUG ? (enum mr_log_level)level : MR_LOG_DEBUG;
}

void mr_host_log(struct mr_host *host, int level, const char *event, const char *format, ...)
{
    va_list args;

    (void)host;
    va_start(args, format);
    mr_log_words(level_of(level), event, NULL, 0, format, args);
    va_end(args);
}

/* The row of a name, adding it; n when all are taken. With the lock held. */
static unsigned row_of(char (*names)[MR_PAGE_NAME], unsigned n, const char *name)
{
    unsigned row = 0;

    for (; row < n && names[row][0] != '\0'; row++)
        if (strncmp(names[row], name, MR_PAGE_NAME) == 0)
            return row;
    if (row < n)
        memcpy(names[row], name, strlen(name) + 1);
    return row;
}

static bool is_counter_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < MR_PAGE_NAME && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == len;
}

void mr_host_counter(struct mr_host *host, const char *name, uint64_t n)
{
    struct mr_page_header *header = host->page->header;

    if (!is_counter_name(name))
        return;
    uv_mutex_lock(&host->counters_lock);
    unsigned row = row_of(header->counter_names, MR_PAGE_COUNTERS, name);
    if (row < MR_PAGE_COUNTERS)
        atomic_fetch_add_explicit(&header->counters[row], n, memory_order_relaxed);
    uv_mutex_unlock(&host->counters_lock);
}

void mr_host_gauge(struct mr_host *host, const char *name, int64_t n)
{
    struct mr_page_header *header = host->page->header;

    if (!is_counter_name(name))
        return;
    uv_mutex_lock(&host->counters_lock);
    unsigned row = row_of(header->gauge_names, MR_PAGE_GAUGES, name);
    if (row < MR_PAGE_GAUGES)
        atomic_fetch_add_explicit(&header->gauges[row], n, memory_order_relaxed);
    uv_mutex_unlock(&host->counters_lock);
}

enum mr_code mr_host_share(struct mr_host *host, const char *name,
                           enum mr_code (*open)(struct mr_host *host, void **out,
                                                struct mr_err *err),
                           void (*close)(void *shared), void **out, struct mr_err *err)
{
    void *thing = NULL;

    mr_list_each (node, &host->shares) {
        struct share *share = mr_list_entry(node, struct share, node);

        if (strcmp(share->name, name) == 0) {
            *out = share->thing;
            return MR_OK;
        }
    }
    enum mr_code code = open(host, &thing, err);
    if (code != MR_OK)
        return code;

    struct share *share = mr_zalloc(sizeof(*share));
    share->name = mr_strdup(name);
    share->thing = thing;
    share->close = close;
    mr_list_push_front(&host->shares, &share->node);
    *out = thing;
    return MR_OK;
}

static struct mr_host *host_of(const struct mr_delivery *d)
{
    return mr_runner_host(d->runner);
}

const char *mr_job_name(const struct mr_job *job)
{
    return mr_delivery_of(job)->job_name;
}

const char *mr_job_uuid(const struct mr_job *job)
{
    return mr_delivery_uuid(mr_delivery_of(job));
}

const char *mr_job_queue(const struct mr_job *job)
{
    const struct mr_delivery *d = mr_delivery_of(job);

    return host_of(d)->pool->queues[d->address.queue];
}

unsigned mr_job_attempt(const struct mr_job *job)
{
    return mr_delivery_attempt(mr_delivery_of(job));
}

unsigned mr_job_max_tries(const struct mr_job *job)
{
    return mr_delivery_of(job)->policy.tries;
}

json_t *mr_job_data(struct mr_job *job, struct mr_err *err)
{
    return mr_delivery_data(mr_delivery_of(job), err);
}

const char *mr_job_raw(const struct mr_job *job, size_t *out_len)
{
    const struct mr_delivery *d = mr_delivery_of(job);

    *out_len = d->envelope.raw.len;
    return d->envelope.raw.at;
}

const char *mr_job_data_raw(const struct mr_job *job, size_t *out_len)
{
    struct mr_bytes data = mr_delivery_of(job)->envelope.data;

    if (!data.at)
        data = mr_bytes_of("null");
    *out_len = data.len;
    return data.at;
}

uint64_t mr_job_deadline_ms(const struct mr_job *job)
{
    return mr_delivery_of(job)->deadline_at_ms;
}

uint64_t mr_job_grace_ms(const struct mr_job *job)
{
    return mr_runner_cancel_grace_ms(mr_delivery_of(job)->runner);
}

const char *mr_job_traceparent(const struct mr_job *job)
{
    return mr_delivery_traceparent(mr_delivery_of(job));
}

struct mr_host *mr_job_host(struct mr_job *job)
{
    return host_of(mr_delivery_of(job));
}

void mr_job_set(struct mr_job *job, void *own)
{
    mr_delivery_of(job)->own = own;
}

void *mr_job_get(const struct mr_job *job)
{
    return mr_delivery_of(job)->own;
}

_Static_assert(MR_PAGE_HANDED == MR_JOB_HANDED,
               "the page knows this mark of a job by its value");

void mr_job_mark(struct mr_job *job, uint32_t marks)
{
    struct mr_delivery *d = mr_delivery_of(job);

    atomic_fetch_or_explicit(&d->marks, marks, memory_order_relaxed);
    if ((marks & MR_JOB_HANDED) && host_of(d)->page) /* there it outlives us */
        atomic_fetch_or(&host_of(d)->page->places[d->place].marks, MR_JOB_HANDED);
}

bool mr_job_in_doubt(const struct mr_job *job)
{
    return mr_delivery_of(job)->envelope.in_doubt > 0;
}

uint32_t mr_job_marks(const struct mr_job *job)
{
    return atomic_load_explicit(&mr_delivery_of(job)->marks, memory_order_relaxed);
}

void mr_job_progress(struct mr_job *job, unsigned pct)
{
    struct mr_delivery *d = mr_delivery_of(job);

    atomic_store_explicit(&host_of(d)->page->places[d->place].progress_pct,
                          pct < 100 ? pct : 100, memory_order_relaxed);
}

void mr_job_progress_count(struct mr_job *job, uint64_t done)
{
    struct mr_delivery *d = mr_delivery_of(job);

    atomic_store_explicit(&host_of(d)->page->places[d->place].progress_count, done,
                          memory_order_relaxed);
}

enum mr_code mr_job_push(struct mr_job *job, const struct mr_push *push, struct mr_err *err)
{
    struct mr_delivery *d = mr_delivery_of(job);
    const struct mr_config *config = host_of(d)->config;

    return mr_follow_add(d, push, config->redis.prefix, &config->limits, err);
}

void mr_job_log(struct mr_job *job, int level, const char *event, const char *format, ...)
{
    const struct mr_log_word first[] = {
        {"job",  mr_job_name(job)},
        {"uuid", mr_job_uuid(job)},
    };
    va_list args;

    if (level_of(level) > mr_log_level())
        return;
    va_start(args, format);
    mr_log_words(level_of(level), event, first, MR_COUNT(first), format, args);
    va_end(args);
}

void mr_job_enter(struct mr_job *job)
{
    mr_runner_enter(mr_delivery_of(job));
}

void mr_job_leave(struct mr_job *job)
{
    mr_runner_leave(mr_delivery_of(job));
}

bool mr_job_cancelled(const struct mr_job *job)
{
    return atomic_load_explicit(&mr_delivery_of(job)->cancelled, memory_order_relaxed);
}

void mr_job_finish(struct mr_job *job, struct mr_outcome outcome)
{
    mr_runner_finish(mr_delivery_of(job), outcome);
}
