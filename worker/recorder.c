#include "worker/recorder.h"

#include "proto/base/mem.h"
#include "worker/delivery.h"

#include <math.h>
#include <signal.h>
#include <string.h>

enum { CRASH_STACK_BYTES = 16 * 1024 };

/*
 * What the crash handler finds out by itself: a signal handler has no argument, so these are the
 * worker's only mutable variables outside of a struct. Set before the handler is installed.
 */
static struct mr_page_header *crash_page;
/* The word of `current` that belongs to this thread; NULL on threads that run no jobs (DNS). */
static _Thread_local _Atomic uint32_t *crash_seat;
static _Thread_local char crash_stack[CRASH_STACK_BYTES];

void mr_recorder_init(struct mr_recorder *recorder, struct mr_page *page)
{
    recorder->page = page;
}

/* One writer per counter: no bus lock is needed, only that the reader sees whole words. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

void mr_recorder_place_parsing(struct mr_recorder *r, unsigned place, unsigned queue,
                               unsigned k, unsigned index)
{
    struct mr_page_place *p = &r->page->places[place];

    p->queue = queue;
    p->k = k;
    p->index = index;
    p->attempt = 0;
    p->timed_out = 0;
    p->started_at_ms = 0;
    p->deadline_at_ms = 0;
    p->job = 0;
    p->uuid[0] = '\0';
    atomic_store_explicit(&p->progress_pct, 0, memory_order_relaxed);
    atomic_store_explicit(&p->progress_count, 0, memory_order_relaxed);
    atomic_store_explicit(&p->marks, 0, memory_order_relaxed);
    atomic_store_explicit(&p->state, MR_PLACE_PARSING, memory_order_release);
}

/* Cut where it is longer than the room for it: the address is what counts, the uuid is for people. */
static void copy_uuid(char *out, size_t room, struct mr_bytes uuid)
{
    size_t len = uuid.len < room ? uuid.len : room - 1;

    if (len > 0)
        memcpy(out, uuid.at, len);
    out[len] = '\0';
}

/* Its times are 0 while it waits. */
static void show(struct mr_recorder *r, unsigned place, const struct mr_delivery *delivery,
                 enum mr_place_state state)
{
    struct mr_page_place *p = &r->page->places[place];

    p->attempt = mr_delivery_attempt(delivery);
    p->started_at_ms = delivery->started_us / 1000;
    p->deadline_at_ms = delivery->deadline_at_ms == UINT64_MAX ? 0 : delivery->deadline_at_ms;
    p->job = delivery->job_row;
    copy_uuid(p->uuid, sizeof(p->uuid), delivery->envelope.uuid);
    atomic_store_explicit(&p->state, state, memory_order_release);
}

void mr_recorder_place_waiting(struct mr_recorder *r, unsigned place,
                               const struct mr_delivery *delivery)
{
    show(r, place, delivery, MR_PLACE_WAITING);
}

void mr_recorder_place_running(struct mr_recorder *r, unsigned place,
                               const struct mr_delivery *delivery)
{
    show(r, place, delivery, MR_PLACE_RUNNING);
}

void mr_recorder_place_state(struct mr_recorder *r, unsigned place, enum mr_place_state state)
{
    atomic_store_explicit(&r->page->places[place].state, state, memory_order_release);
}

void mr_recorder_place_timed_out(struct mr_recorder *r, unsigned place)
{
    r->page->places[place].timed_out = 1;
}

void mr_recorder_enter(struct mr_recorder *r, unsigned thread, uint32_t place)
{
    atomic_store_explicit(&r->page->current[thread], place, memory_order_relaxed);
}

void mr_recorder_lease_held(struct mr_recorder *r, unsigned queue, unsigned k, unsigned n)
{
    struct mr_page_lease *lease = mr_page_lease_of(r->page, queue, k);

    for (unsigned word = 0; word < MR_COUNT(lease->done); word++) {
        atomic_store_explicit(&lease->done[word], 0, memory_order_relaxed);
        atomic_store_explicit(&lease->settling[word], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&lease->n, n, memory_order_release);
}

static void set_bit(_Atomic uint64_t words[2], unsigned index)
{
    _Atomic uint64_t *word = &words[index / 64];
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);

    atomic_store_explicit(word, bits | UINT64_C(1) << index % 64, memory_order_release);
}

void mr_recorder_lease_done(struct mr_recorder *r, unsigned queue, unsigned k, unsigned index)
{
    set_bit(mr_page_lease_of(r->page, queue, k)->done, index);
}

