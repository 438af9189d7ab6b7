#include "worker/threads.h"

#include "proto/base/list.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/base/signals.h"
#include "worker/delivery.h"
#include "worker/handler.h"

#include <stdlib.h>

/* How long the loop waits before it asks again for a thread that the system would not give. */
enum { AGAIN_MS = 1000 };

/*
 * One thread. The loop decides everything: it gives work to a thread that has none, and tells the long
 * idle ones to leave; so it knows when each delivery really starts, and nothing races.
 */
struct thread {
    struct mr_threads *threads;
    unsigned number; /* from 1, as the page counts them */
    uv_thread_t id;
    uv_cond_t wake;
    bool alive, busy;         /* the loop's view */
    uint64_t idle_since_ms;   /* the loop's */
    struct mr_list node;      /* under lock: in mr_threads.done */
    struct mr_delivery *work; /* under lock: given by the loop */
    struct mr_delivery *ran;  /* under lock: given back to the loop */
    bool leave;               /* under lock */
};

struct mr_threads {
    struct mr_recorder *recorder;
    struct mr_threads_events events;
    uint64_t idle_ms;
    struct thread *all; /* max of them, created on demand, the first first */
    unsigned max;
    struct mr_list waiting; /* deliveries without a thread; the loop's */
    uv_timer_t tend;        /* idle threads leave; a refused thread is asked for again */
    uv_async_t some_done;
    uv_mutex_t lock;
    struct mr_list done; /* under lock: threads that have run what they were given */
    bool closing;        /* under lock: some_done is no longer there */
    void (*on_closed)(void *arg);
    void *closed_arg;
    unsigned open_handles;
};

static void run(struct thread *thread, struct mr_delivery *d)
{
    struct mr_recorder *recorder = thread->threads->recorder;

    mr_recorder_enter(recorder, thread->number, d->place);
    d->outcome = d->handler->run(d->handler_state, mr_delivery_job(d));
    mr_recorder_enter(recorder, thread->number, MR_PAGE_NOBODY);
}

static void thread_main(void *arg)
{
    struct thread *thread = arg;
    struct mr_threads *threads = thread->threads;

    mr_recorder_thread(threads->recorder, thread->number);
    uv_mutex_lock(&threads->lock);
    for (;;) {
        while (!thread->work && !thread->leave)
            uv_cond_wait(&thread->wake, &threads->lock);
        if (!thread->work)
            break;
        uv_mutex_unlock(&threads->lock);
        run(thread, thread->work);
        uv_mutex_lock(&threads->lock);
        thread->ran = thread->work;
        thread->work = NULL;
        mr_list_push_back(&threads->done, &thread->node);
        if (!threads->closing)
            uv_async_send(&threads->some_done);
    }
    uv_mutex_unlock(&threads->lock);
}

static int create(struct thread *thread)
{
    sigset_t before;

    mr_signals_block(&before);
    int status = uv_thread_create(&thread->id, thread_main, thread);
    mr_signals_restore(&before);
    return status;
}

/* An idle thread, or a fresh one; NULL when all are busy or the system refuses. */
static struct thread *find_idle(struct mr_threads *threads, bool *out_refused)
{
    struct thread *absent = NULL;

    for (unsigned i = 0; i < threads->max; i++) {
        struct thread *thread = &threads->all[i];

        if (thread->alive && !thread->busy)
            return thread;
        if (!thread->alive && !absent)
            absent = thread;
    }
    if (!absent)
        return NULL;
    int status = create(absent);
    if (status < 0) {
        mr_log_warn("threads.refused", "number=%u error=%s", absent->number,
                    uv_strerror(status));
        *out_refused = true;
        return NULL;
    }
    absent->alive = true;
    return absent;
}

static void put_to_work(struct thread *thread, struct mr_delivery *d)
{
    struct mr_threads *threads = thread->threads;

    thread->busy = true;
    threads->events.on_started(threads->events.arg, d);
    uv_mutex_lock(&threads->lock);
    thread->work = d;
    uv_mutex_unlock(&threads->lock);
    uv_cond_signal(&thread->wake); /* it finds the lock free */
}

static void on_tend(uv_timer_t *timer);

/* Starts what waits, as far as there are threads. */
static void serve(struct mr_threads *threads)
{
    while (!mr_list_empty(&threads->waiting)) {
        bool refused = false;
        struct thread *thread = find_idle(threads, &refused);

        if (refused)
            uv_timer_start(&threads->tend, on_tend, AGAIN_MS, 0);
        if (!thread)
            return; /* the next thread that is done comes back here */
        struct mr_delivery *d = mr_list_entry(threads->waiting.next, struct mr_delivery, node);
        mr_list_remove(&d->node);
        put_to_work(thread, d);
    }
}

static void dismiss(struct thread *thread)
{
    uv_mutex_lock(&thread->threads->lock);
    thread->leave = true;
    uv_cond_signal(&thread->wake);
    uv_mutex_unlock(&thread->threads->lock);
    uv_thread_join(&thread->id); /* it waits for nothing else: at once */
    thread->leave = thread->alive = false;
}

