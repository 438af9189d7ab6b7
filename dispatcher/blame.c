#include "dispatcher/blame.h"

#include "proto/base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { EXIT_AS_TOLD = 0, EXIT_RECYCLE = 75, EXIT_FENCED = 76, BITS_A_WORD = 64 };

static const struct {
    int number;
    const char *name;
    bool crash; /* the code's own fault: the crash handler knows which thread did it */
} signals[] = {
    {SIGSEGV, "SIGSEGV", true },
    {SIGABRT, "SIGABRT", true },
    {SIGBUS,  "SIGBUS",  true },
    {SIGFPE,  "SIGFPE",  true },
    {SIGILL,  "SIGILL",  true },
    {SIGKILL, "SIGKILL", false},
    {SIGTERM, "SIGTERM", false},
    {SIGINT,  "SIGINT",  false},
    {SIGHUP,  "SIGHUP",  false},
    {SIGQUIT, "SIGQUIT", false},
    {SIGXCPU, "SIGXCPU", false},
    {SIGSYS,  "SIGSYS",  false},
};

/* What the parent saw; for an orphan, whose status nobody gets, what its crash handler wrote. */
static int signal_of(const struct mr_page *page, const struct mr_death *death)
{
    if (death->status < 0)
        return (int)atomic_load(&page->header->crash_signal);
    return WIFSIGNALED(death->status) ? WTERMSIG(death->status) : 0;
}

static bool is_crash(int number)
{
    for (size_t i = 0; i < MR_COUNT(signals); i++)
        if (signals[i].number == number)
            return signals[i].crash;
    return false;
}

static void tell_cause(const struct mr_page *page, const struct mr_death *death,
                       struct mr_blames *out)
{
    int number = signal_of(page, death);

    snprintf(out->cause, sizeof(out->cause), "signal %d", number);
    for (size_t i = 0; i < MR_COUNT(signals); i++)
        if (signals[i].number == number)
            snprintf(out->cause, sizeof(out->cause), "%s", signals[i].name);
    if (number == 0 && death->status >= 0)
        snprintf(out->cause, sizeof(out->cause), "exit status %d", WEXITSTATUS(death->status));
    else if (number == 0)
        snprintf(out->cause, sizeof(out->cause), "its process is gone");
}

static bool left_in_order(const struct mr_page *page, const struct mr_death *death)
{
    if (death->status < 0)
        return atomic_load(&page->header->state) == MR_WORKER_LEFT;
    if (!WIFEXITED(death->status))
        return false;
    int status = WEXITSTATUS(death->status);
    return status == EXIT_AS_TOLD || status == EXIT_RECYCLE || status == EXIT_FENCED;
}

static bool bit(_Atomic uint64_t words[2], uint32_t index)
{
    return (atomic_load(&words[index / BITS_A_WORD]) >> (index % BITS_A_WORD)) & 1;
}

/* A place that holds a job whose verdict does not stand yet, told to stop or not. Nothing in it is believed. */
static bool is_begun(const struct mr_page *page, uint32_t number)
{
    if (number >= page->shape.n_places)
        return false;
    const struct mr_page_place *place = &page->places[number];
    uint32_t state = atomic_load(&place->state);

    if (state != MR_PLACE_PARSING && state != MR_PLACE_RUNNING && state != MR_PLACE_CANCELLED)
        return false;
    if (place->queue >= page->shape.n_queues || place->k >= page->shape.n_names ||
        place->index >= MR_PAGE_BATCH)
        return false;
    struct mr_page_lease *lease = mr_page_lease_of(page, place->queue, place->k);
    return !bit(lease->done, place->index) && !bit(lease->settling, place->index);
}

static bool is_running(const struct mr_page *page, uint32_t number)
{
    return is_begun(page, number) &&
           atomic_load(&page->places[number].state) != MR_PLACE_CANCELLED;
}

static bool is_in_doubt(const struct mr_page *page, uint32_t number)
{
    return is_begun(page, number) &&
           (atomic_load(&page->places[number].marks) & MR_PAGE_HANDED) != 0;
}

static void add(struct mr_blames *out, struct mr_blame blame)
{
    out->items = mr_realloc(out->items, (out->n_items + 1) * sizeof(*out->items));
    out->items[out->n_items++] = blame;
}

static void blame(const struct mr_page *page, uint32_t number, enum mr_outcome_kind outcome,
                  struct mr_blames *out)
{
    const struct mr_page_place *place = &page->places[number];

    add(out, (struct mr_blame){.queue = place->queue,
                               .k = place->k,
                               .index = place->index,
                               .outcome = outcome,
                               .in_doubt = is_in_doubt(page, number)});
}

static void blame_all_running(const struct mr_page *page, enum mr_outcome_kind outcome,
                              struct mr_blames *out)
{
    for (uint32_t i = 0; i < page->shape.n_places; i++)
        if (is_running(page, i))
            blame(page, i, outcome, out);
}

static unsigned count_running(const struct mr_page *page)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < page->shape.n_places; i++)
        n += is_running(page, i);
    return n;
}

/*
 * Killed by a deadline of ours: whoever passed his. If nobody did, the loop itself stood still: whoever held it. While
 * draining we kill what would not stop, and that costs nobody an attempt.
 */