void mr_recorder_lease_settling(struct mr_recorder *r, unsigned queue, unsigned k,
                                unsigned index)
{
    set_bit(mr_page_lease_of(r->page, queue, k)->settling, index);
}

void mr_recorder_lease_gone(struct mr_recorder *r, unsigned queue, unsigned k)
{
    atomic_store_explicit(&mr_page_lease_of(r->page, queue, k)->n, 0, memory_order_release);
}

/* Of first attempts alone: what a retry waited is its backoff, not the queue. */
static void count_wait(struct mr_recorder *r, const struct mr_delivery *d, uint64_t run_us,
                       uint64_t now_wall_ms)
{
    const struct mr_envelope *envelope = &d->envelope;

    if (d->attempt.attempts > 0 || !(envelope->pushed_at_s >= 0))
        return;
    double ready_at_s = envelope->pushed_at_s;
    if (envelope->delay_s > 0)
        ready_at_s += (double)envelope->delay_s;
    double waited_us = (double)now_wall_ms * 1e3 - (double)run_us - ready_at_s * 1e6;
    /* A producer's clock may be ahead of ours; its date may be nonsense. */
    waited_us = fmin(fmax(waited_us, 0), 1e15);
    mr_histogram_add(&r->page->waits[d->address.queue], (uint64_t)waited_us);
}

/* A seqlock: the reader takes an entry whose seq was even and the same before and after. */
static void add_to_ring(struct mr_page_header *header, const struct mr_delivery *d,
                        enum mr_page_verdict verdict, uint64_t run_us, uint64_t now_wall_ms)
{
    uint64_t n = atomic_load_explicit(&header->ring_next, memory_order_relaxed);
    struct mr_page_finished *entry = &header->ring[n % MR_PAGE_RING];
    uint64_t seq = atomic_load_explicit(&entry->seq, memory_order_relaxed) | 1;

    atomic_store_explicit(&entry->seq, seq, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    entry->at_ms = now_wall_ms;
    entry->run_us = run_us;
    entry->queue = d->address.queue;
    entry->job = d->job_row;
    entry->verdict = verdict;
    entry->attempt = mr_delivery_attempt(d);
    copy_uuid(entry->uuid, sizeof(entry->uuid), d->envelope.uuid);
    atomic_store_explicit(&entry->seq, seq + 1, memory_order_release);
    atomic_store_explicit(&header->ring_next, n + 1, memory_order_release);
}

void mr_recorder_finished(struct mr_recorder *r, const struct mr_delivery *delivery,
                          enum mr_page_verdict verdict, uint64_t run_us, uint64_t now_wall_ms)
{
    struct mr_page_header *header = r->page->header;

    add(mr_page_verdict_of(r->page, delivery->address.queue, delivery->job_row, verdict), 1);
    if (run_us == MR_NEVER_RAN) {
        run_us = 0;
    } else {
        mr_histogram_add(&header->run[delivery->job_row], run_us);
        count_wait(r, delivery, run_us, now_wall_ms);
    }
    add_to_ring(header, delivery, verdict, run_us, now_wall_ms);
}

/* Async-signal-safe: words of the page and raise(3), nothing else. */
static void on_crash(int signal_number)
{
    uint32_t place =
        crash_seat ? atomic_load_explicit(crash_seat, memory_order_relaxed) : MR_PAGE_NOBODY;

    atomic_store_explicit(&crash_page->crash_place, place, memory_order_relaxed);
    atomic_store_explicit(&crash_page->crash_signal, (uint32_t)signal_number,
                          memory_order_release);
    /* SA_RESETHAND has put the default back: this one is delivered when the handler returns. */
    raise(signal_number);
}

/*
 * A stack for the handler: SIGSEGV may mean that the thread's own is full. Where a sanitizer has
 * given the thread one already, that one stays: it unmaps at the thread's end what it finds.
 */
static void give_crash_stack(void)
{
    stack_t old, ours = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};

    if (sigaltstack(NULL, &old) == 0 && old.ss_flags & SS_DISABLE)
        sigaltstack(&ours, NULL);
}

void mr_recorder_catch_crashes(struct mr_recorder *r)
{
    static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND};

    crash_page = r->page->header;
    mr_recorder_thread(r, 0);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < MR_COUNT(signals); i++)
        sigaction(signals[i], &action, NULL);
}

void mr_recorder_thread(struct mr_recorder *r, unsigned thread)
{
    crash_seat = &r->page->current[thread];
    give_crash_stack();
}