static void on_tend(uv_timer_t *timer)
{
    struct mr_threads *threads = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    bool some_idle = false;

    for (unsigned i = 0; i < threads->max; i++) {
        struct thread *thread = &threads->all[i];

        if (!thread->alive || thread->busy)
            continue;
        if (thread->idle_since_ms + threads->idle_ms <= now_ms)
            dismiss(thread);
        else
            some_idle = true;
    }
    if (some_idle)
        uv_timer_start(timer, on_tend, threads->idle_ms, 0);
    serve(threads);
}

/* Takes one answer from a thread, which is idle then; NULL: no more. */
static struct mr_delivery *take_done(struct mr_threads *threads)
{
    struct mr_delivery *d = NULL;

    uv_mutex_lock(&threads->lock);
    if (!mr_list_empty(&threads->done)) {
        struct thread *thread = mr_list_entry(threads->done.next, struct thread, node);

        mr_list_remove(&thread->node);
        d = thread->ran;
        thread->busy = false;
        thread->idle_since_ms = uv_now(threads->tend.loop);
    }
    uv_mutex_unlock(&threads->lock);
    return d;
}

static void on_some_done(uv_async_t *async)
{
    struct mr_threads *threads = async->data;
    struct mr_delivery *d;

    while ((d = take_done(threads)))
        threads->events.on_done(threads->events.arg, d);
    serve(threads);
    if (!uv_is_active((uv_handle_t *)&threads->tend))
        uv_timer_start(&threads->tend, on_tend, threads->idle_ms, 0);
}

enum mr_code mr_threads_new(uv_loop_t *loop, struct mr_recorder *recorder, unsigned max,
                            uint64_t idle_ms, const struct mr_threads_events *events,
                            struct mr_threads **out, struct mr_err *err)
{
    struct mr_threads *threads = mr_zalloc(sizeof(*threads));
    int status = uv_async_init(loop, &threads->some_done, on_some_done);

    if (status < 0) {
        free(threads);
        return mr_fail(err, MR_EIO, "threads: cannot make a wake-up: %s", uv_strerror(status));
    }
    threads->recorder = recorder;
    threads->events = *events;
    threads->idle_ms = idle_ms;
    threads->max = max;
    threads->all = mr_zalloc_array(max, sizeof(*threads->all));
    mr_list_init(&threads->waiting);
    mr_list_init(&threads->done);
    uv_mutex_init(&threads->lock);
    for (unsigned i = 0; i < max; i++) {
        threads->all[i].threads = threads;
        threads->all[i].number = i + 1;
        mr_list_init(&threads->all[i].node);
        uv_cond_init(&threads->all[i].wake);
    }
    uv_timer_init(loop, &threads->tend);
    uv_unref((uv_handle_t *)&threads->tend);
    threads->tend.data = threads->some_done.data = threads;
    threads->open_handles = 2;
    *out = threads;
    return MR_OK;
}

void mr_threads_submit(struct mr_threads *threads, struct mr_delivery *delivery)
{
    mr_list_push_back(&threads->waiting, &delivery->node);
    serve(threads);
}

bool mr_threads_withdraw(struct mr_threads *threads, struct mr_delivery *delivery)
{
    mr_list_each (node, &threads->waiting)
        if (node == &delivery->node) {
            mr_list_remove(node);
            return true;
        }
    return false;
}

unsigned mr_threads_alive(const struct mr_threads *threads)
{
    unsigned n = 0;

    for (unsigned i = 0; i < threads->max; i++)
        n += threads->all[i].alive;
    return n;
}

bool mr_threads_busy(const struct mr_threads *threads)
{
    for (unsigned i = 0; i < threads->max; i++)
        if (threads->all[i].busy)
            return true;
    return false;
}

static void let_go(uv_handle_t *handle)
{
    struct mr_threads *threads = handle->data;

    if (--threads->open_handles > 0)
        return;
    threads->on_closed(threads->closed_arg);
    if (mr_threads_busy(threads))
        return; /* a thread may still look at it */
    for (unsigned i = 0; i < threads->max; i++)
        uv_cond_destroy(&threads->all[i].wake);
    uv_mutex_destroy(&threads->lock);
    free(threads->all);
    free(threads);
}

void mr_threads_close(struct mr_threads *threads, void (*on_closed)(void *arg), void *arg)
{
    threads->on_closed = on_closed;
    threads->closed_arg = arg;
    uv_mutex_lock(&threads->lock);
    threads->closing = true;
    uv_mutex_unlock(&threads->lock);
    for (unsigned i = 0; i < threads->max; i++)
        if (threads->all[i].alive && !threads->all[i].busy)
            dismiss(&threads->all[i]);
    uv_close((uv_handle_t *)&threads->tend, let_go);
    uv_close((uv_handle_t *)&threads->some_done, let_go);
}