static void blame_the_late(const struct mr_page *page, struct mr_blames *out)
{
    uint32_t current = atomic_load(&page->current[0]);

    for (uint32_t i = 0; i < page->shape.n_places; i++)
        if (is_running(page, i) && page->places[i].timed_out)
            blame(page, i, MR_OUTCOME_TIMED_OUT, out);
    if (out->n_items == 0 && atomic_load(&page->header->state) == MR_WORKER_SERVING &&
        is_running(page, current))
        blame(page, current, MR_OUTCOME_TIMED_OUT, out);
}

/*
 * A worker that takes one job at a time, and none has ended: if it holds just this one and nothing has begun, the job itself is
 * what it died of, before it could be read.
 */
static void blame_the_unread(const struct mr_page *page, struct mr_blames *out)
{
    const struct mr_page_shape *shape = &page->shape;
    struct mr_blame unread = {.outcome = MR_OUTCOME_CRASHED, .unread = true};
    unsigned n_held = 0;
    bool settled = false;

    for (uint32_t queue = 0; queue < shape->n_queues; queue++)
        for (uint32_t k = 0; k < shape->n_names; k++) {
            struct mr_page_lease *lease = mr_page_lease_of(page, queue, k);
            uint32_t n = atomic_load(&lease->n);

            if (n == 0)
                continue;
            n_held += n == 1 ? 1 : MR_PAGE_BATCH;
            settled = bit(lease->done, 0) || bit(lease->settling, 0);
            unread.queue = queue;
            unread.k = k;
        }
    if (n_held == 1 && !settled)
        add(out, unread);
}

/* The place that did it, if anything names exactly one. */
static uint32_t find_culprit(const struct mr_page *page, const struct mr_death *death)
{
    uint32_t crashed = atomic_load(&page->header->crash_place);
    uint32_t current = atomic_load(&page->current[0]);

    if (is_crash(signal_of(page, death)) && is_running(page, crashed))
        return crashed;
    if (is_running(page, current))
        return current;
    return MR_PAGE_NOBODY;
}

static void blame_the_culprit(const struct mr_page *page, const struct mr_death *death,
                              struct mr_blames *out)
{
    uint32_t culprit = find_culprit(page, death);

    if (culprit != MR_PAGE_NOBODY)
        blame(page, culprit, MR_OUTCOME_CRASHED, out);
    else
        blame_all_running(
            page, count_running(page) == 1 ? MR_OUTCOME_CRASHED : MR_OUTCOME_SUSPECT, out);
    if (out->n_items == 0 && death->one_by_one && atomic_load(&page->header->finished) == 0)
        blame_the_unread(page, out);
    out->unexplained = out->n_items == 0 && death->status >= 0;
}

static bool is_blamed(const struct mr_blames *blames, const struct mr_page_place *place)
{
    for (unsigned i = 0; i < blames->n_items; i++) {
        const struct mr_blame *item = &blames->items[i];

        if (item->queue == place->queue && item->k == place->k && item->index == place->index)
            return true;
    }
    return false;
}

/* However the worker ended, and whose fault ever that was: what may be done must not come back as if it were not. */
static void blame_the_doubtful(const struct mr_page *page, struct mr_blames *out)
{
    for (uint32_t i = 0; i < page->shape.n_places; i++)
        if (is_in_doubt(page, i) && !is_blamed(out, &page->places[i]))
            blame(page, i, MR_OUTCOME_LOST, out);
}

/* A verdict stood and may not have reached Redis: if the place still holds its job, the attempt counts and nothing more. */
static void add_unanswered(const struct mr_page *page, struct mr_blames *out)
{
    const struct mr_page_shape *shape = &page->shape;

    for (uint32_t queue = 0; queue < shape->n_queues; queue++)
        for (uint32_t k = 0; k < shape->n_names; k++) {
            struct mr_page_lease *lease = mr_page_lease_of(page, queue, k);

            if (atomic_load(&lease->n) == 0)
                continue;
            for (uint32_t i = 0; i < MR_PAGE_BATCH; i++)
                if (bit(lease->settling, i) && !bit(lease->done, i))
                    add(out, (struct mr_blame){.queue = queue,
                                               .k = k,
                                               .index = i,
                                               .outcome = MR_OUTCOME_LOST,
                                               .in_doubt = true});
        }
}

void mr_blame_decide(const struct mr_page *page, const struct mr_death *death,
                     struct mr_blames *out)
{
    *out = (struct mr_blames){0};
    tell_cause(page, death, out);
    if (death->killed_by_us)
        blame_the_late(page, out);
    else if (!left_in_order(page, death))
        blame_the_culprit(page, death, out);
    blame_the_doubtful(page, out);
    add_unanswered(page, out);
}

void mr_blames_fini(struct mr_blames *blames)
{
    free(blames->items);
    *blames = (struct mr_blames){0};
}

struct mr_outcome mr_blame_outcome(const struct mr_blames *blames, const struct mr_blame *blame)
{
    switch (blame->outcome) {
    case MR_OUTCOME_CRASHED:
        return mr_outcome_of(blame->outcome, "crashed: %s%s", blames->cause,
                             blame->unread ? ", its worker died before it could be read" : "");
    case MR_OUTCOME_SUSPECT:
        return mr_outcome_of(blame->outcome, "one of several that ran when the worker died: %s",
                             blames->cause);
    case MR_OUTCOME_TIMED_OUT:
        return mr_outcome_of(blame->outcome,
                             "timed out: did not stop at its deadline, its worker was killed");
    default:
        return mr_outcome_of(
            blame->outcome, "lost: its worker is gone, nobody knows how far this attempt came");
    }
}
