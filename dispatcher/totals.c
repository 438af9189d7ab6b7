#include "dispatcher/totals.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <stdlib.h>
#include <string.h>

#define OTHER "other"

/* A name in a page, copied so that it ends and stays as it was when it was checked. */
struct name {
    char text[MR_PAGE_NAME > 104 ? MR_PAGE_NAME + 1 : 105];
};

static struct name read_name(const char *at, size_t room)
{
    struct name name = {{0}};

    memcpy(name.text, at, room < sizeof(name.text) ? room : sizeof(name.text) - 1);
    return name;
}

/* The row of name at the front of each of n rows, or NULL. All rows begin with their names. */
static void *find(const void *rows, size_t n, size_t row_size, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        char *row = (char *)(uintptr_t)rows + i * row_size;
        const char *has;

        memcpy(&has, row, sizeof(has));
        if (strcmp(has, name) == 0)
            return row;
    }
    return NULL;
}

/* A zeroed row behind the last; the pointer is good until the next. */
static void *append(void **rows, size_t *n, size_t row_size)
{
    if ((*n & (*n - 1)) == 0) /* 0, 1, 2, 4, 8...: full */
        *rows = mr_realloc(*rows, (*n ? *n * 2 : 1) * row_size);
    void *row = (char *)*rows + (*n)++ * row_size;
    return memset(row, 0, row_size);
}

static struct mr_total_run *run_row(struct mr_totals *t, const char *job)
{
    struct mr_total_run *row = find(t->runs, t->n_runs, sizeof(*row), job);

    if (row)
        return row;
    if (t->n_runs >= MR_TOTALS_JOBS && strcmp(job, OTHER) != 0)
        return run_row(t, OTHER);
    void *rows = t->runs;
    row = append(&rows, &t->n_runs, sizeof(*row));
    t->runs = rows;
    row->job = mr_strdup(job);
    return row;
}

static struct mr_total_wait *wait_row(struct mr_totals *t, const char *queue)
{
    struct mr_total_wait *row = find(t->waits, t->n_waits, sizeof(*row), queue);

    if (row)
        return row;
    void *rows = t->waits;
    row = append(&rows, &t->n_waits, sizeof(*row));
    t->waits = rows;
    row->queue = mr_strdup(queue);
    return row;
}

static struct mr_total_pool *pool_row(struct mr_totals *t, const char *pool)
{
    struct mr_total_pool *row = find(t->pools, t->n_pools, sizeof(*row), pool);

    if (row)
        return row;
    void *rows = t->pools;
    row = append(&rows, &t->n_pools, sizeof(*row));
    t->pools = rows;
    row->pool = mr_strdup(pool);
    return row;
}

/* Of counters or of gauges. */
static struct mr_total_counter *counter_row(struct mr_total_counter **counters, size_t *n,
                                            const char *name)
{
    struct mr_total_counter *row = find(*counters, *n, sizeof(*row), name);

    if (row)
        return row;
    if (*n >= MR_TOTALS_JOBS && strcmp(name, OTHER) != 0)
        return counter_row(counters, n, OTHER);
    void *rows = *counters;
    row = append(&rows, n, sizeof(*row));
    *counters = rows;
    row->name = mr_strdup(name);
    return row;
}

static struct mr_total_verdicts *verdict_row(struct mr_totals *t, const char *queue,
                                             const char *job)
{
    for (size_t i = 0; i < t->n_verdicts; i++)
        if (strcmp(t->verdicts[i].queue, queue) == 0 && strcmp(t->verdicts[i].job, job) == 0)
            return &t->verdicts[i];
    if (t->n_verdicts >= MR_TOTALS_ROWS && strcmp(job, OTHER) != 0)
        return verdict_row(t, queue, OTHER);

    void *rows = t->verdicts;
    struct mr_total_verdicts *row = append(&rows, &t->n_verdicts, sizeof(*row));
    t->verdicts = rows;
    row->queue = mr_strdup(queue);
    row->job = mr_strdup(job);
    return row;
}

/* Row 0 of a page is "other"; so is a name that no job can have. */
static struct name job_name(const struct mr_page *page, uint32_t row)
{
    struct name name = read_name(page->header->job_names[row], MR_PAGE_NAME);

    if (row == 0 || !mr_str_is_job_name(mr_bytes_of(name.text)))
        strcpy(name.text, OTHER);
    return name;
}

static void add_verdicts(struct mr_totals *t, const struct mr_page *page, const char *queue,
                         uint32_t q, const char *job, uint32_t j)
{
    uint64_t counted[MR_PAGE_VERDICTS], any = 0;

    for (unsigned v = 0; v < MR_PAGE_VERDICTS; v++)
        any |= counted[v] = *mr_page_verdict_of(page, q, j, (enum mr_page_verdict)v);
    if (!any)
        return;
    struct mr_total_verdicts *row = verdict_row(t, queue, job);
    for (unsigned v = 0; v < MR_PAGE_VERDICTS; v++)
        row->verdicts[v] += counted[v];
}

