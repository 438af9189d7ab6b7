#include "jobs/services/errands.h"

#include "proto/base/list.h"
#include "proto/base/mem.h"
#include "proto/base/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct errand {
    struct mr_list node;
    mr_errand_fn *run, *done;
    void *arg;
};

struct mr_errands {
    uv_async_t some_done;
    pthread_mutex_t lock;
    pthread_cond_t some_waiting;
    struct mr_list waiting, over; /* under lock, as are the three below */
    unsigned n_idle, n_waiting;
    bool closing;
    pthread_t *threads; /* the loop's, as is their number */
    unsigned n_threads, max_threads;
};

static struct errand *first_of(struct mr_list *errands)
{
    if (mr_list_empty(errands))
        return NULL;
    struct errand *errand = mr_list_entry(errands->next, struct errand, node);
    mr_list_remove(&errand->node);
    return errand;
}

/* The next one; NULL when there will be none. With the lock held. */
static struct errand *next(struct mr_errands *e)
{
    e->n_idle++;
    while (mr_list_empty(&e->waiting) && !e->closing)
        pthread_cond_wait(&e->some_waiting, &e->lock);
    e->n_idle--;
    struct errand *errand = first_of(&e->waiting);
    e->n_waiting -= errand != NULL;
    return errand;
}

static void *thread_main(void *arg)
{
    struct mr_errands *e = arg;
    struct errand *errand;

    pthread_mutex_lock(&e->lock);
    while ((errand = next(e))) {
        pthread_mutex_unlock(&e->lock);
        errand->run(errand->arg);
        pthread_mutex_lock(&e->lock);
        mr_list_push_back(&e->over, &errand->node);
        uv_async_send(&e->some_done);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static void on_some_done(uv_async_t *async)
{
    struct mr_errands *e = async->data;

    for (;;) {
        pthread_mutex_lock(&e->lock);
        struct errand *errand = first_of(&e->over);
        pthread_mutex_unlock(&e->lock);
        if (!errand)
            return;
        errand->done(errand->arg);
        free(errand);
    }
}

struct mr_errands *mr_errands_new(uv_loop_t *loop, unsigned max_threads)
{
    struct mr_errands *e = mr_zalloc(sizeof(*e));

    e->max_threads = max_threads;
    e->threads = mr_zalloc_array(max_threads, sizeof(*e->threads));
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->some_waiting, NULL);
    mr_list_init(&e->waiting);
    mr_list_init(&e->over);
    uv_async_init(loop, &e->some_done, on_some_done);
    e->some_done.data = e;
    return e;
}

static void on_closed(uv_handle_t *async)
{
    struct mr_errands *e = async->data;

    pthread_cond_destroy(&e->some_waiting);
    pthread_mutex_destroy(&e->lock);
    free(e->threads);
    free(e);
}

void mr_errands_close(struct mr_errands *errands)
{
    if (!errands)
        return;
    pthread_mutex_lock(&errands->lock);
    errands->closing = true;
    pthread_cond_broadcast(&errands->some_waiting);
    pthread_mutex_unlock(&errands->lock);
    for (unsigned i = 0; i < errands->n_threads; i++)
        pthread_join(errands->threads[i], NULL);
    uv_close((uv_handle_t *)&errands->some_done, on_closed);
}

/* Where the system gives no thread those that are there do the work; without any it cannot be done. */
static void add_thread(struct mr_errands *e)
{
    sigset_t before;

    mr_signals_block(&before);
    int error = pthread_create(&e->threads[e->n_threads], NULL, thread_main, e);
    mr_signals_restore(&before);
    if (error == 0)
        e->n_threads++;
    else if (e->n_threads == 0)
        abort(); /* as for memory: the supervisor starts us anew */
}

void mr_errands_send(struct mr_errands *errands, mr_errand_fn *run, mr_errand_fn *done,
                     void *arg)
{
    struct errand *errand = mr_zalloc(sizeof(*errand));

    errand->run = run;
    errand->done = done;
    errand->arg = arg;
    pthread_mutex_lock(&errands->lock);
    mr_list_push_back(&errands->waiting, &errand->node);
    bool enough = ++errands->n_waiting <= errands->n_idle;
    pthread_cond_signal(&errands->some_waiting);
    pthread_mutex_unlock(&errands->lock);
    if (!enough && errands->n_threads < errands->max_threads)
        add_thread(errands);
}
