#include "dispatcher/snapshot.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <string.h>

/* Copies a text that may not end and may hold anything; "" when it is not what it should be. */
static void read_text(char *out, size_t room, const char *at, size_t size,
                      bool (*is_good)(struct mr_bytes text))
{
    size_t len = strnlen(at, size);

    if (len == size || len >= room || !is_good((struct mr_bytes){at, len}))
        len = 0;
    memcpy(out, at, len);
    out[len] = '\0';
}

/* Any printable text: a producer chooses its uuids. */
static bool is_printable(struct mr_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] > 0x7e)
            return false;
    return true;
}

static void read_job(const struct mr_page *page, const struct mr_page_place *place,
                     enum mr_place_state state, uint64_t now_ms, struct mr_snapshot_job *out)
{
    uint32_t job = place->job, queue = place->queue;

    *out = (struct mr_snapshot_job){.state = state, .attempt = place->attempt};
    read_text(out->uuid, sizeof(out->uuid), place->uuid, sizeof(place->uuid), is_printable);
    if (job < MR_PAGE_JOBS)
        read_text(out->job, sizeof(out->job), page->header->job_names[job], MR_PAGE_NAME,
                  mr_str_is_job_name);
    if (queue < page->shape.n_queues)
        read_text(out->queue, sizeof(out->queue), page->queue_names[queue],
                  sizeof(page->queue_names[queue]), mr_str_is_queue_name);
    out->progress_pct = place->progress_pct <= 100 ? place->progress_pct : 100;
    out->progress_count = place->progress_count;
    uint64_t started_at_ms = place->started_at_ms; /* 0: not yet */
    if (started_at_ms > 0 && started_at_ms <= now_ms)
        out->running_ms = now_ms - started_at_ms;
    out->timed_out = place->timed_out != 0;
}

static void read_places(const struct mr_page *page, uint64_t now_ms,
                        struct mr_snapshot_worker *out)
{
    uint32_t n = page->shape.n_places, room = n < MR_SNAPSHOT_JOBS ? n : MR_SNAPSHOT_JOBS;

    out->jobs = mr_zalloc_array(room, sizeof(*out->jobs));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t state = page->places[i].state;

        if (state == MR_PLACE_FREE || state >= MR_PLACE_STATES)
            continue;
        out->places_busy++;
        if (out->n_jobs < room)
            read_job(page, &page->places[i], (enum mr_place_state)state, now_ms,
                     &out->jobs[out->n_jobs++]);
    }
}

void mr_snapshot_read_page(const struct mr_page *page, uint64_t now_ms,
                           struct mr_snapshot_worker *out)
{
    struct mr_page_header *header = page->header;

    if (!header)
        return;
    uint64_t beat_ms = header->beat_ms;
    out->page = true;
    out->places = page->shape.n_places;
    out->beat_ms = beat_ms && beat_ms <= now_ms ? now_ms - beat_ms : 0;
    out->fenced = header->fenced != 0;
    out->stuck = header->stuck != 0;
    out->redis_up = header->redis_up != 0;
    out->fetched = header->fetched;
    out->started = header->started;
    out->finished = header->finished;
    out->lease_lost = header->lease_lost;
    read_places(page, now_ms, out);
}