static void add_jobs(struct mr_totals *t, const struct mr_page *page)
{
    uint32_t n = page->header->n_jobs;

    if (n > MR_PAGE_JOBS)
        n = MR_PAGE_JOBS;
    for (uint32_t j = 0; j == 0 || j < n; j++) {
        struct name job = job_name(page, j);

        if (page->header->run[j].count)
            mr_histogram_merge(&run_row(t, job.text)->seconds, &page->header->run[j]);
        for (uint32_t q = 0; q < page->shape.n_queues; q++) {
            struct name queue = read_name(page->queue_names[q], sizeof(page->queue_names[q]));

            if (mr_str_is_queue_name(mr_bytes_of(queue.text)))
                add_verdicts(t, page, queue.text, q, job.text, j);
        }
    }
}

static void add_waits(struct mr_totals *t, const struct mr_page *page)
{
    for (uint32_t q = 0; q < page->shape.n_queues; q++) {
        struct name queue = read_name(page->queue_names[q], sizeof(page->queue_names[q]));

        if (page->waits[q].count && mr_str_is_queue_name(mr_bytes_of(queue.text)))
            mr_histogram_merge(&wait_row(t, queue.text)->seconds, &page->waits[q]);
    }
}

static void add_pool(struct mr_totals *t, const struct mr_page *page)
{
    struct mr_page_header *header = page->header;
    struct name pool = read_name(header->pool, sizeof(header->pool));

    if (!mr_str_is_queue_name(mr_bytes_of(pool.text)))
        return;
    struct mr_total_pool *row = pool_row(t, pool.text);
    row->fetched += header->fetched;
    row->started += header->started;
    row->finished += header->finished;
    row->lease_lost += header->lease_lost;
    row->late_settles += header->late_settles;
    row->empty_fetches += header->empty_fetches;
    row->wakes += header->wakes;
    row->redis_reconnects += header->redis_reconnects;
}

static void add_counters(struct mr_totals *t, const struct mr_page *page)
{
    for (unsigned i = 0; i < MR_PAGE_COUNTERS; i++) {
        struct name name = read_name(page->header->counter_names[i], MR_PAGE_NAME);

        if (mr_str_is_job_name(mr_bytes_of(name.text)))
            counter_row(&t->counters, &t->n_counters, name.text)->value +=
                page->header->counters[i];
    }
}

void mr_totals_add_gauges(struct mr_totals *totals, const struct mr_page *page)
{
    for (unsigned i = 0; page->header && i < MR_PAGE_GAUGES; i++) {
        struct name name = read_name(page->header->gauge_names[i], MR_PAGE_NAME);
        int64_t value = page->header->gauges[i];

        if (mr_str_is_job_name(mr_bytes_of(name.text)))
            counter_row(&totals->gauges, &totals->n_gauges, name.text)->value +=
                value > 0 ? (uint64_t)value : 0;
    }
}

struct mr_totals *mr_totals_new(void)
{
    return mr_zalloc(sizeof(struct mr_totals));
}

void mr_totals_add(struct mr_totals *totals, const struct mr_page *page)
{
    if (!page->header)
        return;
    add_pool(totals, page);
    add_jobs(totals, page);
    add_waits(totals, page);
    add_counters(totals, page);
}

struct mr_totals *mr_totals_copy(const struct mr_totals *from)
{
    struct mr_totals *to = mr_totals_new();

    for (size_t i = 0; i < from->n_verdicts; i++)
        memcpy(verdict_row(to, from->verdicts[i].queue, from->verdicts[i].job)->verdicts,
               from->verdicts[i].verdicts, sizeof(from->verdicts[i].verdicts));
    for (size_t i = 0; i < from->n_runs; i++)
        run_row(to, from->runs[i].job)->seconds = from->runs[i].seconds;
    for (size_t i = 0; i < from->n_waits; i++)
        wait_row(to, from->waits[i].queue)->seconds = from->waits[i].seconds;
    for (size_t i = 0; i < from->n_pools; i++) {
        struct mr_total_pool *row = pool_row(to, from->pools[i].pool);
        char *name = row->pool;

        *row = from->pools[i];
        row->pool = name;
    }
    for (size_t i = 0; i < from->n_counters; i++)
        counter_row(&to->counters, &to->n_counters, from->counters[i].name)->value =
            from->counters[i].value;
    return to;
}

void mr_totals_free(struct mr_totals *totals)
{
    if (!totals)
        return;
    for (size_t i = 0; i < totals->n_verdicts; i++) {
        free(totals->verdicts[i].queue);
        free(totals->verdicts[i].job);
    }
    for (size_t i = 0; i < totals->n_runs; i++)
        free(totals->runs[i].job);
    for (size_t i = 0; i < totals->n_waits; i++)
        free(totals->waits[i].queue);
    for (size_t i = 0; i < totals->n_pools; i++)
        free(totals->pools[i].pool);
    for (size_t i = 0; i < totals->n_counters; i++)
        free(totals->counters[i].name);
    for (size_t i = 0; i < totals->n_gauges; i++)
        free(totals->gauges[i].name);
    free(totals->verdicts);
    free(totals->runs);
    free(totals->waits);
    free(totals->pools);
    free(totals->counters);
    free(totals->gauges);
    free(totals);
}
